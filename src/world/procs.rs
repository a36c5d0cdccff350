//! What `/proc` says of processes: who they are, whose they are, whether they live.
//!
//! A pid alone is a number that is used again; [`identify`] makes a [`Process`] of it. Not here:
//! waiting for an end and sending signals, which need a handle that cannot be reused
//! ([`super::pidfd`]).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;

use crate::decide::{Process, UnitName};

/// The variable that names a unit in the environment of every process of it.
pub const UNIT_VARIABLE: &str = "SUPERVISOR_UNIT";

/// The variable that says which supervisor such a process belongs to.
pub const INSTANCE_VARIABLE: &str = "SUPERVISOR_INSTANCE";

/// The kernel's own threads are children of this process; they have no environment to look at.
const KTHREADD: i32 = 2;

/// How often the list of processes is read again for those who were born meanwhile; on a busy host
/// somebody dies in every pass.
const PASSES_MAX: u32 = 8;

/// One line of `/proc/PID/stat`, as far as we need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Which process.
    pub process: Process,
    /// What it does: `R`, `S`, `D`, `T`, `Z`, …
    pub state: char,
    /// The pid of its parent.
    pub parent: i32,
    /// Its process group.
    pub group: i32,
    /// Its session.
    pub session: i32,
    /// Whether that session has a terminal.
    pub terminal: bool,
    /// How many threads it has, ended ones that nobody collected included.
    threads: u32,
    /// Field 52: the status for `wait`, of a zombie. 0 also stands for "you may not know".
    pub(super) wait_status: i32,
}

impl Stat {
    /// Whether nothing of it runs. The first thread of a living process may be a zombie; then
    /// there are others.
    pub fn is_dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x') && self.threads <= 1
    }
}

/// When `pid` started, in clock ticks since boot.
pub fn start_time(pid: i32) -> Option<u64> {
    stat(pid).map(|s| s.process.start)
}

/// Who has the number `pid` at this moment, zombies included.
pub fn identify(pid: i32) -> Option<Process> {
    stat(pid).map(|s| s.process)
}

/// Whether that very process lives. A zombie does not.
pub fn is_alive(process: Process) -> bool {
    stat(process.pid).is_some_and(|s| s.process == process && !s.is_dead())
}

/// The state letter of `pid`, as `ps` shows it.
pub fn state(pid: i32) -> Option<char> {
    stat(pid).map(|s| s.state)
}

/// The pids whose environment names both `unit` and `instance`. What may not be read is not ours.
///
/// This reads the memory of every process, in milliseconds, and the kernel can make it wait for
/// ever on a process that is stuck in a page fault: call it where that blocks nobody.
pub fn marked(unit: &UnitName, instance: &str) -> Vec<i32> {
    let seen = with_marks(unit, instance);
    seen.into_iter().filter(|(_, marked)| *marked).map(|(stat, _)| stat.process.pid).collect()
}

