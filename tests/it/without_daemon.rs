//! What the command line can tell of agent sessions with no daemon at all: the reading of a captured
//! pane, the checks of `doctor`, the transcript as text. The agent is a script that answers what the
//! real one answers.

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use crate::house::House;

const SCREENS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/screens");
const CONVERSATION: &str = include_str!("../transcripts/conversation.jsonl");
const SHOWN: &str = include_str!("../transcripts/conversation.txt");
const SECRET: &str = "hunter2-and-so-on";

/// Says its version and its login.
const AGENT: &str = r#"case "$1" in
--version) echo "$AGENT_VERSION (Claude Code)" ;;
auth) echo "{\"loggedIn\": $AGENT_LOGGED_IN, \"authMethod\": \"claude.ai\", \"loginExpiresAt\": $AGENT_EXPIRES}"
    echo "the key is $ANTHROPIC_API_KEY" >&2; [ "$AGENT_LOGGED_IN" = true ] || exit 1 ;;

esac"#;

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn read(house: &House, words: &[&str], pane: &str) -> Output {
    let mut command = house.command(&[&["read-screen"], words].concat());
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(pane.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_captured_pane_is_read_from_a_file_and_from_standard_input_without_a_configuration() {
    let house = House::new("");
    fs::remove_file(house.path("config.toml")).expect("the configuration");
    let file = format!("{SCREENS}/02_first_dialog.txt");
    let from_file = house.does(&["read-screen", "--agent", "claude", &file]);
    let pane = fs::read_to_string(&file).expect("a capture");
    let from_stdin = out(&read(&house, &["--agent", "claude", "--json"], &pane));
    assert_eq!(from_file, from_stdin);
    assert_eq!(from_file.lines().count(), 1, "{from_file}");
    let reading: serde_json::Value = serde_json::from_str(&from_file).expect("JSON");
    assert_eq!(reading["reading"], "dialog");
    let why = reading["why"].as_str().expect("the evidence");
    assert!(why.contains("hasTrustDialogAccepted") && why.contains("/srv/agents/work/p1"), "{why}");
}

#[test]
fn a_plain_command_reads_idle_and_an_empty_pane_is_unknown() {
    let house = House::new("");
    for (agent, pane, reading) in [
        ("command", "$ esc to interrupt", "idle"),
        ("command", " \n\n", "unknown"),
        ("claude", "\n", "unknown"),
        ("claude", "\u{0}\u{1b}[", "unknown"),
    ] {
        let said = out(&read(&house, &["--agent", agent], pane));
        let said: serde_json::Value = serde_json::from_str(&said).expect("JSON");
        assert_eq!(said["reading"], reading, "{agent} {pane:?}");
    }
}

#[test]
fn an_agent_that_cannot_be_read_is_answered_with_those_that_can() {
    let house = House::new("");
    for agent in ["codec", "clade", ""] {
        let output = read(&house, &["--agent", agent], "");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("claude, codex, gemini, opencode, command"), "{said}");
    }
    let (code, said) = house.refuses(&["read-screen", "--agent", "claude", "no-such-file"]);
    assert!(code == 1 && said.contains("no-such-file"), "{said}");
}

/// A house with an agent session whose program is a script, and no daemon.
fn with_an_agent(version: &str, logged_in: bool, expires: &str) -> House {
    let house = House::new("");
    house.program("bin/claude", AGENT);
    fs::create_dir_all(house.path("home/.claude")).expect("a folder");
    fs::create_dir_all(house.path("clone")).expect("a folder");
    house.write("prompt.md", "Build it.");
    house.write("secrets.env", &format!("ANTHROPIC_API_KEY={SECRET}\n"));
    house.configure(&format!(
        "[sessions.builder]\nagent = \"claude\"\nprompt_file = \"prompt.md\"\npath = [{:?}]\n\
         directory = {:?}\nenvironment_file = \"secrets.env\"\n\
         [sessions.builder.environment]\nHOME = {:?}\nAGENT_VERSION = \"{version}\"\n\
         AGENT_LOGGED_IN = \"{logged_in}\"\nAGENT_EXPIRES = '{expires}'\n",
        house.path("bin"),
        house.path("clone"),
        house.path("home"),
    ));
    house
}

fn doctor(house: &House) -> String {
    let output = house.verb(&["doctor"]);
    let said = out(&output) + &String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains(SECRET), "{said}");
    said
}

#[test]
fn doctor_finds_an_agent_in_the_units_own_path_and_all_that_it_needs() {
    let house = with_an_agent("2.1.330", true, "\"2100-01-01T00:00:00.000Z\"");
    let said = doctor(&house);
    for line in [
        "ok: builder: version: 2.1.330 (",
        "ok: builder: login: by claude.ai, until 2100-01-01T00:00:00Z",
        "ok: builder: state: ",
        "will be added at its first start: ",
        "ok: builder: prompt_file: ",
    ] {
        assert!(said.contains(line), "{line:?} in {said}");
    }
    assert!(said.contains("hasTrustDialogAccepted"), "{said}");
    assert!(!house.path("home/.claude.json").exists(), "doctor changes nothing");
}

