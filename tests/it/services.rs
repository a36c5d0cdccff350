//! Services: started, ready, killed, brought back, stopped, changed, taken out of the config.

use crate::house::{House, kill, lives};

const SLEEPS: &str = "[services.web]\ncommand = [\"sleep\", \"1000\"]\n";

/// Restarts that never tire.
const TIRELESS: &str = "[restart]\nbackoff = { from = \"1ms\", to = \"1ms\" }\n\
                        crash_loop = { starts = 10000, within = \"15m\", retry = \"30m\" }\n\
                        cap = { restarts = 10000, within = \"1m\" }\n";

/// A service of this shell script.
fn script(name: &str, script: &str, keys: &str) -> String {
    format!("[services.{name}]\ncommand = [\"sh\", \"-c\", '''{script}''']\n{keys}\n")
}

fn is_another(before: i32) -> impl Fn(&agent_supervisor::protocol::UnitStatus) -> bool {
    move |unit| unit.state == "up" && unit.pid.is_some_and(|pid| pid != before)
}

#[test]
fn a_killed_service_comes_back_with_another_pid_and_its_exit_is_known() {
    let house = House::running(SLEEPS);
    house.wait_up(&["web"]);
    let before = house.pid_of("web");
    kill(before, "KILL");
    let after = house.wait_unit("web", "is back", is_another(before));
    assert_eq!(after.restarts.total, 1);
    let exit = after.last_exit.expect("an exit");
    assert_eq!((exit.known, exit.signal.as_deref()), (true, Some("KILL")));
}

fn lives_on_and_is_adopted(mut house: House) {
    house.run();
    house.wait_up(&["web"]);
    let pid = house.pid_of("web");
    house.end_daemon("KILL");
    assert!(lives(pid));
    house.run();
    assert_eq!(house.pid_of("web"), pid);
    assert_eq!(house.unit("web").restarts.total, 0);
    // Its end is noticed although it is nobody's child here.
    kill(pid, "KILL");
    let after = house.wait_unit("web", "is back", is_another(pid));
    assert_eq!(after.restarts.total, 1);
    house.does(&["stop", "web"]);
    house.must_be_empty();
}

#[test]
fn a_killed_daemon_leaves_its_units_and_the_next_one_adopts_them() {
    lives_on_and_is_adopted(House::new(SLEEPS));
}

#[test]
fn without_cgroups_a_killed_daemon_leaves_its_units_and_the_next_one_adopts_them() {
    lives_on_and_is_adopted(House::of_nobody(SLEEPS));
}

#[test]
fn a_daemon_that_is_asked_to_leave_leaves_its_units_too() {
    let mut house = House::running(SLEEPS);
    house.wait_up(&["web"]);
    let pid = house.pid_of("web");
    for signal in ["TERM", "INT"] {
        house.end_daemon(signal);
        assert!(lives(pid));
        house.run();
        assert_eq!(house.pid_of("web"), pid);
    }
}

fn survives_twenty_kills(mut house: House) {
    house.run();
    house.wait_up(&["web"]);
    for round in 0..20 {
        let before = house.pid_of("web");
        match round % 4 {
            // The daemon is there, and sees it.
            0 | 1 => kill(before, "KILL"),
            // The daemon is killed right after it.
            2 => {
                kill(before, "KILL");
                house.end_daemon("KILL");
                house.run();
            }
            // The daemon was dead before it.
            _ => {
                house.end_daemon("KILL");
                kill(before, "KILL");
                house.run();
            }
        }
        let after = house.wait_unit("web", "is back", is_another(before));
        assert_eq!(house.inhabitants(), [after.pid.expect("a pid")], "round {round}");
    }
}

#[test]
fn twenty_kills_of_the_unit_and_of_the_daemon_leave_one_process_and_no_more() {
    survives_twenty_kills(House::new(&format!("{SLEEPS}{TIRELESS}")));
}

#[test]
fn without_cgroups_twenty_kills_leave_one_process_and_no_more_either() {
    survives_twenty_kills(House::of_nobody(&format!("{SLEEPS}{TIRELESS}")));
}

