//! Deaths of everything at moments that nobody chose.

use std::time::Duration;

use crate::house::{House, kill, lives};
use crate::tmux::{PATIENT, scripted, session};

/// SplitMix64, so that a seed tells the whole story.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }

    /// Lets a little time go by: the faults are to hit whatever is under way then.
    fn moment(&mut self) {
        std::thread::sleep(Duration::from_micros(self.below(12_000)));
    }
}

/// After any story: the daemon sees one program of each unit, in one terminal, over one link.
fn is_at_peace(house: &House, units: &[(&str, &str)]) {
    for (unit, comm) in units {
        let last = Last::default();
        house.wait_for(&format!("peace in {unit}"), || {
            let status = house.status()?;
            let seen = status.units.into_iter().find(|it| it.name == *unit)?;
            let pane = house.tmux(unit, &["list-panes", "-aF", "#{pane_pid}"]);
            let (called, links) = (house.called(comm), house.links_of(unit));
            last.0.replace(format!("{seen:?}, pane {pane:?}, called {called:?}, links {links:?}"));
            let pid = seen.pid.filter(|_| seen.state == "up")?;
            let alone = called == [pid] && pane? == pid.to_string();
            (alone && links.len() == 1).then_some(())
        });
    }
}

/// What was seen last, told if there was no peace.
#[derive(Default)]
struct Last(std::cell::RefCell<String>);

impl Drop for Last {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seen last: {}", self.0.borrow());
        }
    }
}

fn storm(seed: u64) {
    println!("seed {seed}");
    let mut random = Random(seed);
    let units = PATIENT.to_owned()
        + &session("plain", &["cat"], "")
        + &scripted("deaf", "trap '' HUP TERM; exec sleep 100000", "");
    let named = [("plain", "cat"), ("deaf", "sleep")];
    let mut house = House::running(&units);
    is_at_peace(&house, &named);
    for _ in 0..25 {
        let (unit, comm) = named[random.below(2) as usize];
        match random.below(6) {
            0 | 1 => house.called(comm).into_iter().for_each(|pid| kill(pid, "KILL")),
            2 => terminals(&house, unit).into_iter().for_each(|pid| kill(pid, "KILL")),
            3 => house.links_of(unit).into_iter().for_each(|pid| kill(pid, "KILL")),
            _ => {
                house.end_daemon("KILL");
                random.moment();
                house.spawn();
            }
        }
        random.moment();
    }
    is_at_peace(&house, &named);
    let pids = named.map(|(unit, _)| house.pid_of(unit));
    house.end_daemon("KILL");
    house.run();
    assert_eq!(named.map(|(unit, _)| house.pid_of(unit)), pids, "adopted after all");
    house.does(&["stop", "--all"]);
    assert!(house.is_empty());
}

/// The tmux servers of one unit, asked of the kernel: they may be too young to answer.
fn terminals(house: &House, unit: &str) -> Vec<i32> {
    let socket = format!("{unit}.sock");
    let of_unit = |pid: &i32| {
        let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&words).contains(&socket) && lives(*pid)
    };
    house.inhabitants().into_iter().filter(of_unit).collect()
}

#[test]
fn after_any_storm_there_is_one_program_a_unit() {
    for seed in 1..=4 {
        storm(seed);
    }
}

#[test]
fn a_supervisor_killed_at_any_point_of_a_start_leaves_at_most_one_program() {
    let mut random = Random(7);
    let mut house = House::new(&(PATIENT.to_owned() + &session("plain", &["cat"], "")));
    for _ in 0..12 {
        house.spawn();
        // From before its first instruction to after the pane's.
        std::thread::sleep(Duration::from_micros(random.below(80_000)));
        house.end_daemon("KILL");
        assert!(house.called("cat").len() <= 1);
        if random.below(3) == 0 {
            terminals(&house, "plain").into_iter().for_each(|pid| kill(pid, "KILL"));
        }
    }
    house.run();
    is_at_peace(&house, &[("plain", "cat")]);
}
