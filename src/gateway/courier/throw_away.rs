//! Throwing away what is old: in the ledger, and what was put into the folders of groups. A container
//! may write there: no link of its making is followed, and what it has put there itself stays. Not
//! here: how files get there (see [`super::drop_off`]).

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, fstat, open, openat, unlinkat};
use tokio::time::Instant;

use super::{Courier, words};
use crate::gateway::ledger::events::EventId;
use crate::gateway::ledger::{LedgerError, retention};

/// Between two times of throwing away what is old.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// So many events' folders are taken away at once; the rest has time.
const AT_ONCE: usize = 200;

impl Courier {
    pub(super) async fn sweep(&mut self, now: SystemTime) -> Result<(), LedgerError> {
        if self.swept.is_some_and(|last| last.elapsed() < SWEEP_EVERY) {
            return Ok(());
        }
        let more = self.ledger.write(move |transaction| retention::sweep(transaction, now)).await?;
        if !more {
            self.swept = Some(Instant::now());
            self.throw_away_mail(now).await;
        }
        Ok(())
    }

    /// Files in groups' folders are kept as long as the ledger keeps them.
    async fn throw_away_mail(&self, now: SystemTime) {
        let settings = self.settings.clone();
        let thrown = self.at_files(move || {
            for addressee in &settings.addressees {
                let base = settings.directory.join("groups").join(&addressee.folder);
                // Where there is no mail, or no group, there is nothing to throw away.
                match old_mail(&base, words::FOLDER, retention::BODIES, now) {
                    Ok(0) | Err(_) => {}
                    Ok(gone) => tracing::info!(group = addressee.name, gone, "old mail is gone"),
                }
            }
            Ok(())
        });
        if let Err(error) = thrown.await {
            tracing::debug!(%error, "old mail stays for now");
        }
    }
}

/// Takes away the files of events from the folder `name` of `base`, each with the folder that is
/// named after the event, if nothing was written there for as long as `keep`. How many were taken
/// away.
///
/// # Errors
/// As the system has them for `base` and `name`; what cannot be taken away is left.
fn old_mail(base: &Path, name: &str, keep: Duration, now: SystemTime) -> io::Result<usize> {
    let base = open(base, FOLDER, Mode::empty())?;
    let mail = openat(&base, name, FOLDER, Mode::empty())?;
    let is_event = |name: &String| EventId::parse(name).is_some();
    let mut gone = 0;
    for event in names(&mail)?.into_iter().map(|(name, _)| name).filter(is_event) {
        let Ok(folder) = openat(&mail, &event, FOLDER, Mode::empty()) else { continue };
        if !is_old(&folder, keep, now) {
            continue;
        }
        for (file, kind) in names(&folder).unwrap_or_default() {
            if kind != FileType::Directory {
                // One that cannot be taken away keeps its folder.
                let _ = unlinkat(&folder, &file, AtFlags::empty());
            }
        }
        gone += usize::from(unlinkat(&mail, &event, AtFlags::REMOVEDIR).is_ok());
        if gone == AT_ONCE {
            break;
        }
    }
    Ok(gone)
}

const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

fn is_old(folder: &OwnedFd, keep: Duration, now: SystemTime) -> bool {
    let Ok(stat) = fstat(folder) else { return false };
    let written = Duration::from_secs(u64::try_from(stat.st_mtime).unwrap_or(0));
    let age = now.duration_since(SystemTime::UNIX_EPOCH + written);
    age.is_ok_and(|age| age >= keep)
}

/// What is in a folder, without itself and its parent.
fn names(folder: &OwnedFd) -> io::Result<Vec<(String, FileType)>> {
    let mut found = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        // A name that is no UTF-8 is not ours.
        if let Ok(name) = entry.file_name().to_str()
            && name != "."
            && name != ".."
        {
            found.push((name.to_owned(), entry.file_type()));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::gateway::courier::drop_off;

    const DAY: Duration = Duration::from_secs(24 * 3600);
    const EVENT: &str = "8k53cdax";

    fn later() -> SystemTime {
        SystemTime::now() + 2 * DAY
    }

    fn with_mail() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        drop_off::put(dir.path(), &["mail", EVENT], "letter.txt", b"x", false).unwrap();
        dir
    }

    #[test]
    fn mail_goes_when_it_is_old_and_not_before() {
        let dir = with_mail();
        assert_eq!(old_mail(dir.path(), "mail", DAY, SystemTime::now()).unwrap(), 0);
        assert!(dir.path().join("mail").join(EVENT).join("letter.txt").exists());
        assert_eq!(old_mail(dir.path(), "mail", DAY, later()).unwrap(), 1);
        assert!(!dir.path().join("mail").join(EVENT).exists());
    }

    #[test]
    fn what_an_agent_keeps_there_stays() {
        let dir = with_mail();
        let mail = dir.path().join("mail");
        fs::create_dir(mail.join("notes")).unwrap();
        fs::create_dir(mail.join(EVENT).join("work")).unwrap();
        assert_eq!(old_mail(dir.path(), "mail", DAY, later()).unwrap(), 0);
        assert!(mail.join("notes").exists() && mail.join(EVENT).join("work").exists());
    }

    #[test]
    fn a_link_that_a_container_has_put_there_is_not_followed() {
        let other = with_mail();
        let kept = other.path().join("mail").join(EVENT).join("letter.txt");
        let dir = tempfile::tempdir().unwrap();
        symlink(other.path().join("mail"), dir.path().join("mail")).unwrap();
        old_mail(dir.path(), "mail", DAY, later()).unwrap_err();
        fs::remove_file(dir.path().join("mail")).unwrap();
        fs::create_dir(dir.path().join("mail")).unwrap();
        symlink(other.path().join("mail").join(EVENT), dir.path().join("mail").join(EVENT))
            .unwrap();
        assert_eq!(old_mail(dir.path(), "mail", DAY, later()).unwrap(), 0);
        assert!(kept.exists());
    }
}