const WAITS_FOR_GO: &str = "while [ ! -e go ]; do sleep 0.02; done";

#[test]
fn a_service_is_starting_until_its_log_says_that_it_is_ready() {
    let text = format!("echo warming up; {WAITS_FOR_GO}; echo now ready to serve; exec sleep 1000");
    let keys = "ready = { log = \"ready to serve\", within = \"10m\" }";
    let house = House::running(&script("web", &text, keys));
    let unit = house.wait_unit("web", "runs", |unit| unit.pid.is_some());
    assert_eq!((&*unit.state, &*unit.reading), ("starting", "unready"));
    house.write("go", "");
    let after = house.wait_unit("web", "is ready", |unit| unit.state == "up");
    assert_eq!((&*after.reading, after.pid), ("ready", unit.pid));
}

#[test]
fn a_service_that_never_says_it_is_ready_is_restarted_and_then_given_up() {
    let keys = "ready = { log = \"ready\", within = \"300ms\" }\nstop_grace = \"1s\"\n\
                restart.backoff = { from = \"10ms\", to = \"20ms\" }\n\
                restart.crash_loop = { starts = 3, within = \"15m\", retry = \"never\" }";
    let house = House::running(&script("web", "echo up; exec sleep 1000", keys));
    let unit = house.wait_unit("web", "is given up", |unit| unit.state == "given_up");
    assert!(unit.why.contains("not ready within 300ms"), "{}", unit.why);
    assert_eq!(unit.restarts.total, 2);
    house.must_be_empty();
    assert_eq!(house.log("web").lines().count(), 3);
}

#[test]
fn a_ready_line_that_the_killed_daemon_did_not_see_is_seen_by_the_next() {
    let text = format!("{WAITS_FOR_GO}; echo ready; exec sleep 1000");
    let keys = "ready = { log = \"ready\", within = \"10m\" }";
    let mut house = House::running(&script("web", &text, keys));
    let pid = house.wait_unit("web", "runs", |unit| unit.pid.is_some()).pid;
    kill(house.pid(), "STOP");
    house.write("go", "");
    house.wait_for("the line", || house.log("web").contains("ready").then_some(()));
    house.end_daemon("KILL");
    house.run();
    let after = house.wait_unit("web", "is ready", |unit| unit.state == "up");
    assert_eq!((after.pid, after.restarts.total), (pid, 0));
}

/// Two words: known, or honestly not.
fn is_seven_or_unknown(unit: &agent_supervisor::protocol::UnitStatus) -> bool {
    let exit = unit.last_exit.as_ref().expect("an exit");
    match exit.known {
        true => (exit.code, exit.signal.as_deref()) == (Some(7), None),
        false => (exit.code, exit.signal.as_deref()) == (None, None),
    }
}

#[test]
fn how_an_adopted_service_ended_is_known_or_said_to_be_unknown() {
    let text = format!("{WAITS_FOR_GO}; rm go; exit 7");
    let mut house = House::running(&format!("{}{TIRELESS}", script("web", &text, "")));
    house.wait_up(&["web"]);
    let pid = house.pid_of("web");
    house.end_daemon("KILL");
    house.run();
    house.write("go", "");
    let after = house.wait_unit("web", "is back", is_another(pid));
    assert!(is_seven_or_unknown(&after), "{after:?}");
    assert_eq!(after.restarts.total, 1);
}

#[test]
fn how_a_service_ended_while_nobody_watched_is_known_or_said_to_be_unknown() {
    let text = format!("{WAITS_FOR_GO}; rm go; exit 7");
    let mut house = House::running(&format!("{}{TIRELESS}", script("web", &text, "")));
    house.wait_up(&["web"]);
    let pid = house.pid_of("web");
    house.end_daemon("KILL");
    house.write("go", "");
    house.wait_for("its end", || (!lives(pid)).then_some(()));
    house.run();
    let after = house.wait_unit("web", "is back", is_another(pid));
    assert!(is_seven_or_unknown(&after), "{after:?}");
    assert_eq!(after.restarts.total, 1);
}

