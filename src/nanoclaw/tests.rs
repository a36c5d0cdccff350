use std::time::{Duration, SystemTime};

use super::*;

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn the_generation_is_what_lies_there_and_of_two_the_one_that_was_written_last() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(generation(dir.path()), Err(Unfit::Absent { .. })));
    write(&dir.path().join("store/messages.db"), b"");
    assert_eq!(generation(dir.path()).unwrap(), Generation::V1);
    write(&dir.path().join("data/v2.db"), b"");
    let file = fs::File::open(dir.path().join("data/v2.db")).unwrap();
    let later = SystemTime::now() + Duration::from_secs(60);
    file.set_modified(later).unwrap();
    assert_eq!(generation(dir.path()).unwrap(), Generation::V2);
    file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(generation(dir.path()).unwrap(), Generation::V1);
}

#[test]
fn a_container_is_known_by_its_clients_words_and_belongs_to_one_group_alone() {
    let argv =
        ["docker", "run", "-i", "--rm", "--name", "nanoclaw-ryan-2-1700000000000", "-e", "x"];
    let name = containers::container(&argv).unwrap();
    assert!(containers::is_of(&name, Generation::V1, "ryan-2"));
    assert!(containers::is_of(&name, Generation::V1, "ryan_2"), "that is what it makes of it");
    assert!(!containers::is_of(&name, Generation::V1, "ryan"));
    assert!(!containers::is_of("nanoclaw-ryan-", Generation::V1, "ryan"));
    assert!(containers::is_of("nanoclaw-v2-ryan-17", Generation::V2, "ryan"));
    assert_eq!(
        containers::container(&["docker", "run", "--name=nanoclaw-a-1"]).unwrap(),
        "nanoclaw-a-1"
    );
    assert_eq!(containers::container(&["docker", "run", "--name", "postgres"]), None);
    assert_eq!(containers::container(&["docker", "stop", "nanoclaw-a-1"]), None);
}

#[test]
fn nanoclaw_itself_is_known_by_its_script() {
    let script = |words: &[&'static str]| containers::script(words);
    assert_eq!(script(&["node", "dist/index.js"]), Some("dist/index.js"));
    assert_eq!(script(&["node", "/nix/store/x/dist/index.js"]), Some("/nix/store/x/dist/index.js"));
    assert_eq!(script(&["tsx", "src/index.ts"]), Some("src/index.ts"));
    assert_eq!(script(&["node", "mydist/index.js"]), None);
    assert_eq!(script(&["cat", "index.js"]), None);
}

#[test]
fn the_note_of_a_container_says_when_and_how_it_ended() {
    let dir = tempfile::tempdir().unwrap();
    let logs = dir.path().join("groups/ryan/logs");
    let good = "=== Container Run Log ===\nTimestamp: 2026-05-27T06:15:25.123Z\nGroup: Ryan\n\
                IsMain: false\nDuration: 5000ms\nExit Code: 0\nStdout Truncated: false\n";
    write(&logs.join("container-2026-05-27T06-15-25-123Z.log"), good.as_bytes());
    let late = "=== Container Run Log (TIMEOUT) ===\nTimestamp: 2026-05-27T07:00:00.000Z\n\
                Group: Ryan\nContainer: nanoclaw-ryan-1\nDuration: 1800000ms\nExit Code: 137\n\
                Had Streaming Output: true";
    write(&logs.join("container-2026-05-27T07-00-00-000Z.log"), late.as_bytes());
    let killed = late.replace("(TIMEOUT) ", "").replace("137", "null").replace("07:00", "08:00");
    write(&logs.join("container-2026-05-27T08-00-00-000Z.log"), killed.as_bytes());
    write(&logs.join("container-2026-05-27T09-00-00-000Z.log"), b"half");
    // A pipe that nobody writes to would hold up a reader for ever.
    rustix::fs::mknodat(
        rustix::fs::CWD,
        logs.join("container-2026-05-27T09-30-00-000Z.log"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();

    let at = |text: &str| SystemTime::from(text.parse::<jiff::Timestamp>().unwrap());
    let all = runs::since(dir.path(), "ryan", at("2026-05-27T06:00:00Z"));
    let seen: Vec<_> = all.iter().map(|run| (run.code, run.is_good())).collect();
    assert_eq!(seen, [(Some(0), true), (Some(137), true), (None, false)]);
    assert_eq!(all[0].began, at("2026-05-27T06:15:20.123Z"));
    assert_eq!(runs::since(dir.path(), "ryan", at("2026-05-27T06:15:26Z")).len(), 2);
    assert!(runs::since(dir.path(), "nobody", at("2026-05-27T06:00:00Z")).is_empty());
}

#[test]
fn a_letter_is_answered_when_an_assistant_speaks_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data/sessions/ryan/.claude/projects/-workspace-group/a.jsonl");
    let asked =
        "{\"type\":\"assistant\"}\n{\"type\":\"user\",\"message\":\"[evt 7k3f9q2d] look\"}\n";
    let folder = transcripts::folder(dir.path(), Generation::V1, "ryan");
    let answered = |mark: &str| transcripts::read(&folder, SystemTime::UNIX_EPOCH).answer(mark);
    write(&path, asked.as_bytes());
    assert!(!answered("[evt 7k3f9q2d]"), "spoken before it was asked");
    write(&path, format!("{asked}{{\"type\":\"assistant\"}}\n").as_bytes());
    assert!(answered("[evt 7k3f9q2d]"));
    assert!(!answered("[evt 7k3f9q2d, delivery 2]"));
}

#[test]
fn a_letter_is_dealt_with_when_the_turn_that_read_it_has_ended() {
    let dir = tempfile::tempdir().unwrap();
    let folder = transcripts::folder(dir.path(), Generation::V2, "ag-1");
    let path = folder.join("-workspace-agent/a.jsonl");
    let says = |more: &str, reason: &str| {
        let message = format!("{{\"role\":\"assistant\",\"stop_reason\":\"{reason}\"}}");
        format!("{{\"type\":\"assistant\"{more},\"message\":{message}}}\n")
    };
    let mut written = String::new();
    // It is queued behind another one, read in a turn of its own, worked on, and ended.
    for (line, answered, ended) in [
        ("{\"type\":\"queue-operation\",\"content\":\"[evt 1] look\"}\n".into(), false, false),
        (says("", "end_turn"), false, false),
        ("{\"type\":\"user\",\"message\":\"[evt 1] look\"}\n".into(), false, false),
        (says("", "tool_use"), true, false),
        (says(",\"isSidechain\":true", "end_turn"), true, false),
        (says(",\"isApiErrorMessage\":true", "stop_sequence"), true, false),
        (says("", "end_turn"), true, true),
    ] {
        written += &line;
        write(&path, written.as_bytes());
        let read = transcripts::read(&folder, SystemTime::UNIX_EPOCH);
        let seen = (read.answer("[evt 1]"), read.end_turn("[evt 1]"));
        assert_eq!(seen, (answered, ended), "{line}");
    }
}

#[test]
fn only_what_nanoclaw_accepts_is_a_folder() {
    for (name, is) in [
        ("ryan", true),
        ("Ryan_2-x", true),
        ("global", false),
        ("", false),
        ("-x", false),
        ("../x", false),
        ("a/b", false),
    ] {
        assert_eq!(is_folder(name), is, "{name}");
    }
}
