//! Transcripts in a folder of the test's own, with records as Claude Code writes them.

use std::fs::{self, File};
use std::io::Write as _;
use std::time::Duration;

use super::*;
use crate::agents::claude::Claude;
use crate::decide::{Failure, Tokens};

const FIRST_ONE: &str = "11111111-1111-4111-8111-111111111111";
const OTHER: &str = "22222222-1111-4111-8111-111111111111";

struct Stage {
    dir: tempfile::TempDir,
    followed: Followed,
    /// Seconds since the process was started.
    second: u64,
}

impl Stage {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("projects/-srv")).unwrap();
        let subject = subject(root, FIRST_ONE, 7);
        let followed = Followed::new(&Claude, subject, Files::default());
        Self { dir, followed, second: 100 }
    }

    fn now(&self) -> Now {
        now(self.second)
    }

    fn path(&self, conversation: &str) -> PathBuf {
        self.dir.path().join(format!("projects/-srv/{conversation}.jsonl"))
    }

    fn adds(&self, path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = File::options().append(true).create(true).open(path);
        writeln!(file.unwrap(), "{text}").unwrap();
    }

    fn writes(&self, text: &str) {
        self.adds(&self.path(FIRST_ONE), text);
    }

    fn looks(&mut self) -> Found {
        let now = self.now();
        self.followed.look(now).0
    }

    /// Turns and input tokens that were found.
    fn counts(&mut self) -> (u64, u64) {
        let found = self.looks();
        let mut all = Spent::default();
        found.spent.iter().for_each(|(_, spent)| all += *spent);
        (all.turns, all.tokens.input)
    }

    fn says(&mut self) -> Option<Doing> {
        self.looks().says.map(|(_, doing, _)| doing)
    }

    /// Another daemon, that knows what was saved.
    fn is_killed(&mut self) {
        let (subject, files) = (self.followed.subject.clone(), self.followed.files.clone());
        self.followed = Followed::new(&Claude, subject, files);
    }

    fn meets(&mut self, conversation: &str, pid: i32) -> bool {
        let subject = subject(self.dir.path(), conversation, pid);
        self.followed.meet(subject)
    }
}

/// The process was started 1000 seconds after the boot.
fn now(second: u64) -> Now {
    let mono = Mono::from_boot(Duration::from_secs(1000 + second));
    let begin = crate::world::clock::parse_rfc3339("2026-11-21T12:00:00Z").unwrap();
    Now { mono, wall: begin + Duration::from_secs(second) }
}

fn subject(root: &Path, conversation: &str, pid: i32) -> Subject {
    let path = |name: &str| root.join(name);
    Subject {
        process: Process { pid, start: 1 },
        since: now(0).mono,
        conversation: conversation.to_owned(),
        places: Places {
            config_file: path("config"),
            settings_file: path("settings"),
            registry: Some(path("sessions")),
            credentials: path("credentials"),
            transcripts: path("projects"),
        },
        directory: path("srv"),
    }
}

fn date(second: i64) -> String {
    let (wall, from_then) = (now(0).wall, Duration::from_secs(second.unsigned_abs()));
    crate::world::clock::rfc3339(if second < 0 { wall - from_then } else { wall + from_then })
}

fn answer(second: i64, message: &str, input: u64) -> String {
    let at = date(second);
    format!(
        r#"{{"type":"assistant","timestamp":"{at}","message":{{"id":"{message}","stop_reason":"end_turn","usage":{{"input_tokens":{input}}}}}}}"#
    )
}

fn error(second: i64) -> String {
    let at = date(second);
    format!(
        r#"{{"type":"assistant","timestamp":"{at}","isApiErrorMessage":true,"message":{{"content":[{{"type":"text","text":"API Error: 529"}}]}}}}"#
    )
}