#[test]
fn the_exit_code_of_a_service_is_shown() {
    let text = format!("{WAITS_FOR_GO}; rm go; exit 7");
    let house = House::running(&script("web", &text, ""));
    house.wait_up(&["web"]);
    let pid = house.pid_of("web");
    house.write("go", "");
    let after = house.wait_unit("web", "is back", is_another(pid));
    let exit = after.last_exit.expect("an exit");
    assert_eq!((exit.known, exit.code, exit.signal), (true, Some(7), None));
}

#[test]
fn a_service_that_exits_at_once_for_ever_is_given_up_and_start_brings_it_back() {
    let keys = "restart.backoff = { from = \"1ms\", to = \"1ms\" }\n\
                restart.crash_loop = { starts = 4, within = \"15m\", retry = \"1h\" }";
    let text = "[ -e go ] || { echo no go; exit 3; }; exec sleep 1000";
    let mut house = House::running(&script("web", text, keys));
    let unit = house.wait_unit("web", "is given up", |unit| unit.state == "given_up");
    assert!(unit.why.contains("crash loop: exited with 3"), "{}", unit.why);
    assert!(unit.next_wake.is_some_and(|wake| wake.why.contains("tries again")));
    assert_eq!(house.log("web").lines().count(), 4);

    // A new daemon does not forget.
    house.end_daemon("KILL");
    house.run();
    assert_eq!(house.unit("web").state, "given_up");
    assert_eq!(house.log("web").lines().count(), 4);

    house.write("go", "");
    house.does(&["start", "web"]);
    let unit = house.unit("web");
    assert_eq!((&*unit.state, unit.restarts.window), ("up", 0));
}

fn a_deaf_service_ends(mut house: House) {
    house.run();
    house.wait_for("its word", || house.log("web").contains("deaf").then_some(()));
    house.does(&["stop", "web"]);
    let unit = house.unit("web");
    assert_eq!((&*unit.state, &*unit.wish), ("stopped", "down"));
    house.must_be_empty();
    let exit = unit.last_exit.expect("an exit");
    assert_eq!((exit.known, exit.signal.as_deref()), (true, Some("KILL")));
}

const DEAF: &str = "trap \"\" TERM; echo deaf; while :; do sleep 0.05; done";

#[test]
fn a_service_that_ignores_sigterm_is_killed_after_the_grace() {
    a_deaf_service_ends(House::new(&script("web", DEAF, "stop_grace = \"200ms\"")));
}

#[test]
fn without_cgroups_a_service_that_ignores_sigterm_is_killed_after_the_grace() {
    a_deaf_service_ends(House::of_nobody(&script("web", DEAF, "stop_grace = \"200ms\"")));
}

/// A tree of 63 shells with as many sleeping children, deaf, each in a session of its own, and
/// each of them leaves one more behind when it is told to end.
const MULTIPLIES: &str = r#"cat > grow.sh <<"END"
trap "sleep 1000 & " TERM
[ "$1" -gt 0 ] && for side in l r; do setsid sh grow.sh $(($1 - 1)) & done
echo leaf
while :; do sleep 1000 & wait; done
END
exec sh grow.sh 5"#;

fn all_children_end(mut house: House) {
    house.run();
    house.wait_for("63 shells", || (house.log("web").matches("leaf").count() == 63).then_some(()));
    assert!(house.inhabitants().len() >= 63);
    house.does(&["stop", "web"]);
    house.must_be_empty();
}

#[test]
fn children_that_multiply_are_all_gone_after_a_stop() {
    all_children_end(House::new(&script("web", MULTIPLIES, "stop_grace = \"200ms\"")));
}

#[test]
fn without_cgroups_children_that_multiply_are_all_gone_after_a_stop() {
    all_children_end(House::of_nobody(&script("web", MULTIPLIES, "stop_grace = \"200ms\"")));
}

#[test]
fn children_that_multiply_are_all_gone_after_a_stop_by_the_next_daemon() {
    let mut house = House::of_nobody(&script("web", MULTIPLIES, "stop_grace = \"200ms\""));
    house.run();
    house.wait_for("63 shells", || (house.log("web").matches("leaf").count() == 63).then_some(()));
    house.end_daemon("KILL");
    house.run();
    house.does(&["stop", "--all"]);
    house.must_be_empty();
}

