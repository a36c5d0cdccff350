use std::fs;

use super::*;

const SAMPLE: &str = include_str!("../../../tests/saved/usage-v1.json");

fn tokens(input: u64, output: u64) -> Tokens {
    Tokens { input, output, ..Tokens::default() }
}

fn moment(text: &str) -> SystemTime {
    clock::parse_rfc3339(text).unwrap()
}

fn sample() -> Kept {
    let spent = Tokens { cache_read: 5, cache_write: 7, ..tokens(13_808, 11) };
    let day = day_of(moment("2026-11-21T12:00:00Z"));
    let usage = Usage {
        days: [
            (day - 1, Spent { turns: 2, tokens: tokens(100, 10) }),
            (day, Spent { turns: 14, tokens: spent }),
        ]
        .into(),
        slots: [(seconds(moment("2026-11-21T21:30:00Z")) / SLOT, 13_831)].into(),
    };
    let message = "msg_6b020d7b000001".to_owned();
    let count = FileCount {
        offset: 383_966,
        latest: moment("2026-11-21T21:30:50.327Z"),
        answers: vec![AnswerCount { message, tokens: spent, ended: true }],
    };
    let name = "-srv-app/11111111-1111-4111-8111-111111111111.jsonl".to_owned();
    let settled = Some(moment("2026-11-20T08:00:00.5Z"));
    let files = Files { known: [(name, count)].into(), settled };
    let units = [(UnitName::new("builder").unwrap(), Counted { usage, files })].into();
    Kept { units, unread: Map::new() }
}

fn load_text(text: &str) -> (tempfile::TempDir, Kept, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(path(dir.path()), text).unwrap();
    let (kept, notes) = load(dir.path()).unwrap();
    (dir, kept, notes)
}

#[test]
fn the_file_of_version_1_loads_for_ever() {
    let (_dir, kept, notes) = load_text(SAMPLE);
    assert_eq!((kept, notes.len()), (sample(), 0));
}

#[test]
fn what_is_saved_is_loaded_and_a_missing_file_is_empty() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(load(dir.path()).unwrap(), (Kept::default(), Vec::new()));
    save(dir.path(), &sample()).unwrap();
    assert_eq!(load(dir.path()).unwrap(), (sample(), Vec::new()));
}

#[test]
fn corrupt_files_are_set_aside_loudly() {
    let truncated = &SAMPLE[..SAMPLE.len() / 2];
    for text in ["", "{", "[]", "{}", r#"{"version":0}"#, r#"{"version":1,"units":7}"#, truncated] {
        let (dir, kept, notes) = load_text(text);
        assert_eq!((kept, notes.len()), (Kept::default(), 1), "{text}");
        assert!(notes[0].contains("usage.json.corrupt-2"), "{notes:?}");
        assert!(!path(dir.path()).exists());
    }
}

#[test]
fn fields_of_a_later_release_are_written_back_and_a_later_version_is_kept() {
    let more = SAMPLE.replacen('{', "{ \"more\": 7,", 1);
    let (dir, kept, notes) = load_text(&more);
    assert_eq!(notes.len(), 0);
    save(dir.path(), &kept).unwrap();
    assert!(fs::read_to_string(path(dir.path())).unwrap().contains("\"more\":7"));
    let later = SAMPLE.replacen(": 1", ": 3", 1);
    let (dir, kept, notes) = load_text(&later);
    assert_eq!((kept, notes.len()), (sample(), 1));
    let copies = fs::read_dir(dir.path()).unwrap().flatten();
    assert_eq!(copies.filter(|it| it.path().to_str().unwrap().contains(".version-3-")).count(), 1);
}

#[test]
fn an_answer_in_parts_is_counted_once_with_the_most_that_is_said_of_it() {
    let mut count = FileCount::new(0);
    let spent = |turns, tokens| Spent { turns, tokens };
    assert_eq!(count.count("a", tokens(100, 1), false), spent(0, tokens(100, 1)));
    assert_eq!(count.count("b", tokens(7, 7), true), spent(1, tokens(7, 7)));
    assert_eq!(count.count("a", tokens(100, 32), true), spent(1, tokens(0, 31)));
    assert_eq!(count.count("a", tokens(100, 32), true), Spent::default());
    for number in 0..20 {
        count.count(&number.to_string(), tokens(1, 1), true);
    }
    assert_eq!(count.answers.len(), ANSWERS_MAX);
}

#[test]
fn of_too_many_transcripts_the_oldest_are_settled() {
    let mut files = Files::default();
    for number in 0..(FILES_MAX as u64 + 2) {
        let count = FileCount { latest: at(1000 + number), ..FileCount::new(5) };
        files.known.insert(number.to_string(), count);
        files.tidy();
    }
    assert_eq!((files.known.len(), files.settled), (FILES_MAX, Some(at(1001))));
}
