//! What is broken, missing, full, or not meant for us: it is said, and what can go on goes on.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command};

use crate::house::{House, kill, lives};

const WEB: &str = "[services.web]\ncommand = [\"sleep\", \"1000\"]\n";

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// What was set aside beside a file.
fn aside(house: &House, folder: &str, begin: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(house.path(folder)).expect("the folder").flatten();
    let paths = entries.map(|entry| entry.path());
    let is_it = |path: &PathBuf| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(begin))
    };
    paths.filter(is_it).collect()
}

#[test]
fn a_state_dir_that_cannot_be_written_is_refused_with_its_name() {
    let mut house = House::of_nobody(WEB);
    std::fs::create_dir(house.path("state")).expect("a folder");
    let read_only = std::os::unix::fs::PermissionsExt::from_mode(0o555);
    std::fs::set_permissions(house.path("state"), read_only).expect("ours");
    house.spawn();
    let (code, said) = house.daemon_ends();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&*house.path("state").to_string_lossy()), "{said}");
    assert!(said.contains("make it writable for this user"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn over_a_full_disk_supervision_goes_on_and_what_was_not_saved_is_saved_later() {
    if !is_root() {
        eprintln!("SKIPPED: a small disk needs root");
        return;
    }
    let mut house =
        House::new(&format!("{WEB}[services.other]\ncommand = [\"sleep\", \"1000\"]\n"));
    std::fs::create_dir(house.path("state")).expect("a folder");
    let state = house.path("state").display().to_string();
    // The disk is seen by the daemon and its children alone, and goes with them.
    let mount = "mount -t tmpfs -o size=1m none \"$1\" && shift && exec \"$@\"";
    house.wrap(&["unshare", "--mount", "--", "sh", "-c", mount, "sh", &state]);
    house.run();
    house.wait_up(&["web", "other"]);

    let inside = |name: &str| PathBuf::from(format!("/proc/{}/root{state}/{name}", house.pid()));
    let mut filler = std::fs::File::create(inside("filler")).expect("a file");
    for size in [4096, 64, 1] {
        while filler.write_all(&vec![b'x'; size]).is_ok() {}
    }
    house.does(&["stop", "web"]);
    let status = house.wait("trouble", |status| !status.supervisor.troubles.is_empty());
    let troubles = status.supervisor.troubles.join("\n");
    assert!(troubles.contains("cannot save the wishes"), "{troubles}");
    assert!(troubles.contains("No space left"), "{troubles}");
    assert!(house.does(&["status"]).contains("cannot save the wishes"));
    let before = house.pid_of("other");
    kill(before, "KILL");
    house.wait_unit("other", "is back", |unit| {
        unit.state == "up" && unit.pid.is_some_and(|pid| pid != before)
    });

    drop(filler);
    std::fs::remove_file(inside("filler")).expect("ours");
    house.wait("no more trouble", |status| status.supervisor.troubles.is_empty());
    let saved = std::fs::read_to_string(inside("state.json")).expect("the state");
    let saved: serde_json::Value = serde_json::from_str(&saved).expect("JSON");
    assert_eq!(saved["wishes"]["web"], "down");
}

fn with_state(text: &str) -> House {
    let mut house = House::new(WEB);
    std::fs::create_dir(house.path("state")).expect("a folder");
    house.write("state/state.json", text);
    house.run();
    house
}

fn is_set_aside(text: &str) {
    let house = with_state(text);
    house.wait_up(&["web"]);
    let aside = aside(&house, "state", "state.json.corrupt-");
    assert_eq!(aside.len(), 1, "{aside:?}");
    assert_eq!(std::fs::read_to_string(&aside[0]).expect("a copy"), text);
    assert!(house.said().contains("state.json is corrupt"), "{}", house.said());
    house.does(&["stop", "web"]);
    let saved = std::fs::read_to_string(house.path("state/state.json")).expect("a new one");
    assert!(saved.contains("\"down\""), "{saved}");
}

#[test]
fn a_corrupt_state_is_set_aside_and_every_unit_is_wished_up() {
    is_set_aside("\u{0}\u{1}garbage");
}

#[test]
fn a_truncated_state_is_set_aside_and_every_unit_is_wished_up() {
    is_set_aside("{\"version\":1,\"wishes\":{\"web\":\"do");
}

#[test]
fn an_empty_state_is_set_aside_and_every_unit_is_wished_up() {
    is_set_aside("");
}

#[test]
fn of_a_state_from_the_future_what_is_understood_is_used_and_all_is_kept() {
    let text = "{\"version\":99,\"wishes\":{\"web\":\"down\"},\"moods\":{\"web\":\"blue\"}}";
    let house = with_state(text);
    assert_eq!((&*house.unit("web").wish, &*house.unit("web").state), ("down", "stopped"));
    assert!(house.said().contains("version 99"), "{}", house.said());
    house.does(&["start", "web"]);
    let copies: Vec<String> = aside(&house, "state", "state.json.")
        .into_iter()
        .map(|path| std::fs::read_to_string(path).expect("a copy"))
        .collect();
    assert!(copies.contains(&text.to_owned()), "{copies:?}");
}

#[test]
fn what_a_killed_daemon_left_half_written_is_removed() {
    let mut house = House::running(WEB);
    house.end_daemon("KILL");
    // No pid is that large.
    let left =
        ["state/state.json", "state/logs/web.log", "run/launch/web.json", "run/units/web.json"]
            .map(|name| format!("{name}.tmp-2000000000-0"));
    for name in &left {
        house.write(name, "half");
    }
    house.run();
    for name in &left {
        assert!(!house.path(name).exists(), "{name}");
    }
}

/// A running unit whose record is then changed behind the dead daemon's back.
fn with_record(change: impl FnOnce(&str) -> String) -> (House, i32) {
    let mut house = House::running(WEB);
    house.wait_up(&["web"]);
    let pid = house.pid_of("web");
    house.end_daemon("KILL");
    let record = std::fs::read_to_string(house.path("run/units/web.json")).expect("a record");
    house.write("run/units/web.json", &change(&record));
    house.run();
    (house, pid)
}

#[test]
fn a_unit_whose_record_is_corrupt_is_found_by_its_marks() {
    let (house, pid) = with_record(|_| "garbage".to_owned());
    house.wait_up(&["web"]);
    assert_eq!(house.pid_of("web"), pid);
    assert_eq!(house.inhabitants(), [pid]);
    assert_eq!(aside(&house, "run/units", "web.json.corrupt-").len(), 1);
}

#[test]
fn a_unit_whose_record_is_truncated_is_found_by_its_marks() {
    let (house, pid) = with_record(|text| text[..text.len() / 2].to_owned());
    house.wait_up(&["web"]);
    assert_eq!((house.pid_of("web"), house.inhabitants()), (pid, vec![pid]));
}

#[test]
fn a_unit_whose_record_comes_from_the_future_is_adopted() {
    let (house, pid) = with_record(|text| {
        let mut record: serde_json::Value = serde_json::from_str(text).expect("JSON");
        record["version"] = 99.into();
        record["record"]["mood"] = "blue".into();
        record.to_string()
    });
    house.wait_up(&["web"]);
    assert_eq!((house.pid_of("web"), house.inhabitants()), (pid, vec![pid]));
}

#[test]
fn a_unit_whose_record_is_gone_is_found_by_its_marks() {
    let mut house = House::running(WEB);
    house.wait_up(&["web"]);
    let pid = house.pid_of("web");
    house.end_daemon("KILL");
    std::fs::remove_dir_all(house.path("run")).expect("ours");
    house.run();
    house.wait_up(&["web"]);
    assert_eq!((house.pid_of("web"), house.inhabitants()), (pid, vec![pid]));
    house.does(&["stop", "web"]);
    house.must_be_empty();
}

/// A process that is none of ours.
struct Stranger(Child);

impl Stranger {
    fn new() -> Self {
        Self(Command::new("sleep").arg("1000").spawn().expect("sleep"))
    }

    fn pid(&self) -> i32 {
        self.0.id().cast_signed()
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn spares_a_stranger(mut house: House) {
    house.run();
    house.wait_up(&["web"]);
    let pid = house.pid_of("web");
    house.end_daemon("KILL");
    kill(pid, "KILL");
    house.wait_for("its end", || (!lives(pid)).then_some(()));
    let stranger = Stranger::new();
    let record = std::fs::read_to_string(house.path("run/units/web.json")).expect("a record");
    let mut record: serde_json::Value = serde_json::from_str(&record).expect("JSON");
    record["record"]["process"]["pid"] = stranger.pid().into();
    house.write("run/units/web.json", &record.to_string());
    house.run();
    let unit = house.wait_unit("web", "is up", |unit| unit.state == "up");
    assert_ne!(unit.pid, Some(stranger.pid()));
    assert!(!unit.last_exit.expect("an exit").known);
    assert!(lives(stranger.pid()));
    house.does(&["stop", "web"]);
    assert!(lives(stranger.pid()));
}

#[test]
fn a_pid_that_was_used_again_is_neither_adopted_nor_killed() {
    spares_a_stranger(House::new(WEB));
}

#[test]
fn without_cgroups_a_pid_that_was_used_again_is_neither_adopted_nor_killed() {
    spares_a_stranger(House::of_nobody(WEB));
}

/// A config that `run` and `check-config` must refuse with these words.
fn is_no_config(text: &str, words: &[&str]) {
    let mut house = House::new("");
    house.write("config.toml", text);
    house.spawn();
    let (code, said) = house.daemon_ends();
    assert_eq!(code, Some(78), "{said}");
    let (checked, same) = house.refuses(&["check-config"]);
    assert_eq!(checked, 78, "{same}");
    for word in words {
        assert!(said.contains(word) && same.contains(word), "{word} is not in {said}{same}");
    }
    assert!(!house.path("state").exists());
}

#[test]
fn a_config_that_is_missing_is_said() {
    let mut house = House::new("");
    std::fs::remove_file(house.path("config.toml")).expect("ours");
    house.spawn();
    let (code, said) = house.daemon_ends();
    assert_eq!(code, Some(78));
    assert!(said.contains("config.toml") && said.contains("no such file"), "{said}");
}

#[test]
fn a_config_that_is_no_toml_is_said_with_the_line() {
    is_no_config("[supervisor]\nstate_dir = = 3\n", &["config.toml", "2"]);
}

#[test]
fn a_key_of_the_wrong_type_is_said_with_the_line() {
    let text = "[supervisor]\n\n[services.web]\ncommand = \"sleep 1\"\n";
    is_no_config(text, &["config.toml", "4", "services.web.command"]);
}

#[test]
fn an_unknown_key_is_said_with_the_line_and_the_nearest_one() {
    let text = "[services.web]\ncommand = [\"sleep\", \"1\"]\ndirectry = \"/\"\n";
    is_no_config(text, &["config.toml", "3", "directry", "directory"]);
}

#[test]
fn a_unit_that_is_there_twice_is_said() {
    is_no_config(
        "[services.web]\ncommand = [\"a\"]\n[services.web]\ncommand = [\"b\"]\n",
        &["config.toml", "web"],
    );
    is_no_config(
        "[services.web]\ncommand = [\"a\"]\n[sessions.web]\nagent = \"command\"\ncommand = [\"b\"]\n",
        &["config.toml", "web"],
    );
}

#[test]
fn a_control_socket_left_by_a_dead_one_is_no_obstacle() {
    let mut house = House::new(WEB);
    std::fs::create_dir(house.path("run")).expect("a folder");
    drop(std::os::unix::net::UnixListener::bind(house.path("run/control.sock")).expect("ours"));
    house.run();
    house.wait_up(&["web"]);
    house.end_daemon("KILL");
    assert!(house.path("run/control.sock").exists());
    assert_eq!(house.refuses(&["status"]).0, 3);
    house.run();
    house.wait_up(&["web"]);
}

fn connect(house: &House) -> UnixStream {
    UnixStream::connect(house.path("run/control.sock")).expect("the daemon listens")
}

/// What the daemon says before it hangs up.
fn answer(mut stream: UnixStream) -> String {
    let mut said = String::new();
    // It may hang up before it has read all.
    let _ = stream.read_to_string(&mut said);
    said
}

#[test]
fn garbage_on_the_control_socket_is_refused_in_words() {
    let house = House::running(WEB);
    for garbage in
        ["nonsense\n", "{}\n", "{\"v\":1,\"verb\":\"fly\"}\n", "\0\u{1}\n", "\n", "[1]\n"]
    {
        let mut stream = connect(&house);
        stream.write_all(garbage.as_bytes()).expect("it reads");
        let said = answer(stream);
        assert!(said.contains("not a request"), "{garbage:?}: {said}");
    }
    let mut stream = connect(&house);
    stream.write_all(b"{\"v\":99,\"verb\":\"dance\"}\n").expect("it reads");
    let said = answer(stream);
    assert!(said.contains("speaks version 1"), "{said}");
    house.wait_up(&["web"]);
}

#[test]
fn half_a_line_and_a_huge_one_do_not_disturb() {
    let house = House::running(WEB);
    let mut half = connect(&house);
    half.write_all(b"{\"v\":1,\"ve").expect("it reads");
    let mut hangs_up = connect(&house);
    hangs_up.write_all(b"{\"v\":1").expect("it reads");
    drop(hangs_up);
    let mut huge = connect(&house);
    // It hangs up somewhere in the middle.
    let _ = huge.write_all(&vec![b'x'; 8 << 20]);
    let said = answer(huge);
    assert!(said.is_empty() || said.contains("at most"), "{said}");
    house.does(&["restart", "web"]);
    drop(half);
}

#[test]
fn many_idle_callers_keep_nobody_else_from_the_daemon() {
    let house = House::running(WEB);
    house.wait_up(&["web"]);
    let idle: Vec<UnixStream> = (0..300).map(|_| connect(&house)).collect();
    house.does(&["status"]);
    house.does(&["restart", "web"]);
    drop(idle);
}

#[test]
fn many_watchers_keep_nobody_else_from_the_daemon() {
    let house = House::running(WEB);
    house.wait_up(&["web"]);
    let watcher = |_| {
        let mut stream = connect(&house);
        stream.write_all(b"{\"v\":1,\"verb\":\"status\",\"watch\":true}\n").expect("it reads");
        stream
    };
    let watchers: Vec<UnixStream> = (0..100).map(watcher).collect();
    house.does(&["status"]);
    house.does(&["restart", "web"]);
    drop(watchers);
}

#[test]
fn a_second_daemon_is_refused_with_the_pid_of_the_first() {
    let house = House::running(WEB);
    house.wait_up(&["web"]);
    let pid = house.pid_of("web");
    let (code, said) = house.refuses(&["run"]);
    assert_eq!(code, 1);
    assert!(said.contains(&format!("another supervisor (pid {}) runs on", house.pid())), "{said}");
    assert_eq!(house.pid_of("web"), pid);
    assert_eq!(house.inhabitants(), [pid]);
}

const BOTH: &str = "[services.web]\ncommand = [\"sleep\", \"1000\"]\n\
                    [sessions.shell]\nagent = \"command\"\ncommand = [\"sh\"]\n";

/// Sessions are held and say why; the rest goes on; doctor names the remedy.
fn without_tmux(mut house: House, words: &str) {
    house.run();
    house.wait_up(&["web"]);
    let shell = house.wait_unit("shell", "is held", |unit| unit.state == "held");
    assert!(shell.why.contains(words), "{}", shell.why);
    let (code, said) = house.refuses(&["start", "shell"]);
    assert_eq!((code, said.contains(words)), (1, true), "{said}");
    assert!(house.said().contains("no session can be started"), "{}", house.said());
    let doctor = house.verb(&["doctor"]);
    let said = String::from_utf8_lossy(&doctor.stdout);
    assert_eq!(doctor.status.code(), Some(1), "{said}");
    let line = said.lines().find(|line| line.starts_with("fail: tmux")).expect("a line on tmux");
    assert!(line.contains("install"), "{line}");
}

#[test]
fn a_tmux_that_is_too_old_holds_the_sessions_and_nothing_else() {
    let mut house = House::new(BOTH);
    house.program("bin/tmux", "echo tmux 2.9");
    let path = std::env::var("PATH").expect("a PATH");
    house.set("PATH", &format!("{}:{path}", house.path("bin").display()));
    without_tmux(house, "2.9");
}

#[test]
fn where_there_is_no_tmux_sessions_are_held_and_nothing_else() {
    let mut house = House::new(BOTH);
    std::fs::create_dir(house.path("bin")).expect("a folder");
    for program in ["sleep", "sh"] {
        let target = ["/bin", "/usr/bin", "/run/current-system/sw/bin"]
            .iter()
            .map(|folder| PathBuf::from(folder).join(program))
            .find(|path| path.exists())
            .expect("a program that every machine has");
        std::os::unix::fs::symlink(target, house.path("bin").join(program)).expect("a link");
    }
    house.set("PATH", &house.path("bin").display().to_string());
    without_tmux(house, "tmux");
}
