//! The numbered lines of the demo's service: each life of it counts from 1, so what is lost or
//! doubled shows. Not here: where the lines come from.

use std::collections::BTreeSet;

/// One life of the service: its pid, and how many lines it wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) pid: i32,
    pub(super) lines: u64,
}

/// The lives that a log tells of, the oldest first.
///
/// # Errors
/// The first line that is none, is missing, or is there twice, in words.
pub(super) fn lives(log: &str) -> Result<Vec<Life>, String> {
    let mut lives: Vec<Life> = Vec::new();
    let mut over = BTreeSet::new();
    // What has no end yet is being written.
    for line in log.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        let (number, pid) = parse(line).ok_or_else(|| format!("a torn line: {line:?}"))?;
        match lives.last_mut() {
            Some(life) if life.pid == pid && life.lines + 1 == number => life.lines = number,
            Some(life) if life.pid == pid => {
                return Err(format!("line {number} of {pid} after its line {}", life.lines));
            }
            Some(_) | None if number == 1 && !over.contains(&pid) => {
                over.insert(pid);
                lives.push(Life { pid, lines: 1 });
            }
            Some(_) | None => {
                return Err(format!("line {number} of {pid} without those before it"));
            }
        }
    }
    Ok(lives)
}

/// `line 12 of 4711`
fn parse(line: &str) -> Option<(u64, i32)> {
    let (number, pid) = line.trim_end().strip_prefix("line ")?.split_once(" of ")?;
    Some((number.parse().ok()?, pid.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{Life, lives};

    #[test]
    fn lives_are_counted_one_after_the_other() {
        let log = "line 1 of 7\nline 2 of 7\nline 1 of 9\nline 2 of";
        assert_eq!(lives(log), Ok(vec![Life { pid: 7, lines: 2 }, Life { pid: 9, lines: 1 }]));
        assert_eq!(lives(""), Ok(Vec::new()));
    }

    #[test]
    fn what_is_lost_doubled_torn_or_comes_back_is_found() {
        for (log, why) in [
            ("line 1 of 7\nline 3 of 7\n", "line 3 of 7 after its line 1"),
            ("line 1 of 7\nline 1 of 7\n", "line 1 of 7 after its line 1"),
            ("line 2 of 7\n", "line 2 of 7 without those before it"),
            ("line 1 of 7\nline 1 of 9\nline 2 of 7\n", "line 2 of 7 without those before it"),
            ("line 1 of 7\nline 1 of 9\nline 1 of 7\n", "line 1 of 7 without those before it"),
            ("line 1 oline 2 of 7\n", "a torn line: \"line 1 oline 2 of 7\\n\""),
        ] {
            assert_eq!(lives(log), Err(why.to_owned()), "{log:?}");
        }
    }
}