#[test]
fn doctor_names_an_agent_that_somebody_started_by_hand_where_a_session_works() {
    let house = with_an_agent("2.1.330", true, "null");
    assert!(doctor(&house).contains("nothing else does the sessions' work"));
    house.program("hand/claude", "read -r line");
    // In a terminal of its own.
    let line = format!("exec {} --resume the-one", house.path("hand/claude").display());
    let mut hand = Command::new("script");
    let hand = hand.args(["-qec", &line, "/dev/null"]).current_dir(house.path("clone"));
    let mut hand = hand.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it runs");
    let said = house.wait_for("the agent to be seen", || {
        let said = doctor(&house);
        said.contains("started by hand").then_some(said)
    });
    assert!(said.contains("which is builder's") && said.contains("builder takes over"), "{said}");
    hand.kill().expect("it is ours");
    hand.wait().expect("it ends");
}

#[test]
fn doctor_warns_of_a_version_that_was_never_tried_and_of_a_login_that_ends_soon() {
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(48);
    let said = doctor(&with_an_agent("9.9.9", true, &format!("\"{soon}\"")));
    assert!(said.contains("warn: builder: version: 9.9.9 ("), "{said}");
    assert!(said.contains("warn: builder: login: by claude.ai, expires at "), "{said}");
}

#[test]
fn doctor_fails_for_an_agent_without_a_login_and_for_a_prompt_that_does_not_fit() {
    let house = with_an_agent("2.1.330", false, "null");
    house.write("prompt.md", &"x".repeat(131_072));
    let said = doctor(&house);
    assert!(said.contains("fail: builder: login: it is not logged in; log in by hand"), "{said}");
    assert!(said.contains("has 131072 bytes, of at most 131071"), "{said}");
    assert_eq!(house.verb(&["doctor"]).status.code(), Some(1));

    let house = with_an_agent("2.1.330", true, "\"2020-01-01T00:00:00Z\"");
    house.write("home/.claude.json", "{ half");
    fs::remove_file(house.path("prompt.md")).expect("the prompt");
    let said = doctor(&house);
    assert!(said.contains("fail: builder: login: by claude.ai, expired at 2020-01-01"), "{said}");
    assert!(said.contains("fail: builder: start dialogs: "), "{said}");
    assert!(said.contains("fail: builder: prompt_file: "), "{said}");
}

/// The folder in which the agent keeps the transcripts of the clone.
fn transcripts(house: &House) -> std::path::PathBuf {
    let clone = house.path("clone").canonicalize().expect("the clone");
    let dashed: String = clone
        .to_string_lossy()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let folder = house.path("home/.claude/projects").join(dashed);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

#[test]
fn logs_of_an_agent_session_are_its_transcript_as_text() {
    let house = with_an_agent("2.1.330", true, "null");
    assert_eq!(house.does(&["logs", "builder"]), "", "nothing was said yet");
    let file = transcripts(&house).join("4f610adc-d309-4019-989a-355fc307b9d9.jsonl");
    fs::write(&file, CONVERSATION).expect("a transcript");
    assert_eq!(house.does(&["logs", "builder", "-n", "all"]), SHOWN);
    let last = |lines: usize| {
        let lines: Vec<_> = SHOWN.split_inclusive('\n').rev().take(lines).collect();
        lines.into_iter().rev().collect::<String>()
    };
    for lines in [0, 1, 2, 7, 40] {
        let said = house.does(&["logs", "builder", "-n", &lines.to_string()]);
        assert_eq!(said, last(lines), "the last {lines}");
    }
    assert_eq!(house.does(&["logs", "builder"]), last(200));
}

#[test]
fn the_newest_transcript_of_the_directory_is_shown_where_nobody_knows_the_conversation() {
    let house = with_an_agent("2.1.330", true, "null");
    let folder = transcripts(&house);
    let prompt = |text: &str| {
        format!("{{\"type\":\"user\",\"message\":{{\"role\":\"user\",\"content\":\"{text}\"}}}}\n")
    };
    for (age, name) in [(30, "old"), (10, "new"), (20, "between")] {
        let file = fs::File::create(folder.join(format!("{name}.jsonl"))).expect("a transcript");
        (&file).write_all(prompt(name).as_bytes()).expect("a prompt");
        let changed = std::time::SystemTime::now() - std::time::Duration::from_secs(age);
        file.set_modified(changed).expect("its time");
    }
    let elsewhere = house.path("home/.claude/projects/-elsewhere");
    fs::create_dir_all(&elsewhere).expect("a folder");
    fs::write(elsewhere.join("newest.jsonl"), prompt("elsewhere")).expect("a transcript");
    assert_eq!(house.does(&["logs", "builder"]), "user: new\n");
}

#[test]
fn what_is_added_to_a_transcript_is_followed() {
    let house = with_an_agent("2.1.330", true, "null");
    let file = transcripts(&house).join("a.jsonl");
    let (first, rest) = CONVERSATION.split_at(CONVERSATION.len() / 2);
    fs::write(&file, first).expect("a transcript");
    let mut child = house
        .command(&["logs", "builder", "-n", "all", "-f"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut said = std::io::BufReader::new(child.stdout.take().expect("its output"));
    let mut lines = SHOWN.lines().map(str::to_owned);
    let mut next = || {
        use std::io::BufRead as _;
        let mut line = String::new();
        said.read_line(&mut line).expect("a line");
        assert_eq!(Some(line.trim_end_matches('\n')), lines.next().as_deref());
    };
    next();
    // Half a record was there when it began.
    let mut transcript = fs::OpenOptions::new().append(true).open(&file).expect("the transcript");
    for piece in rest.as_bytes().chunks(1000) {
        transcript.write_all(piece).expect("it is written");
    }
    let left = SHOWN.lines().count() - 1;
    for _ in 0..left {
        next();
    }
    child.kill().expect("it follows");
    child.wait().expect("it ends");
}
