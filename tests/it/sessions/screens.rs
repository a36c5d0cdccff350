//! What a session shows, and what its dead have shown.

use crate::house::{House, kill};
use crate::tmux::{PATIENT, Viewer, scripted, session};

#[test]
fn a_pane_is_shown_as_it_is_and_with_all_that_has_scrolled_away() {
    let house = House::running(&scripted("one", "seq 1 500; exec cat", ""));
    house.wait_screen("one", "\n500\n");
    let screen = house.screen_of("one");
    assert!(!screen.contains("\n300\n"), "{screen}");
    let all = house.does(&["logs", "one", "-n", "all"]);
    assert!(all.starts_with("1\n2\n") && all.ends_with("\n499\n500\n"), "{all}");
    assert_eq!(house.does(&["logs", "one", "-n", "2"]), "499\n500\n");
}

#[test]
fn the_dead_are_read_without_a_daemon() {
    let mut house = House::running(&scripted("one", "seq 1 500; read line", ""));
    house.wait_screen("one", "\n500\n");
    let before = house.pid_of("one");
    kill(before, "KILL");
    house.successor_of("one", before);
    house.wait_screen("one", "\n500\n");
    house.does(&["stop", "one"]);
    let both = house.does(&["logs", "one", "-n", "all"]);
    house.end_daemon("KILL");
    let said = house.does(&["logs", "one", "-n", "all"]);
    assert_eq!(said, both);
    assert_eq!(said.matches("\n250\n").count(), 2, "each life once: {said}");
    assert!(said.contains(&format!("--- pid {before} killed by SIGKILL at ")), "{said}");
}

#[test]
fn a_screen_whose_program_died_while_nobody_watched_is_kept_once() {
    let mut house = House::running(&scripted("one", "echo 'life of '$$; exec cat", ""));
    house.wait_up(&["one"]);
    let before = house.pid_of("one");
    house.wait_screen("one", &format!("life of {before}"));
    house.end_daemon("KILL");
    kill(before, "KILL");
    house.run();
    let next = house.successor_of("one", before);
    house.wait_screen("one", &format!("life of {next}"));
    let said = house.does(&["logs", "one", "-n", "all"]);
    assert_eq!(said.matches(&format!("life of {before}\n")).count(), 1, "{said}");
    assert!(said.contains(&format!("--- pid {before} killed by SIGKILL at ")), "{said}");
}

#[test]
fn the_screens_of_the_dead_do_not_pile_up_for_ever() {
    let mut house = House::new("");
    let units = PATIENT.to_owned() + &scripted("one", "seq 1 4000; read line", "");
    house.configure(&format!("log_max = \"64K\"\nlog_keep = 2\n{units}"));
    house.run();
    for _ in 0..12 {
        house.wait_screen("one", "\n4000\n");
        let before = house.pid_of("one");
        kill(before, "KILL");
        house.successor_of("one", before);
    }
    house.wait_screen("one", "\n4000\n");
    let logs = house.wait_for("the log to be cut", || {
        let entries = std::fs::read_dir(house.path("state/logs")).expect("a folder").flatten();
        let of_one = entries.filter(|it| it.file_name().to_string_lossy().starts_with("one.log"));
        let used = |it: std::fs::DirEntry| {
            use std::os::unix::fs::MetadataExt as _;
            it.metadata().map_or(0, |it| it.blocks() * 512)
        };
        let sizes: Vec<u64> = of_one.map(used).collect();
        (sizes.len() <= 3 && sizes.iter().sum::<u64>() < 4 * 64 * 1024).then_some(sizes)
    });
    assert!(!logs.is_empty());
    let last = house.does(&["logs", "one", "-n", "8002"]);
    assert_eq!(last.matches("\n4000\n").count(), 2, "the last dead one and the living one");
    assert!(last.contains(" killed by SIGKILL at "));
}

#[test]
fn a_person_enters_and_leaves_and_the_session_runs_on() {
    let house = House::running(&session("one", &["cat"], ""));
    house.wait_up(&["one"]);
    let before = house.pid_of("one");
    let viewer = Viewer::attach(&house, "one");
    viewer.type_in("from a person\n");
    house.wait_screen("one", "from a person\nfrom a person");
    let size = house.tmux("one", &["display-message", "-p", "#{pane_width}x#{pane_height}"]);
    assert_eq!(size.as_deref(), Some("200x50"), "a small window does not shrink the pane");
    viewer.type_in("\u{2}d");
    viewer.leaves();
    let viewer = Viewer::attach(&house, "one");
    // Their window is closed.
    drop(viewer);
    house.wait_for("the viewer to be gone", || house.viewers_of("one").is_empty().then_some(()));
    assert_eq!(house.pid_of("one"), before);
    assert_eq!(house.unit("one").restarts.total, 0);
}

#[test]
fn there_is_no_way_into_a_session_that_is_down() {
    let house = House::running(&session("one", &["cat"], ""));
    house.wait_up(&["one"]);
    house.does(&["stop", "one"]);
    for (words, why) in [
        (&["attach", "one"][..], "one has no terminal now"),
        (&["logs", "one", "--screen"], "one has no terminal now"),
        (&["tell", "one", "hi"], "one is down: `supervisor start one` first"),
    ] {
        let (code, said) = house.refuses(words);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains(why), "{said}");
    }
}
