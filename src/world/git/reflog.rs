//! The reflog of HEAD, which says what was made in a clone and what only came into it. Read as
//! text, from its end, for it grows for ever. Not here: which commits are asked for.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// So much of a reflog's end is read: some five thousand entries.
const TAIL: u64 = 1024 * 1024;

/// How many linked worktrees of a clone are looked into.
const WORKTREES_MAX: usize = 256;

/// The commits that were made in the worktree of `git`, a git directory, and in its linked ones but
/// those in `others`, as 40 digits. What is not there or garbled says nothing.
pub(super) fn made_in(git: &Path, others: &BTreeSet<PathBuf>) -> BTreeSet<String> {
    let mut made = BTreeSet::new();
    take(&git.join("logs/HEAD"), &mut made);
    let linked = fs::read_dir(git.join("worktrees")).into_iter().flatten().flatten();
    for worktree in linked.take(WORKTREES_MAX).map(|entry| entry.path()) {
        if !worktree.canonicalize().is_ok_and(|real| others.contains(&real)) {
            take(&worktree.join("logs/HEAD"), &mut made);
        }
    }
    made
}

fn take(log: &Path, made: &mut BTreeSet<String>) {
    let Ok(bytes) = tail(log) else { return };
    let text = String::from_utf8_lossy(&bytes);
    made.extend(text.lines().filter_map(made_by).map(str::to_owned));
}

fn tail(log: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The commit that an entry says was made: `OLD NEW NAME <MAIL> TIME ZONE<TAB>MESSAGE`.
fn made_by(entry: &str) -> Option<&str> {
    let (head, message) = entry.split_once('\t')?;
    let new = head
        .split(' ')
        .nth(1)
        .filter(|new| new.len() == 40 && new.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
    is_made(message).then_some(new)
}

/// Whether what git calls this makes a commit, and does not only go to one.
fn is_made(message: &str) -> bool {
    let Some((action, rest)) = message.split_once(": ") else { return false };
    let mut words = action.split([' ', '(']);
    let verb = words.next().unwrap_or_default();
    let step = action.rsplit_once('(').map(|(_, step)| step.trim_end_matches(')'));
    let forward = rest.to_ascii_lowercase().starts_with("fast-forward");
    match verb {
        "commit" => true,
        // The first goes to where is rebased onto, the last back to the branch.
        "rebase" | "pull" if matches!(step, Some("start" | "finish" | "abort" | "skip")) => false,
        "rebase" | "cherry-pick" | "revert" | "am" | "merge" => !forward,
        "pull" => step.is_some() && !forward || rest.starts_with("Merge made"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_a_commit_is_told_from_what_goes_to_one() {
        for made in [
            "commit: Fast-forward the clock",
            "commit (initial): x",
            "commit (amend): x",
            "commit (merge): x",
            "commit (cherry-pick): x",
            "cherry-pick: x",
            "revert: Revert \"x\"",
            "rebase (pick): x",
            "rebase (squash): x",
            "rebase (continue): x",
            "rebase: x",
            "pull --rebase origin main (pick): x",
            "pull (pick): x",
            "pull: Merge made by the 'ort' strategy.",
            "merge side: Merge made by the 'ort' strategy.",
            "am: x",
        ] {
            assert!(is_made(made), "{made}");
        }
        for gone_to in [
            "checkout: moving from main to side",
            "clone: from /x",
            "reset: moving to HEAD~1",
            "pull: Fast-forward",
            "pull --no-edit origin main: Fast-forward",
            "pull --rebase (start): checkout 0123",
            "pull --rebase (finish): returning to refs/heads/main",
            "rebase (start): checkout origin/main",
            "rebase (finish): returning to refs/heads/main",
            "rebase (abort): returning to refs/heads/main",
            "merge origin/main: Fast-forward",
            "cherry-pick: fast-forward",
            "branch: Created from HEAD",
            "",
            "garbage",
        ] {
            assert!(!is_made(gone_to), "{gone_to}");
        }
    }
}
