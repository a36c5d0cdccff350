//! Which boot this is, and how the one before it ended: `state_dir/boot.json`. Not here: the line
//! in REBOOTS.md (reboots.rs).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::clock;
use super::files::{self, Durability, FileError};
use crate::decide::Now;

/// The version that is written.
const VERSION: u64 = 1;

/// The longest text that can be a boot's id; the kernel's has 36 bytes.
const ID_MAX: usize = 128;

/// Why nobody knows which boot this is.
#[derive(Debug, Error)]
pub enum BootIdError {
    /// The kernel's file cannot be read.
    #[error("cannot read the boot's id from {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It holds no word.
    #[error("{path} holds no boot id: it must be one word of at most {ID_MAX} bytes")]
    Shape {
        /// The file.
        path: PathBuf,
    },
}

/// How the boot before this one ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum After {
    /// Everything was stopped first (`drain`).
    Clean,
    /// It was not.
    Unclean,
    /// We were not there.
    First,
}

impl After {
    /// The word in REBOOTS.md.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Unclean => "unclean",
            Self::First => "first",
        }
    }
}

/// The id of this boot, from the kernel's `file`.
///
/// # Errors
/// [`BootIdError`].
pub fn boot_id(file: &Path) -> Result<String, BootIdError> {
    let text = fs::read_to_string(file)
        .map_err(|source| BootIdError::Read { path: file.into(), source })?;
    let id = text.trim();
    if id.is_empty() || id.len() > ID_MAX || id.contains(char::is_whitespace) {
        return Err(BootIdError::Shape { path: file.into() });
    }
    Ok(id.to_owned())
}

/// The kernel's release, as `uname -r` prints it.
pub fn kernel_release() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

/// What we keep about this boot.
#[derive(Debug)]
pub struct Boot {
    path: PathBuf,
    file: BootFile,
    /// This boot is in the file, and stays there if the power fails.
    noted: bool,
}

impl Boot {
    /// Reads `state_dir/boot.json` and, unless a predecessor in this very boot has done so, makes
    /// it this boot's; from here on the boot is unclean until [`Boot::mark_clean`]. With the
    /// notes that the operator must hear; one of them is that the file cannot be written, which
    /// [`Boot::touch`] tries again.
    ///
    /// # Errors
    /// [`FileError`]: it cannot be read, or not be set aside.
    pub fn begin(
        state_dir: &Path,
        boot_id: &str,
        now: Now,
    ) -> Result<(Self, Vec<String>), FileError> {
        let path = state_dir.join("boot.json");
        let mut notes = Vec::new();
        let before = match files::read_if_there(&path)? {
            None => Before::First,
            Some(bytes) => match serde_json::from_slice::<BootFile>(&bytes) {
                Ok(file) => Before::Known(file),
                Err(err) => {
                    let aside = files::set_aside(&path, "corrupt")?;
                    notes.push(format!(
                        "{} is corrupt ({err}): set aside as {}; the last boot counts as unclean",
                        path.display(),
                        aside.display()
                    ));
                    Before::Corrupt
                }
            },
        };
        let (after, previous_uptime_s) = match before {
            Before::First => (After::First, None),
            Before::Corrupt => (After::Unclean, None),
            Before::Known(file) if file.boot_id == boot_id => (file.after, file.previous_uptime_s),
            Before::Known(file) if file.clean => (After::Clean, file.uptime_s),
            Before::Known(file) => (After::Unclean, file.uptime_s),
        };
        let boot_id = boot_id.to_owned();
        let mut file = BootFile { boot_id, after, previous_uptime_s, ..BootFile::default() };
        file.see(now);
        let mut boot = Self { path, file, noted: false };
        // A full disk is no reason to leave the agents alone.
        if let Err(error) = boot.write(Durability::Power) {
            let why = std::error::Error::source(&error).map(ToString::to_string);
            notes.push(format!("{error}: {}", why.unwrap_or_default()));
        }
        Ok((boot, notes))
    }

    /// How the boot before this one ended.
    pub fn after(&self) -> After {
        self.file.after
    }

    /// How long the boot before this one was seen up, if known: up to a minute less than it was.
    pub fn previous_uptime(&self) -> Option<Duration> {
        self.file.previous_uptime_s.map(Duration::from_secs)
    }

    /// Notes that the machine is still up. Once a minute; not synced, unless nothing of this boot
    /// was before.
    ///
    /// # Errors
    /// [`FileError::Write`]; the previous uptime will be less exact, nothing else.
    pub fn touch(&mut self, now: Now) -> Result<(), FileError> {
        self.file.see(now);
        self.write(if self.noted { Durability::Process } else { Durability::Power })
    }

    /// Notes that everything is stopped: a reboot from here on is a clean one.
    ///
    /// # Errors
    /// [`FileError::Write`]; the boot will count as unclean.
    pub fn mark_clean(&mut self, now: Now) -> Result<(), FileError> {
        self.file.see(now);
        self.file.clean = true;
        self.write(Durability::Power)
    }

    /// Notes that something was started again after all.
    ///
    /// # Errors
    /// [`FileError::Write`].
    pub fn mark_unclean(&mut self, now: Now) -> Result<(), FileError> {
        self.file.see(now);
        self.file.clean = false;
        self.write(Durability::Power)
    }