fn prompt(second: i64) -> String {
    let at = date(second);
    format!(r#"{{"type":"user","timestamp":"{at}","message":{{"content":"go on"}}}}"#)
}

#[test]
fn what_is_older_than_the_process_does_not_count_and_what_is_new_counts_once() {
    let mut stage = Stage::new();
    stage.writes(&answer(-5, "old", 1));
    stage.writes(&answer(5, "new", 20));
    assert_eq!(stage.counts(), (1, 20));
    stage.writes(&answer(6, "more", 300));
    stage.writes(&answer(6, "more", 300));
    assert_eq!(stage.counts(), (1, 300));
    stage.is_killed();
    assert_eq!(stage.counts(), (0, 0));
    stage.writes(&answer(7, "last", 7));
    stage.is_killed();
    assert_eq!(stage.counts(), (1, 7));
}

#[test]
fn a_file_that_comes_later_is_waited_for_and_counted_from_its_beginning() {
    let mut stage = Stage::new();
    let (_, wanted) = stage.followed.look(stage.now());
    assert_eq!(wanted, [Wanted::Made(stage.dir.path().join("projects"))]);
    assert!(!stage.followed.is_found());
    stage.writes(&answer(5, "a", 20));
    let (found, wanted) = stage.followed.look(stage.now());
    assert_eq!((found.spent.len(), found.counted, found.progress), (1, true, false));
    let folder = stage.dir.path().join("projects/-srv");
    assert_eq!(wanted, [Wanted::Written(stage.path(FIRST_ONE)), Wanted::Made(folder)]);
    stage.writes("{}");
    assert!(stage.looks().progress, "anything that is written is progress");
    assert!(!stage.looks().progress);
}

#[test]
fn a_sub_agent_costs_and_moves_and_has_no_turn_and_no_say() {
    let mut stage = Stage::new();
    stage.writes(&prompt(4));
    stage.looks();
    let aside = stage.path(FIRST_ONE).with_extension("").join("subagents");
    stage.adds(&aside.join("agent-a.jsonl"), &answer(5, "a", 20));
    stage.adds(&aside.join("agent-a.meta.json"), &answer(5, "b", 20));
    let (found, wanted) = stage.followed.look(stage.now());
    let cost = Spent { turns: 0, tokens: Tokens { input: 20, ..Tokens::default() } };
    assert_eq!(found.spent, [(now(5).wall, cost)]);
    assert!(wanted.contains(&Wanted::Written(aside.clone())));
    stage.adds(&aside.join("agent-a.jsonl"), &error(6));
    let found = stage.looks();
    assert!(found.progress && found.says.is_none());
    stage.is_killed();
    stage.adds(&aside.join("agent-a.jsonl"), &answer(7, "c", 3));
    assert_eq!(stage.counts(), (0, 3));
}

#[test]
fn an_error_is_said_and_what_takes_it_back_but_not_what_others_say_sooner() {
    let mut stage = Stage::new();
    stage.writes(&error(-5));
    assert_eq!(stage.says(), None, "another process failed");
    stage.writes(&prompt(5));
    stage.writes(&answer(6, "a", 1));
    assert_eq!(stage.says(), None);
    stage.writes(&error(7));
    let (at, doing, evidence) = stage.looks().says.expect("an error");
    assert_eq!((at, doing), (now(7).mono, Doing::Failed(Failure::Errored)));
    assert_eq!(evidence, "API Error: 529");
    assert_eq!(stage.says(), None);
    stage.is_killed();
    assert_eq!(stage.says(), Some(Doing::Failed(Failure::Errored)), "it still holds");
    stage.writes(&prompt(8));
    assert_eq!(stage.says(), Some(Doing::Working));
    stage.writes(&answer(9, "b", 1));
    assert_eq!(stage.says(), Some(Doing::Idle));
    stage.writes(&prompt(10));
    assert_eq!(stage.says(), None);
}

#[test]
fn an_error_is_left_behind_with_its_conversation_and_nothing_of_that_is_lost() {
    let mut stage = Stage::new();
    stage.writes(&error(5));
    stage.looks();
    stage.writes(&answer(6, "last", 20));
    stage.adds(&stage.path(OTHER), &answer(7, "first", 3));
    assert!(stage.meets(OTHER, 7) && !stage.meets(OTHER, 7));
    assert_eq!(stage.counts(), (2, 23));
    // Back again, by `/resume`.
    assert!(stage.meets(FIRST_ONE, 7));
    assert_eq!(stage.counts(), (0, 0));

    stage.writes(&error(8));
    stage.looks();
    stage.meets(OTHER, 7);
    assert_eq!(stage.says(), Some(Doing::Idle));
    stage.adds(&stage.path(OTHER), &error(9));
    stage.looks();
    // Another process has failed at nothing yet.
    stage.meets(OTHER, 8);
    assert_eq!(stage.says(), None);
}

#[test]
fn a_transcript_that_was_cut_short_is_not_counted_again() {
    let mut stage = Stage::new();
    stage.writes(&answer(5, "a", 20));
    stage.writes(&answer(6, "b", 20));
    assert_eq!(stage.counts(), (2, 40));
    for killed in [false, true] {
        let text = format!("{}\n", answer(5, "a", 20));
        fs::write(stage.path(FIRST_ONE), text).unwrap();
        if killed {
            stage.is_killed();
        }
        assert_eq!(stage.counts(), (0, 0), "{killed}");
        stage.second += 1;
        let second = i64::try_from(stage.second).unwrap() - 50;
        stage.writes(&answer(second, &format!("c{second}"), 7));
        assert_eq!(stage.counts(), (1, 7), "{killed}");
    }
}
