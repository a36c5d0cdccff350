//! What transcripts say: errors that no hook tells of, and what is spent.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;

use agent_supervisor::protocol::UnitStatus;
use serde_json::Value;

use super::home::{BYPASS, Home, kickoff};

/// The client gives up soon.
const IMPATIENT: &str =
    "environment = { CLAUDE_CODE_MAX_RETRIES = \"1\", CLAUDE_CODE_RETRY_WATCHDOG = \"0\" }";

/// What the answers in a transcript have cost, by message, and whether it ended a turn.
fn answers(transcript: &Path) -> BTreeMap<String, (u64, bool)> {
    let text = fs::read_to_string(transcript).unwrap_or_default();
    let records = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let answers = records.filter(|it| it["type"] == "assistant" && it["isApiErrorMessage"] != true);
    let mut all = BTreeMap::new();
    for message in answers.map(|it| it["message"].clone()) {
        let tokens = |key: &str| message["usage"][key].as_u64().unwrap_or_default();
        let cache = tokens("cache_read_input_tokens") + tokens("cache_creation_input_tokens");
        let total = tokens("input_tokens") + tokens("output_tokens") + cache;
        let id = message["id"].as_str().expect("an id").to_owned();
        all.insert(id, (total, message["stop_reason"] == "end_turn"));
    }
    all
}

fn spent(unit: &UnitStatus) -> (u64, u64) {
    let usage = unit.usage.as_ref().expect("an agent has usage");
    (usage.turns, usage.total)
}

impl Home {
    /// Turns and tokens of a session, as its transcripts say, and how many sub-agents it had.
    fn cost(&self, name: &str) -> (u64, u64, usize) {
        let main = self.transcript(&self.conversation(name)).expect("a transcript");
        let answers_of_all = answers(&main);
        let turns = answers_of_all.values().filter(|(_, ends)| *ends).count() as u64;
        let mut tokens: u64 = answers_of_all.values().map(|(tokens, _)| tokens).sum();
        let aside = fs::read_dir(main.with_extension("").join("subagents"));
        let aside: Vec<_> = aside.into_iter().flatten().flatten().map(|it| it.path()).collect();
        let aside = aside.iter().filter(|path| path.extension().is_some_and(|it| it == "jsonl"));
        let aside: Vec<_> = aside.map(|path| answers(path)).collect();
        tokens += aside.iter().flat_map(|it| it.values()).map(|(tokens, _)| tokens).sum::<u64>();
        (turns, tokens, aside.len())
    }

    /// Waits until the session has spent what its transcripts say.
    fn wait_counted(&self, name: &str) -> (u64, u64) {
        self.house.wait_for("all to be counted", || {
            let (turns, tokens, _) = self.cost(name);
            let shown = spent(&self.house.unit(name));
            (shown == (turns, tokens)).then_some(shown)
        })
    }

    fn asks(&self, text: &str) {
        self.types("builder", text);
        self.presses("builder", "Enter");
    }
}

#[test]
fn an_error_is_read_from_the_transcript_where_no_hook_tells_of_it_and_a_good_turn_heals_it() {
    let keys = format!("{BYPASS}\n{IMPATIENT}");
    let Some(mut home) = Home::of(&[("builder", &keys)]) else { return };
    home.house.run();
    home.wait_answered("builder", &kickoff("builder"));
    fs::remove_file(home.house.path("run/bin/supervisor")).expect("the link");
    home.asks("[[mode:err529]] try");
    let unit = home.house.wait_unit("builder", "reads errored", |unit| unit.reading == "errored");
    let source = unit.source.expect("a channel");
    assert_eq!(source.channel, "transcript");
    assert!(source.evidence.starts_with("API Error: 529"), "{}", source.evidence);
    // The next daemon has only the transcript to know it from.
    home.house.end_daemon("KILL");
    home.house.run();
    fs::remove_file(home.house.path("run/bin/supervisor")).expect("the link");
    home.house.wait_unit("builder", "still reads errored", |unit| unit.reading == "errored");
    home.asks("and now well");
    home.wait_answered("builder", "and now well");
    let events = home.house.events();
    assert!(events.iter().any(|it| it.starts_with("builder well-again")), "{events:?}");
}