fn leftovers_end_first(mut house: House) {
    house.run();
    house.wait_up(&["web"]);
    let first = house.pid_of("web");
    let children = |house: &House| -> Vec<i32> {
        house.log("web").lines().map(|line| line.parse().expect("a pid")).collect()
    };
    house.wait_for("its child", || (children(&house).len() == 1).then_some(()));
    let orphan = children(&house)[0];
    kill(first, "KILL");
    let after = house.wait_unit("web", "is back", is_another(first));
    assert!(!lives(orphan));
    house.wait_for("its next child", || (children(&house).len() == 2).then_some(()));
    let mut all = vec![after.pid.expect("a pid"), children(&house)[1]];
    all.sort_unstable();
    let mut inhabitants = house.inhabitants();
    inhabitants.sort_unstable();
    assert_eq!(inhabitants, all);
}

const LEAVES_A_CHILD: &str = "setsid sleep 1000 & echo $!; exec sleep 1000";

#[test]
fn what_a_dead_service_left_is_ended_before_it_is_started_again() {
    leftovers_end_first(House::new(&script("web", LEAVES_A_CHILD, "")));
}

#[test]
fn without_cgroups_what_a_dead_service_left_is_ended_before_it_is_started_again() {
    leftovers_end_first(House::of_nobody(&script("web", LEAVES_A_CHILD, "")));
}

#[test]
fn the_environment_is_the_daemons_then_the_file_then_the_config_then_the_path() {
    let keys = "environment_file = \"more.env\"\nenvironment = { B = \"config\", C = \"config\" }\n\
                path = [\"first\", \"second\"]";
    let units = format!("[services.web]\ncommand = [\"tool\", \"x\"]\n{keys}\n");
    let mut house = House::new(&units);
    house.write("more.env", "A=file\nB=file\nexport Q='a b'\n");
    house.program("first/tool", "env > out; echo \"$0 $1\" > who; exec sleep 1000");
    house.program("second/tool", "echo wrong > who; exec sleep 1000");
    house.set("INHERITED", "yes");
    house.set("A", "inherited");
    for name in ["WATCHDOG_USEC", "LISTEN_FDS", "INVOCATION_ID", "JOURNAL_STREAM"] {
        house.set(name, "1");
    }
    house.set("NOTIFY_SOCKET", "/nonexistent/notify");
    house.set("CREDENTIALS_DIRECTORY", "/nonexistent");
    house.run();
    let has_begun = || std::fs::read_to_string(house.path("who")).ok().filter(|it| !it.is_empty());
    let who = house.wait_for("its word", has_begun);
    assert_eq!(who, format!("{} x\n", house.path("first/tool").display()));
    let out = std::fs::read_to_string(house.path("out")).expect("its environment");
    let has = |pair: &str| out.lines().any(|line| line == pair);
    for pair in ["INHERITED=yes", "A=file", "B=config", "C=config", "Q=a b"] {
        assert!(has(pair), "{pair} is not in\n{out}");
    }
    let path = std::env::var("PATH").expect("a PATH");
    let (first, second) = (house.path("first"), house.path("second"));
    assert!(has(&format!("PATH={}:{}:{path}", first.display(), second.display())), "{out}");
    for name in ["WATCHDOG_", "LISTEN_", "INVOCATION_ID", "JOURNAL_STREAM", "NOTIFY", "CREDENTIALS"]
    {
        assert!(!out.lines().any(|line| line.starts_with(name)), "{name} is in\n{out}");
    }
}

const ONE_TRY: &str = "restart.crash_loop = { starts = 1, within = \"15m\", retry = \"never\" }\n";

