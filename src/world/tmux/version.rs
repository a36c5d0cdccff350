//! The tmux program: where it is, and whether it is new enough.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access, access};

use super::{Spawner, helper};

/// The oldest tmux that is used: the first with `-N` (never start a server by accident),
/// `remain-on-exit-format` and `pane_dead_signal`.
const OLDEST: (u32, u32) = (3, 3);

/// `tmux -V` prints one line without talking to anybody: slower than this is a sick machine.
const VERSION_CEILING: Duration = Duration::from_secs(5);

/// The tmux program of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tmux {
    program: PathBuf,
    version: Version,
}

impl Tmux {
    /// Looks for `tmux` in `path` (the value of `PATH`) and asks for its version.
    ///
    /// # Errors
    /// [`FindError`], each with its remedy.
    pub async fn find(spawner: &dyn Spawner, path: &OsStr) -> Result<Self, FindError> {
        let program = search(path).ok_or_else(|| FindError::NotFound { path: path.into() })?;
        let argv = vec![program.clone().into_os_string(), OsString::from("-V")];
        let answer =
            helper::run(spawner, argv, Vec::new(), VERSION_CEILING).await.map_err(|source| {
                FindError::NoAnswer { program: program.clone(), source: source.into() }
            })?;
        let text = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
        let Some(version) = Version::parse(&text) else {
            let stderr = String::from_utf8_lossy(&answer.stderr).trim().to_owned();
            let said = if text.is_empty() { stderr } else { text };
            return Err(FindError::Unreadable { program, said });
        };
        if version.is_too_old() {
            return Err(FindError::TooOld { program, version });
        }
        Ok(Self { program, version })
    }

    /// Its absolute path.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Its version.
    pub fn version(&self) -> &Version {
        &self.version
    }
}

/// A version of tmux, as it calls itself: `3.3a`, `next-3.7`, `master`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    text: String,
    /// `None` for `master`, which is newer than all.
    number: Option<(u32, u32)>,
}

impl Version {
    /// Reads what `tmux -V` printed; `None` if that is nothing of the kind.
    pub fn parse(line: &str) -> Option<Self> {
        let text = line.trim().strip_prefix("tmux ")?.trim();
        if text == "master" {
            return Some(Self { text: text.to_owned(), number: None });
        }
        let (major, minor) = text.strip_prefix("next-").unwrap_or(text).split_once('.')?;
        let digits = minor.find(|c: char| !c.is_ascii_digit()).unwrap_or(minor.len());
        let number = (major.parse().ok()?, minor.get(..digits)?.parse().ok()?);
        Some(Self { text: text.to_owned(), number: Some(number) })
    }

    fn is_too_old(&self) -> bool {
        self.number.is_some_and(|number| number < OLDEST)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// Why there is no tmux to work with.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// No such program.
    #[error("no tmux in PATH ({path:?}): install tmux 3.3 or newer, or add its directory to PATH")]
    NotFound {
        /// Where it was looked for.
        path: OsString,
    },
    /// A program that is too old.
    #[error("{} is tmux {version}, too old: install tmux 3.3 or newer", program.display())]
    TooOld {
        /// Which.
        program: PathBuf,
        /// What it calls itself.
        version: Version,
    },
    /// It said something else than its version.
    #[error("{} -V said {said:?}, which is no version of tmux: see that PATH leads to tmux 3.3 or newer", program.display())]
    Unreadable {
        /// Which.
        program: PathBuf,
        /// What it said.
        said: String,
    },
    /// It could not be run, or did not end.
    #[error("could not ask {} for its version", program.display())]
    NoAnswer {
        /// Which.
        program: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

fn search(path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join("tmux"))
        .find(|program| program.is_file() && access(program, Access::EXEC_OK).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_patches_and_development_versions_are_understood() {
        let too_old = |line| Version::parse(line).map(|version| version.is_too_old());
        assert_eq!(too_old("tmux 3.3a\n"), Some(false));
        assert_eq!(too_old("tmux 3.5a"), Some(false));
        assert_eq!(too_old("tmux 3.10"), Some(false));
        assert_eq!(too_old("tmux next-3.7"), Some(false));
        assert_eq!(too_old("tmux 3.6-rc2"), Some(false));
        assert_eq!(too_old("tmux master"), Some(false));
        assert_eq!(too_old("tmux 3.2a"), Some(true));
        assert_eq!(too_old("tmux 2.9"), Some(true));
        assert_eq!(too_old("tmux next-3.3"), Some(false));
        assert_eq!(too_old("screen 4.0"), None);
        assert_eq!(too_old("tmux x.y"), None);
        assert_eq!(too_old(""), None);
    }

    #[test]
    fn the_remedy_is_in_the_message() {
        let version = Version::parse("tmux 3.2a").unwrap();
        let error = FindError::TooOld { program: "/usr/bin/tmux".into(), version };
        assert_eq!(
            error.to_string(),
            "/usr/bin/tmux is tmux 3.2a, too old: install tmux 3.3 or newer"
        );
    }
}