#[test]
fn what_is_spent_is_counted_once_whoever_is_killed_and_sub_agents_have_no_turns_of_their_own() {
    let Some(mut home) = Home::idle(&["builder"]) else { return };
    assert_eq!(home.wait_counted("builder").0, 1);
    let call = r#"{"name":"Agent","input":{"description":"d","prompt":"say hi","subagent_type":"general-purpose"}}"#;
    home.house.does(&["tell", "builder", &format!("[[mode:toolraw:{call}]] go")]);
    home.house.end_daemon("KILL");
    home.house.wait_for("a sub-agent", || {
        let main = home.house.path(".claude/projects");
        let found = fs::read_dir(main).ok()?.flatten().flat_map(|it| fs::read_dir(it.path()));
        let found = found.flatten().flatten().map(|it| it.path().join("subagents"));
        found.flat_map(fs::read_dir).flatten().next().map(drop)
    });
    home.house.run();
    // The kickoff, the call of the sub-agent, and what its end leads to.
    home.house.wait_for("the last turn", || (home.cost("builder").0 == 3).then_some(()));
    let (turns, _) = home.wait_counted("builder");
    assert_eq!((turns, home.cost("builder").2), (3, 1), "a sub-agent has worked");
    // Nothing new: nothing is counted again.
    for end in ["KILL", "TERM"] {
        home.house.end_daemon(end);
        home.house.run();
    }
    home.house.reload();
    home.house.does(&["tell", "builder", "[[mode:think]] and one more"]);
    home.wait_answered("builder", "and one more");
    assert_eq!(home.wait_counted("builder").0, turns + 1);
    let shown = home.house.does(&["status", "builder"]);
    assert!(shown.contains(&format!("{} turns, ", turns + 1)), "{shown}");
    let metrics = home.house.does(&["metrics"]);
    let line = format!("supervisor_unit_turns_today{{unit=\"builder\"}} {}", turns + 1);
    assert!(metrics.lines().any(|it| it == line), "{metrics}");
}

#[test]
fn what_is_spent_in_a_conversation_that_was_begun_in_place_counts_too() {
    let Some(home) = Home::idle(&["builder"]) else { return };
    let (first, before) = (home.conversation("builder"), home.wait_counted("builder"));
    home.house.does(&["tell", "builder", "/clear"]);
    home.house.wait_unit("builder", "is in another conversation", |unit| {
        unit.conversation.as_ref().is_some_and(|it| *it != first)
    });
    home.house.does(&["tell", "builder", "after that"]);
    home.wait_answered("builder", "after that");
    home.house.wait_for("both to be counted", || {
        let (turns, tokens, _) = home.cost("builder");
        let both = (before.0 + turns, before.1 + tokens);
        (spent(&home.house.unit("builder")) == both).then_some(())
    });
}

#[test]
fn a_session_whose_budget_is_spent_is_held_after_its_turn_and_goes_on_with_a_larger_one() {
    let with = |tokens: u64| format!("{BYPASS}\nbudget = {{ tokens = {tokens}, act = \"hold\" }}");
    let Some(mut home) = Home::of(&[("builder", &with(1000))]) else { return };
    home.house.run();
    let held = |unit: &UnitStatus| {
        unit.state == "waiting" && unit.why == "its budget of 1000 tokens per 24h is spent"
    };
    let unit = home.house.wait_unit("builder", "is held", held);
    assert_eq!((unit.wish.as_str(), unit.pid, unit.restarts.total), ("up", None, 0));
    assert_eq!(unit.next_wake.expect("a time").why, "starts");
    assert_eq!(home.cost("builder").0, 1, "its turn came to its end");
    let told = |home: &Home| {
        let events = home.house.events();
        events.iter().filter(|it| it.starts_with("builder budget-spent")).count()
    };
    assert_eq!(told(&home), 1);
    home.house.end_daemon("KILL");
    home.house.run();
    home.house.wait_unit("builder", "is still held", held);
    assert_eq!(home.api.prompts().len(), 1);
    let (code, why) = home.house.refuses(&["start", "builder"]);
    assert!(code == 1 && why.contains("budget of 1000 tokens"), "{code} {why}");
    home.configure(&[("builder", &with(5_000_000))]);
    home.house.reload();
    let again = home.wait_reading("builder", "idle");
    assert_eq!((again.conversation, again.restarts.total), (unit.conversation, 0));
    assert_eq!(home.api.prompts().len(), 1, "it is told nothing anew");
}

#[test]
fn of_a_transcript_of_200_megabytes_only_the_end_is_read() {
    let Some(mut home) = Home::idle(&["builder"]) else { return };
    home.wait_counted("builder");
    let main = home.transcript(&home.conversation("builder")).expect("a transcript");
    home.house.end_daemon("TERM");
    fs::remove_file(home.house.path("state/usage.json")).expect("what was counted");
    let mut file = BufWriter::new(File::options().append(true).open(&main).expect("ours"));
    let line = format!("{{\"type\":\"file-history-snapshot\",\"x\":\"{}\"}}\n", "x".repeat(65_000));
    (0..3_200).for_each(|_| file.write_all(line.as_bytes()).expect("room"));
    file.into_inner().expect("room");
    let before = answers(&main);
    home.house.run();
    home.house.does(&["tell", "builder", "go on"]);
    home.wait_reading("builder", "idle");
    home.house.wait_unit("builder", "has a turn", |unit| spent(unit).0 == 1);
    let new: u64 = answers(&main)
        .iter()
        .filter(|(id, _)| !before.contains_key(*id))
        .map(|(_, (tokens, _))| tokens)
        .sum();
    home.house.wait_unit("builder", "has counted it", |unit| spent(unit) == (1, new));
    let io = fs::read_to_string(format!("/proc/{}/io", home.house.pid())).expect("of our child");
    let read: u64 =
        io.lines().find_map(|it| it.strip_prefix("rchar: ")?.parse().ok()).expect("a number");
    assert!(read < 100 << 20, "{read} bytes were read");
}