#[test]
fn what_cannot_be_started_says_why() {
    let units = format!(
        "[services.nowhere]\ncommand = [\"sleep\", \"1\"]\ndirectory = \"not-there\"\n{ONE_TRY}\
         [services.nothing]\ncommand = [\"no-such-program\"]\n{ONE_TRY}\
         [services.forbidden]\ncommand = [\"./config.toml\"]\n{ONE_TRY}\
         [services.secretless]\ncommand = [\"sleep\", \"1\"]\nenvironment_file = \"no.env\"\n{ONE_TRY}"
    );
    let house = House::running(&units);
    for (name, words) in [
        ("nowhere", &["not-there", "directory missing"][..]),
        ("nothing", &["no-such-program"]),
        ("forbidden", &["config.toml"]),
        ("secretless", &["no.env", "No such file"]),
    ] {
        let unit = house.wait_unit(name, "is given up", |unit| unit.state == "given_up");
        for word in words {
            assert!(unit.why.contains(word), "{name}: {}", unit.why);
        }
        let (code, said) = house.refuses(&["start", name]);
        assert_eq!(code, 1);
        assert!(said.contains(words[0]), "{said}");
    }
}

#[test]
fn a_changed_spec_is_shown_and_used_at_the_next_start() {
    let house = House::running(SLEEPS);
    house.wait_up(&["web"]);
    let pid = house.pid_of("web");
    assert!(!house.unit("web").changed);
    house.configure("[services.web]\ncommand = [\"sleep\", \"2000\"]\n");
    house.reload();
    let unit = house.unit("web");
    assert_eq!((unit.pid, unit.changed), (Some(pid), true));
    house.does(&["restart", "web"]);
    let unit = house.unit("web");
    assert!(!unit.changed);
    let after = unit.pid.expect("a pid");
    let cmdline = std::fs::read(format!("/proc/{after}/cmdline")).expect("it lives");
    assert_eq!(cmdline, b"sleep\x002000\0");
    assert!(!lives(pid));
}

#[test]
fn a_changed_spec_restarts_a_service_that_asks_for_it() {
    let keys = "restart_on_change = true\n";
    let mut house = House::running(&format!("{SLEEPS}{keys}"));
    house.wait_up(&["web"]);
    let pid = house.pid_of("web");
    house.end_daemon("KILL");
    house.configure(&format!("[services.web]\ncommand = [\"sleep\", \"2000\"]\n{keys}"));
    house.run();
    let after = house.wait_unit("web", "is another", is_another(pid));
    assert!(!after.changed);
    // It was asked for, so it is no crash.
    assert_eq!(after.restarts.window, 0);
    assert_eq!(house.inhabitants(), [after.pid.expect("a pid")]);
}

#[test]
fn a_unit_that_leaves_the_config_runs_on_is_shown_and_ends_by_stop() {
    let more = "[services.old]\ncommand = [\"sleep\", \"1000\"]\n";
    let house = House::running(&format!("{SLEEPS}{more}"));
    house.wait_up(&["web", "old"]);
    let pid = house.pid_of("old");
    house.configure(SLEEPS);
    house.reload();
    let unit = house.unit("old");
    assert_eq!((unit.pid, &*unit.state), (Some(pid), "up"));
    assert!(unit.why.contains("no longer in the config"), "{}", unit.why);
    house.does(&["stop", "old"]);
    assert!(!lives(pid));
    let names = |house: &House| -> Vec<String> {
        house.status().expect("an answer").units.into_iter().map(|unit| unit.name).collect()
    };
    assert_eq!(names(&house), ["web"]);
    assert!(lives(house.pid_of("web")));
}

#[test]
fn what_the_machine_does_not_grant_is_still_said_by_the_next_daemon() {
    let mut house =
        House::new("[services.web]\ncommand = [\"sleep\", \"1000\"]\nmemory_max = \"64MiB\"\n");
    for bus in ["DBUS_SYSTEM_BUS_ADDRESS", "DBUS_SESSION_BUS_ADDRESS"] {
        house.set(bus, "unix:path=/nonexistent/bus");
    }
    house.run();
    house.wait_up(&["web"]);
    let limits = house.unit("web").limits;
    assert!(limits.len() == 1 && limits[0].contains("memory_max is not kept"), "{limits:?}");
    house.end_daemon("KILL");
    house.run();
    assert_eq!(house.unit("web").limits, limits);
    house.reload();
    assert_eq!(house.unit("web").limits, limits);
}
