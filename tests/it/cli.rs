//! The real binary as a person or a script meets it, with a daemon that is only a socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::JoinHandle;

const STATUS: &str = r#"{"v":1,"answer":"status","supervisor":{"pid":7,"version":"0.1.0","since":"2026-01-01T00:00:00Z","boot_id":"5f2c","ready":true,"alive_at":null},"plan":{"phase":null,"phases":[],"done":false,"blocked":false},"reboots":{"count":0,"last":null},"units":[{"name":"web","kind":"service","wish":"up","state":"up","reading":"ready","pid":123,"since":"2026-01-01T00:00:00Z","why":"","next_wake":null,"changed":false,"restarts":{"total":3,"window":0},"conversation":null,"last_exit":null}]}"#;

/// A folder with a configuration whose daemon would live in it.
struct House {
    dir: tempfile::TempDir,
}

impl House {
    fn new() -> Self {
        let house = Self { dir: tempfile::tempdir().expect("a folder") };
        let config = format!(
            "[supervisor]\nstate_dir = {:?}\nruntime_dir = {:?}\n\n\
             [services.web]\ncommand = [\"sleep\", \"infinity\"]\n\n\
             [sessions.shell]\nagent = \"command\"\ncommand = [\"sh\"]\n",
            house.path("state"),
            house.path("run"),
        );
        std::fs::create_dir_all(house.path("state/logs")).expect("a folder");
        std::fs::create_dir(house.path("run")).expect("a folder");
        house.write("config.toml", &config);
        house
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("a file");
    }

    /// A daemon that says `says` to its one caller, hangs up, and gives back the request.
    fn daemon(&self, says: &[&str]) -> JoinHandle<String> {
        let listener = UnixListener::bind(self.path("run/control.sock")).expect("a socket");
        let says = says.join("\n") + "\n";
        std::thread::spawn(move || {
            let (stream, _) = listener.accept().expect("a caller");
            let mut request = String::new();
            BufReader::new(&stream).read_line(&mut request).expect("a request");
            (&stream).write_all(says.as_bytes()).expect("the caller listens");
            request
        })
    }

    /// A daemon that says one thing to each of its callers, and gives back their requests.
    fn daemon_of<const N: usize>(&self, says: [&str; N]) -> JoinHandle<Vec<String>> {
        let listener = UnixListener::bind(self.path("run/control.sock")).expect("a socket");
        let says = says.map(|line| format!("{line}\n"));
        std::thread::spawn(move || {
            let answer = |line: String| {
                let (stream, _) = listener.accept().expect("a caller");
                let mut request = String::new();
                BufReader::new(&stream).read_line(&mut request).expect("a request");
                (&stream).write_all(line.as_bytes()).expect("the caller listens");
                request
            };
            says.into_iter().map(answer).collect()
        })
    }

    fn supervisor(&self, words: &[&str]) -> Command {
        let mut command = supervisor(words);
        command.env("SUPERVISOR_CONFIG", self.path("config.toml"));
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.supervisor(words).output().expect("it runs")
    }
}