/// For each unit of `instance` that has any: its oldest living process that leads a session, as
/// every main process does. One look at all processes, which may hang as [`marked`] may.
pub fn leaders(instance: &str) -> BTreeMap<UnitName, Process> {
    let mut leaders = BTreeMap::new();
    for stat in all().into_iter().filter(|s| !s.is_dead() && s.session == s.process.pid) {
        let environment = fs::read(format!("/proc/{}/environ", stat.process.pid));
        let environment = environment.unwrap_or_default();
        let value = |name: &str| {
            let mut pairs = environment.split(|byte| *byte == 0);
            let value = pairs.find_map(|it| it.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
            value.and_then(|value| std::str::from_utf8(value).ok())
        };
        if value(INSTANCE_VARIABLE) != Some(instance) {
            continue;
        }
        let Some(Ok(unit)) = value(UNIT_VARIABLE).map(UnitName::new) else { continue };
        let oldest = leaders.entry(unit).or_insert(stat.process);
        if stat.process.start < oldest.start {
            *oldest = stat.process;
        }
    }
    leaders
}

/// Every process there is, zombies included, and whether it is [`marked`].
///
/// A list of pids is old when its end is read: who was on it and has died may have left children
/// that are not. So passes are made until one finds nobody new who was gone before being examined.
pub(super) fn with_marks(unit: &UnitName, instance: &str) -> Vec<(Stat, bool)> {
    let marks = [format!("{UNIT_VARIABLE}={unit}"), format!("{INSTANCE_VARIABLE}={instance}")];
    let mut seen: BTreeMap<Process, (Stat, bool)> = BTreeMap::new();
    let mut blank = BTreeSet::new();
    for _ in 0..PASSES_MAX {
        let mut complete = true;
        for pid in pids() {
            let Some(stat) = stat(pid) else {
                complete = false;
                continue;
            };
            if seen.contains_key(&stat.process) {
                continue;
            }
            let marked = if stat.is_dead() {
                complete = false;
                false
            } else if pid == KTHREADD || stat.parent == KTHREADD {
                false
            } else {
                match has_marks(pid, &marks) {
                    Marks::Both => true,
                    Marks::Not => false,
                    // Dying, gone, or in the middle of an exec; who is blank twice has none.
                    Marks::Blank if blank.insert(stat.process) => {
                        complete = false;
                        continue;
                    }
                    Marks::Blank => false,
                }
            };
            seen.insert(stat.process, (stat, marked));
        }
        if complete {
            break;
        }
    }
    seen.into_values().collect()
}

/// The living children of `pid`.
pub fn children_of(pid: i32) -> Vec<i32> {
    all().iter().filter(|s| s.parent == pid && !s.is_dead()).map(|s| s.process.pid).collect()
}

/// Every process there is, zombies included.
pub fn all() -> Vec<Stat> {
    pids().filter_map(stat).collect()
}

fn pids() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Reads `/proc/PID/stat`; `None` if there is no such process.
pub fn stat(pid: i32) -> Option<Stat> {
    parse(pid, &fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// The second field is the program's name in brackets, and a name may hold anything, brackets and
/// blanks too: the fields are counted from the last closing bracket.
pub(crate) fn parse(pid: i32, line: &[u8]) -> Option<Stat> {
    let name_end = line.iter().rposition(|b| *b == b')')?;
    let rest = std::str::from_utf8(line.get(name_end + 1..)?).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3).copied();
    Some(Stat {
        process: Process { pid, start: field(22)?.parse().ok()? },
        state: field(3)?.chars().next()?,
        parent: field(4)?.parse().ok()?,
        group: field(5)?.parse().ok()?,
        session: field(6)?.parse().ok()?,
        terminal: field(7)?.parse::<i32>().ok()? != 0,
        threads: field(20)?.parse().ok()?,
        wait_status: field(52)?.parse().ok()?,
    })
}

enum Marks {
    Both,
    Not,
    Blank,
}

fn has_marks(pid: i32, marks: &[String; 2]) -> Marks {
    let environment = match fs::read(format!("/proc/{pid}/environ")) {
        Ok(environment) => environment,
        Err(error) if is_gone(&error) => return Marks::Blank,
        Err(_) => return Marks::Not,
    };
    if environment.is_empty() {
        return Marks::Blank;
    }
    let has = |mark: &String| environment.split(|b| *b == 0).any(|v| v == mark.as_bytes());
    if marks.iter().all(has) { Marks::Both } else { Marks::Not }
}

/// `ESRCH` is said of a process without memory: a dying one, or a thread of the kernel's.
pub(super) fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
        || error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_blanks_does_not_shift_the_fields() {
        let mut line = b"42 (a) R 1 (b c) S 7 8 9".to_vec();
        for number in 7..=52 {
            line.extend(format!(" {}", number * 10).bytes());
        }
        let stat = parse(42, &line).unwrap();
        assert_eq!(stat.process, Process { pid: 42, start: 220 });
        assert_eq!((stat.state, stat.parent, stat.group, stat.session), ('S', 7, 8, 9));
        assert_eq!((stat.threads, stat.wait_status), (200, 520));
    }

    #[test]
    fn half_a_line_is_no_process() {
        assert_eq!(parse(1, b"1 (init) S 0 1"), None);
        assert_eq!(parse(1, b""), None);
    }

    #[test]
    fn we_live_and_someone_with_our_pid_and_another_start_does_not() {
        let own = identify(std::process::id().cast_signed()).unwrap();
        assert!(is_alive(own));
        assert!(!is_alive(Process { start: own.start + 1, ..own }));
        assert_eq!(start_time(own.pid), Some(own.start));
        assert!(matches!(state(own.pid), Some('R' | 'S')));
    }

    #[test]
    fn a_zombie_is_dead_unless_other_threads_of_it_run() {
        let own = stat(std::process::id().cast_signed()).unwrap();
        assert!(Stat { state: 'Z', threads: 1, ..own }.is_dead());
        assert!(!Stat { state: 'Z', threads: 2, ..own }.is_dead());
    }

    #[test]
    fn nobody_has_a_pid_that_cannot_be() {
        assert_eq!(identify(i32::MAX), None);
        assert_eq!(state(-1), None);
    }
}
