//! Logs: what services put out is kept, whole and in order, whoever dies.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::house::House;

/// 50 MB in numbered lines of 100 bytes, a megabyte each tenth of a second.
const FLOOD: &str = r#"for c in $(seq 0 49); do
    awk -v c=$c "BEGIN { for (i = 0; i < 10000; i++) printf \"%08d %090d\n\", c * 10000 + i, 0 }"
    sleep 0.1
done; exec sleep 1000"#;

fn flood(keep: u32) -> String {
    format!(
        "log_max = \"2MiB\"\nlog_keep = {keep}\n\
         [services.flood]\ncommand = [\"sh\", \"-c\", '''{FLOOD}''']\n"
    )
}

fn archives(house: &House) -> usize {
    let entries = std::fs::read_dir(house.path("state/logs")).expect("the logs").flatten();
    let is_archive = |name: &str| name.starts_with("flood.log.");
    entries.filter(|entry| entry.file_name().to_str().is_some_and(is_archive)).count()
}

fn wait_for_the_last(house: &House) {
    house.wait_for("the last line", || {
        house.does(&["logs", "flood", "-n", "1"]).starts_with("00499999 ").then_some(())
    });
}

#[test]
fn no_line_of_a_flood_is_lost_or_doubled_over_rotations_and_kills_of_the_daemon() {
    let mut house = House::running(&flood(1000));
    for seen in [1, 2] {
        house.wait_for("some rotations", || (archives(&house) >= seen).then_some(()));
        house.end_daemon("KILL");
        house.run();
    }
    wait_for_the_last(&house);
    let all = house.does(&["logs", "flood", "-n", "all"]);
    for (expected, line) in all.lines().enumerate() {
        assert_eq!(line.len(), 99, "line {expected}: {line:?}");
        assert_eq!(line[..8].parse(), Ok(expected));
    }
    assert_eq!(all.lines().count(), 500_000);
}

#[test]
fn a_flood_does_not_fill_the_disk() {
    let house = House::running(&flood(1));
    wait_for_the_last(&house);
    let size = |name: &str| {
        use std::os::unix::fs::MetadataExt as _;
        std::fs::metadata(house.path(format!("state/logs/{name}"))).expect("a log").blocks() * 512
    };
    // The last rotation may still have to come.
    house.wait_for("the rotation", || (size("flood.log") <= 3 << 20).then_some(()));
    assert_eq!(archives(&house), 1);
}

const SPEAKS: &str = "[services.web]\ncommand = [\"sh\", \"-c\", \
    \"echo one; echo two >&2; echo three; while [ ! -e go ]; do sleep 0.02; done; echo four; exec sleep 1000\"]\n";

#[test]
fn the_last_lines_are_shown_also_of_a_dead_daemons_units() {
    let mut house = House::running(SPEAKS);
    house.wait_for("its words", || house.log("web").contains("three").then_some(()));
    assert_eq!(house.does(&["logs", "web"]), "one\ntwo\nthree\n");
    assert_eq!(house.does(&["logs", "web", "-n", "2"]), "two\nthree\n");
    house.end_daemon("KILL");
    house.write("go", "");
    house.wait_for("its last word", || house.log("web").contains("four").then_some(()));
    assert_eq!(house.does(&["logs", "web", "-n", "1"]), "four\n");
    assert!(house.does(&["logs"]).contains("starting"));
}

#[test]
fn a_log_is_followed_over_the_death_of_the_daemon_and_of_the_unit() {
    let mut house = House::running(SPEAKS);
    house.wait_for("its words", || house.log("web").contains("three").then_some(()));
    let mut follow = house.command(&["logs", "web", "-n", "1", "-f"]);
    let mut follow = follow.stdout(Stdio::piped()).spawn().expect("the binary");
    let mut lines = BufReader::new(follow.stdout.take().expect("a pipe")).lines();
    let mut next = || lines.next().expect("a line").expect("text");
    assert_eq!(next(), "three");
    house.end_daemon("KILL");
    house.write("go", "");
    assert_eq!(next(), "four");
    house.run();
    crate::house::kill(house.pid_of("web"), "KILL");
    assert_eq!([next(), next(), next(), next()], ["one", "two", "three", "four"]);
    follow.kill().expect("it follows");
    follow.wait().expect("its end");
}

#[test]
fn the_log_of_a_unit_that_left_the_config_is_still_there() {
    let house = House::running(SPEAKS);
    house.wait_for("its words", || house.log("web").contains("three").then_some(()));
    house.does(&["stop", "web"]);
    house.configure("");
    house.reload();
    assert_eq!(house.does(&["logs", "web", "-n", "1"]), "three\n");
}
