//! Reboots: one line a boot, before anything starts, in a file that also belongs to others.

use crate::house::House;

const SECOND: &str = "22222222-2222-4222-8222-222222222222";
const THIRD: &str = "33333333-3333-4333-8333-333333333333";

fn log(house: &House) -> String {
    std::fs::read_to_string(house.path("state/REBOOTS.md")).expect("the reboot log")
}

fn lines(house: &House) -> Vec<String> {
    log(house).lines().filter(|line| line.contains("boot_id=")).map(str::to_owned).collect()
}

#[test]
fn a_boot_leaves_one_line_however_often_the_daemon_starts() {
    let mut house = House::running("");
    for signal in ["KILL", "TERM", "KILL"] {
        house.end_daemon(signal);
        house.run();
    }
    house.reload();
    let lines = lines(&house);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("boot_id=11111111-1111-4111-8111-111111111111"), "{lines:?}");
    assert!(lines[0].contains("after=first previous_uptime=unknown"), "{lines:?}");
    let text = log(&house);
    assert!(text.starts_with("# Reboots\n") && text.contains("\n## Reboots\n"), "{text}");
    let status = house.status().expect("an answer");
    assert_eq!(status.reboots.count, 1);
    assert!(house.does(&["reboots"]).contains("11111111-1111-4111-8111-111111111111"));
}

#[test]
fn the_line_is_there_before_anything_is_started() {
    let house = House::running(
        "[services.web]\n\
         command = [\"sh\", \"-c\", \"cp state/REBOOTS.md seen; exec sleep 1000\"]\n",
    );
    let seen = || std::fs::read_to_string(house.path("seen")).ok().filter(|it| !it.is_empty());
    let seen = house.wait_for("its copy", seen);
    assert!(seen.contains("boot_id=11111111-1111-4111-8111-111111111111"), "{seen}");
}

#[test]
fn a_boot_after_a_drain_is_clean_and_one_without_is_not() {
    let mut house = House::running("[services.web]\ncommand = [\"sleep\", \"1000\"]\n");
    house.wait_up(&["web"]);
    house.does(&["drain"]);
    house.end_daemon("TERM");
    house.boot(SECOND);
    house.run();
    house.wait_up(&["web"]);
    house.end_daemon("KILL");
    // A loss of power takes the processes with it.
    house.inhabitants().into_iter().for_each(|pid| crate::house::kill(pid, "KILL"));
    house.boot(THIRD);
    house.run();
    let lines = lines(&house);
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[1].contains(SECOND) && lines[1].contains("after=clean"), "{lines:?}");
    assert!(lines[2].contains(THIRD) && lines[2].contains("after=unclean"), "{lines:?}");
    assert!(!lines[2].contains("previous_uptime=unknown"), "{lines:?}");
    assert_eq!(house.status().expect("an answer").reboots.count, 3);
}

#[test]
fn a_start_after_a_drain_makes_the_boot_unclean_again() {
    let mut house = House::running("[services.web]\ncommand = [\"sleep\", \"1000\"]\n");
    house.wait_up(&["web"]);
    house.does(&["drain"]);
    house.does(&["start", "web"]);
    house.end_daemon("KILL");
    house.boot(SECOND);
    house.run();
    let lines = lines(&house);
    assert!(lines[1].contains("after=unclean"), "{lines:?}");
}

#[test]
fn what_others_wrote_into_the_reboot_log_is_not_touched() {
    let mut house = House::new("");
    let theirs = "# Notes\n\nOurs.\n\n## Reboots\n\n- 2020-01-01: the fuse\n\n## Other\n\ntext\n";
    std::fs::create_dir(house.path("state")).expect("a folder");
    house.write("state/REBOOTS.md", theirs);
    house.run();
    let text = log(&house);
    let ours: Vec<_> = text.lines().filter(|line| line.contains("boot_id=")).collect();
    assert_eq!(ours.len(), 1, "{text}");
    let without: String =
        text.split_inclusive('\n').filter(|line| !line.contains("boot_id=")).collect();
    assert_eq!(without, theirs);
    let (line, other) = (text.find("boot_id="), text.find("## Other"));
    assert!(line < other, "{text}");
    // The older entry, of another shape, counts.
    assert_eq!(house.status().expect("an answer").reboots.count, 2);
}

#[test]
fn a_reboot_log_that_cannot_be_written_keeps_nothing_from_starting() {
    let mut house = House::new(
        "reboot_log = \"nowhere/REBOOTS.md\"\n[services.web]\ncommand = [\"sleep\", \"1000\"]\n",
    );
    house.write("nowhere", "a file, not a folder");
    house.run();
    house.wait_up(&["web"]);
    assert!(house.said().contains("REBOOTS.md"), "{}", house.said());
}