fn supervisor(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_supervisor"));
    command.args(words).stdin(Stdio::null()).env_remove("SUPERVISOR_CONFIG").env("TZ", "UTC");
    command
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn fails(output: &Output, code: i32, says: &str) {
    assert_eq!(output.status.code(), Some(code), "{}{}", out(output), err(output));
    assert!(err(output).contains(says), "{}", err(output));
    if code != 2 {
        assert!(err(output).lines().count() <= 1, "more than one line: {}", err(output));
    }
}

#[track_caller]
fn succeeds(output: &Output) -> String {
    assert!(output.status.success(), "{:?} {}", output.status, err(output));
    out(output)
}

#[test]
fn what_means_nothing_is_a_usage_error() {
    let house = House::new();
    for words in [
        &[][..],
        &["fly"],
        &["start"],
        &["stop", "--all", "web"],
        &["status", "--colour"],
        &["check", "--max-age", "soon"],
        &["logs", "-n", "few"],
        &["tell", "shell", ""],
        &["logs", "web", "--screen"],
        &["logs", "shell", "-f"],
        &["logs", "--json"],
    ] {
        fails(&house.run(words), 2, "");
    }
}

#[test]
fn no_daemon_is_said_so_by_every_verb_that_needs_one() {
    let house = House::new();
    let words = "no supervisor is running for ";
    for verb in [
        &["status"][..],
        &["status", "--watch"],
        &["status", "--json"],
        &["start", "web"],
        &["stop", "--all"],
        &["restart", "web"],
        &["drain"],
        &["reload"],
        &["attach", "shell"],
        &["tell", "shell", "hi"],
        &["logs", "shell", "--screen"],
    ] {
        fails(&house.run(verb), 3, words);
    }
    let socket = house.path("run/control.sock");
    let said = err(&house.run(&["status"]));
    assert!(said.contains(&format!("(tried {})", socket.display())), "{said}");
}

#[test]
fn a_missing_or_wrong_configuration_is_one_of_its_own() {
    let house = House::new();
    fails(&house.run(&["status", "--config", "/nowhere/config.toml"]), 78, "/nowhere/config.toml");
    house.write("bad.toml", "[supervisor\n");
    let bad = house.path("bad.toml");
    let output = house.run(&["check-config", bad.to_str().expect("text")]);
    assert_eq!(output.status.code(), Some(78));
    assert!(err(&output).contains("bad.toml"), "{}", err(&output));
}

#[test]
fn a_good_configuration_is_counted() {
    let house = House::new();
    let said = succeeds(&house.run(&["check-config"]));
    assert!(said.starts_with("ok: ") && said.contains(": 1 service, 1 session\n"), "{said}");
}

#[test]
fn reserved_verbs_say_so_and_a_hook_never_fails() {
    for verb in ["nanoclaw", "incident", "host"] {
        let output = supervisor(&[verb, "--odd", "x"]).output().expect("it runs");
        fails(&output, 1, &format!("`{verb}` comes with a later version"));
    }
    let hook = supervisor(&["hook", "--whatever"]).output().expect("it runs");
    assert_eq!((succeeds(&hook), err(&hook)), (String::new(), String::new()));
    let help = succeeds(&supervisor(&["--help"]).output().expect("it runs"));
    assert!(!help.contains("nanoclaw") && !help.contains("\n  hook"), "{help}");
}

#[test]
fn the_status_is_a_plain_table_in_a_pipe() {
    let house = House::new();
    let daemon = house.daemon(&[STATUS]);
    let said = succeeds(&house.run(&["status"]));
    let row = said.lines().last().expect("a line");
    assert!(row.starts_with("web   service  up     ready    123  "), "{said}");
    assert!(!said.contains('\x1b'));
    let asked = daemon.join().expect("it ended");
    assert_eq!(asked, "{\"v\":1,\"verb\":\"status\",\"watch\":false}\n");
}

#[test]
fn the_status_as_json_is_what_the_protocol_says() {
    let house = House::new();
    let daemon = house.daemon(&[STATUS]);
    let said: serde_json::Value =
        serde_json::from_str(&succeeds(&house.run(&["status", "--json"]))).expect("JSON");
    assert_eq!(said["units"][0]["restarts"]["total"], 3);
    assert_eq!(said["supervisor"]["pid"], 7);
    assert!(said.get("answer").is_none() && said.get("v").is_none(), "{said}");
    daemon.join().expect("it ended");
}

#[test]
fn a_watched_status_is_a_line_for_each_change_until_the_daemon_goes() {
    let house = House::new();
    let daemon = house.daemon(&[STATUS, &STATUS.replace("\"up\",\"reading", "\"held\",\"reading")]);
    let output = house.run(&["status", "--watch", "--json"]);
    fails(&output, 1, "the supervisor has gone");
    let states: Vec<String> = out(&output)
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"))
        .map(|status| status["units"][0]["state"].to_string())
        .collect();
    assert_eq!(states, ["\"up\"", "\"held\""]);
    daemon.join().expect("it ended");
}

#[test]
fn start_tells_what_became_of_each_unit() {
    let house = House::new();
    let daemon =
        house.daemon(&[r#"{"v":1,"answer":"done","notes":{"web":"up, pid 9","api":"was up"}}"#]);
    assert_eq!(succeeds(&house.run(&["start", "web", "api"])), "api  was up\nweb  up, pid 9\n");
    assert_eq!(
        daemon.join().expect("it ended"),
        "{\"v\":1,\"verb\":\"start\",\"units\":[\"web\",\"api\"],\"all\":false}\n"
    );
}

#[test]
fn a_refused_start_fails_with_the_daemons_words() {
    let house = House::new();
    let daemon = house.daemon(&[r#"{"v":1,"answer":"failed","why":"web: command not found"}"#]);
    fails(&house.run(&["start", "web"]), 1, "web: command not found");
    daemon.join().expect("it ended");
}

#[test]
fn an_unknown_unit_is_answered_with_the_nearest() {
    let house = House::new();
    let daemon =
        house.daemon(&[r#"{"v":1,"answer":"no_such_unit","unit":"wep","known":["api","web"]}"#]);
    fails(&house.run(&["restart", "wep"]), 4, "did you mean web? There are: api, web");
    daemon.join().expect("it ended");
    fails(&house.run(&["logs", "../../etc/passwd"]), 4, "no unit is called");
}

#[test]
fn a_newer_daemon_and_a_garbled_one_are_told_apart() {
    for (says, part) in [
        (r#"{"v":2,"answer":"marvellous"}"#, "speaks version 2 of the protocol"),
        ("HTTP/1.1 400 Bad Request", "makes no sense"),
        ("", "makes no sense"),
    ] {
        let house = House::new();
        let daemon = house.daemon(&[says]);
        fails(&house.run(&["status"]), 1, part);
        daemon.join().expect("it ended");
    }
}

#[test]
fn reload_names_this_binary_and_this_configuration() {
    let house = House::new();
    let after = STATUS.replace("\"pid\":7,", "\"pid\":7,\"image\":2,");
    let daemon = house.daemon_of([STATUS, r#"{"v":1,"answer":"done"}"#, STATUS, &after]);
    let said = succeeds(&house.run(&["reload"]));
    assert_eq!(said, "reloaded: version 0.1.0, still pid 7\n");
    let asked = daemon.join().expect("it ended");
    let asked: serde_json::Value = serde_json::from_str(&asked[1]).expect("JSON");
    assert_eq!(asked["config"], house.path("config.toml").to_str().expect("text"));
    let binary = asked["binary"].as_str().expect("a path");
    assert!(Path::new(binary).is_absolute() && binary.ends_with("supervisor"), "{binary}");
}

#[test]
fn check_is_quiet_about_the_well_and_loud_about_the_rest() {
    let house = House::new();
    let daemon = house.daemon(&[STATUS]);
    assert_eq!(succeeds(&house.run(&["check"])), "ok: 1 unit up\n");
    daemon.join().expect("it ended");

    let house = House::new();
    let stale = STATUS
        .replace("\"alive_at\":null", "\"alive_at\":\"2026-01-01T00:00:00Z\"")
        .replace("\"up\",\"reading", "\"given_up\",\"reading");
    let daemon = house.daemon(&[&stale]);
    let output = house.run(&["check"]);
    fails(&output, 1, "");
    let said = out(&output);
    assert!(said.starts_with("supervisor:  its loop last came round "), "{said}");
    assert!(said.ends_with("web:         given up, wished up\n"), "{said}");
    daemon.join().expect("it ended");

    let house = House::new();
    let output = house.run(&["check"]);
    fails(&output, 1, "");
    assert!(out(&output).contains("no supervisor is running"), "{}", out(&output));
}

#[test]
fn logs_are_read_with_the_daemon_dead() {
    let house = House::new();
    house.write("state/logs/web.log", "one\ntwo\nthree\n");
    house.write("state/logs/shell.log", "the last screen of the dead\n");
    house.write("state/logs/supervisor.log", "own\n");
    house.write("state/logs/gone.log", "of a unit that is no longer configured\n");
    assert_eq!(succeeds(&house.run(&["logs", "web", "-n", "2"])), "two\nthree\n");
    assert_eq!(succeeds(&house.run(&["logs", "web", "-n", "all"])), "one\ntwo\nthree\n");
    assert_eq!(succeeds(&house.run(&["logs", "shell"])), "the last screen of the dead\n");
    assert_eq!(succeeds(&house.run(&["logs"])), "own\n");
    assert!(succeeds(&house.run(&["logs", "gone"])).starts_with("of a unit"));
}

#[test]
fn a_session_is_read_from_its_dead_to_its_living_pane() {
    let house = House::new();
    house.write("state/logs/shell.log", "dead 1\ndead 2\n");
    let daemon = house.daemon(&[r#"{"v":1,"answer":"screen","text":"live 1\nlive 2\n\n\n"}"#]);
    assert_eq!(succeeds(&house.run(&["logs", "shell", "-n", "3"])), "dead 2\nlive 1\nlive 2\n");
    let asked = daemon.join().expect("it ended");
    assert_eq!(asked, "{\"v\":1,\"verb\":\"screen\",\"unit\":\"shell\",\"history\":true}\n");
}

#[test]
fn of_a_session_that_is_down_the_dead_are_shown_all_the_same() {
    let house = House::new();
    house.write("state/logs/shell.log", "dead\n");
    let daemon = house.daemon(&[r#"{"v":1,"answer":"failed","why":"shell has no pane"}"#]);
    let output = house.run(&["logs", "shell"]);
    assert_eq!(succeeds(&output), "dead\n");
    assert_eq!(err(&output), "supervisor: only the dead are shown: shell has no pane\n");
    daemon.join().expect("it ended");
}

#[test]
fn a_followed_log_goes_on_with_what_is_added() {
    let house = House::new();
    house.write("state/logs/web.log", "one\n");
    let mut following =
        house.supervisor(&["logs", "web", "-f"]).stdout(Stdio::piped()).spawn().expect("it runs");
    let mut reader = BufReader::new(following.stdout.take().expect("a pipe"));
    let mut line = String::new();
    reader.read_line(&mut line).expect("a line");
    let mut log = std::fs::File::options()
        .append(true)
        .open(house.path("state/logs/web.log"))
        .expect("a file");
    log.write_all(b"two\n").expect("it is written");
    reader.read_line(&mut line).expect("a line");
    assert_eq!(line, "one\ntwo\n");
    following.kill().expect("it was alive");
    following.wait().expect("it ended");
}

#[test]
fn a_reader_who_has_had_enough_is_no_failure() {
    let house = House::new();
    house.write("state/logs/web.log", &"a line of some length\n".repeat(100_000));
    let mut child = house
        .supervisor(&["logs", "web", "-n", "all"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut first = [0; 6];
    child.stdout.take().expect("a pipe").read_exact(&mut first).expect("some bytes");
    let output = child.wait_with_output().expect("it ended");
    assert_eq!((output.status.code(), err(&output)), (Some(0), String::new()));
}

#[test]
fn events_are_a_table_for_people_and_raw_for_programs() {
    let house = House::new();
    let line = r#"{"at":"2026-01-01T00:00:00Z","unit":"web","event":"exited","why":"killed"}"#;
    house.write("state/events.jsonl", &format!("{line}\n"));
    let said = succeeds(&house.run(&["events"]));
    assert_eq!(said, "Jan 01 00:00:00  web           exited           killed\n");
    assert_eq!(succeeds(&house.run(&["events", "--json"])), format!("{line}\n"));
}

#[test]
fn init_writes_a_valid_configuration_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let to = dir.path().join("new");
    let to = to.to_str().expect("text");
    let said = succeeds(&supervisor(&["init", to]).output().expect("it runs"));
    assert!(said.contains("/new/config.toml"), "{said}");
    let file = format!("{to}/config.toml");
    std::fs::write(&file, "mine").expect("it is ours");
    let again = supervisor(&["init", to]).output().expect("it runs");
    fails(&again, 1, &format!("{file} exists and is left as it is"));
    assert_eq!(std::fs::read_to_string(&file).expect("it is there"), "mine");
}

#[test]
fn completions_and_manual_pages_know_the_verbs() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let said = succeeds(&supervisor(&["completions", shell]).output().expect("it runs"));
        assert!(said.contains("check-config"), "{shell}");
    }
    let page = succeeds(&supervisor(&["man"]).output().expect("it runs"));
    assert!(page.contains(".TH"), "{page}");
    let dir = tempfile::tempdir().expect("a folder");
    let to = dir.path().join("man1");
    succeeds(&supervisor(&["man", to.to_str().expect("text")]).output().expect("it runs"));
    assert!(to.join("supervisor.1").exists() && to.join("supervisor-status.1").exists());
    assert!(!to.join("supervisor-nanoclaw.1").exists());
}

#[test]
fn doctor_fails_for_what_is_missing_and_never_shows_a_secret() {
    let house = House::new();
    house.write("secrets.env", "TOKEN=hunter2\n");
    let config = std::fs::read_to_string(house.path("config.toml")).expect("a file");
    let more =
        "[services.api]\ncommand = [\"no-such-program\"]\nenvironment_file = \"secrets.env\"\n";
    house.write("config.toml", &format!("{config}\n{more}"));
    let output = house.run(&["doctor"]);
    fails(&output, 1, "");
    let said = out(&output);
    assert!(said.contains("fail: api: no-such-program is not on its PATH; install it"), "{said}");
    assert!(said.contains("ok: state_dir: "), "{said}");
    assert!(said.contains("does not run"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");

    let output = house.run(&["doctor", "--json"]);
    let checks: serde_json::Value = serde_json::from_str(&out(&output)).expect("JSON");
    let checks = checks.as_array().expect("a list");
    assert!(checks.iter().any(|check| check["name"] == "api" && check["verdict"] == "fail"));
}

#[test]
fn doctor_says_what_is_wrong_with_the_configuration() {
    let house = House::new();
    house.write("config.toml", "[supervisor\n");
    let output = house.run(&["doctor"]);
    fails(&output, 1, "");
    assert!(out(&output).starts_with("fail: configuration: "), "{}", out(&output));
}