    fn write(&mut self, durability: Durability) -> Result<(), FileError> {
        let bytes = serde_json::to_vec_pretty(&self.file)
            .map_err(|err| FileError::Write { path: self.path.clone(), source: err.into() })?;
        files::write_atomic(&self.path, &bytes, durability, 0o644)?;
        self.noted = true;
        Ok(())
    }
}

enum Before {
    First,
    Known(BootFile),
    Corrupt,
}

/// The file. The dates are for people; the uptime is counted on the boot's own clock, because
/// the wall clock may step.
#[derive(Debug, Serialize, Deserialize)]
struct BootFile {
    version: u64,
    boot_id: String,
    clean: bool,
    last_seen: String,
    booted: String,
    uptime_s: Option<u64>,
    after: After,
    previous_uptime_s: Option<u64>,
}

impl Default for BootFile {
    fn default() -> Self {
        Self {
            version: VERSION,
            boot_id: String::new(),
            clean: false,
            last_seen: String::new(),
            booted: String::new(),
            uptime_s: None,
            after: After::First,
            previous_uptime_s: None,
        }
    }
}

impl BootFile {
    fn see(&mut self, now: Now) {
        let up = now.mono.since_boot();
        self.uptime_s = Some(up.as_secs());
        self.last_seen = clock::rfc3339(now.wall);
        self.booted = clock::rfc3339(now.wall.checked_sub(up).unwrap_or(now.wall));
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::decide::Mono;
    use crate::world::saved::tests::SmallDisk;

    const SAMPLE: &str = include_str!("../../tests/saved/boot-v1.json");

    fn up(seconds: u64) -> Now {
        let up = Duration::from_secs(seconds);
        Now { mono: Mono::from_boot(up), wall: SystemTime::UNIX_EPOCH + up }
    }

    fn begin(dir: &Path, id: &str, seconds: u64) -> Boot {
        Boot::begin(dir, id, up(seconds)).unwrap().0
    }

    fn seen(boot: &Boot) -> (After, Option<u64>) {
        (boot.after(), boot.previous_uptime().map(|d| d.as_secs()))
    }

    #[test]
    fn first_clean_and_unclean_boots_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let mut one = begin(dir.path(), "one", 20);
        assert_eq!(seen(&one), (After::First, None));
        one.touch(up(80)).unwrap();
        let mut two = begin(dir.path(), "two", 10);
        assert_eq!(seen(&two), (After::Unclean, Some(80)));
        two.mark_clean(up(200)).unwrap();
        assert_eq!(seen(&begin(dir.path(), "three", 10)), (After::Clean, Some(200)));
    }

    #[test]
    fn a_restart_of_the_daemon_is_no_boot() {
        let dir = tempfile::tempdir().unwrap();
        begin(dir.path(), "one", 20).mark_clean(up(50)).unwrap();
        begin(dir.path(), "two", 10).mark_clean(up(30)).unwrap();
        assert_eq!(seen(&begin(dir.path(), "two", 40)), (After::Clean, Some(50)));
        // It runs again since, so the drain of before does not count.
        assert_eq!(seen(&begin(dir.path(), "three", 5)), (After::Unclean, Some(40)));
    }

    #[test]
    fn a_boot_that_cannot_be_noted_goes_on_and_is_noted_later() {
        let dir = tempfile::tempdir().unwrap();
        let Some(_mount) = SmallDisk::mount(dir.path()) else { return };
        begin(dir.path(), "one", 20).mark_clean(up(50)).unwrap();
        let filler = dir.path().join("filler");
        fs::write(&filler, vec![1; 4 << 20]).unwrap_err();
        let (mut two, notes) = Boot::begin(dir.path(), "two", up(10)).unwrap();
        assert_eq!(seen(&two), (After::Clean, Some(50)));
        assert!(notes.len() == 1 && notes[0].contains("boot.json: No space left"), "{notes:?}");
        two.touch(up(70)).unwrap_err();
        fs::remove_file(&filler).unwrap();
        two.touch(up(130)).unwrap();
        assert_eq!(seen(&begin(dir.path(), "three", 5)), (After::Unclean, Some(130)));
    }

    #[test]
    fn the_file_of_version_1_loads_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("boot.json"), SAMPLE).unwrap();
        assert_eq!(seen(&begin(dir.path(), "next", 5)), (After::Clean, Some(7200)));
    }

    #[test]
    fn a_corrupt_file_counts_as_unclean_loudly() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("boot.json"), &SAMPLE[..40]).unwrap();
        let (boot, notes) = Boot::begin(dir.path(), "next", up(5)).unwrap();
        assert_eq!(seen(&boot), (After::Unclean, None));
        assert!(notes[0].contains("boot.json.corrupt-2"), "{notes:?}");
    }

    #[test]
    fn the_boot_id_is_one_word() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("boot_id");
        fs::write(&path, "abc-def\n").unwrap();
        assert_eq!(boot_id(&path).unwrap(), "abc-def");
        for bad in ["", "\n", "a b", &"x".repeat(200)] {
            fs::write(&path, bad).unwrap();
            assert!(matches!(boot_id(&path), Err(BootIdError::Shape { .. })), "{bad}");
        }
        assert!(matches!(boot_id(dir.path()), Err(BootIdError::Read { .. })));
        assert!(!kernel_release().is_empty());
    }
}
