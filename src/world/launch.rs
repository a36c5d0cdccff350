//! The launch file: what a session's program is started with, and [`exec_unit`], the few
//! instructions between tmux and that program. tmux carries 16 KiB of command line at most and
//! shows it to everybody; a file of mode 0600 carries what the kernel will.
//!
//! Not here: what belongs into the environment.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use nix::fcntl::OFlag;
use nix::unistd::{SysconfVar, geteuid, sysconf};
use serde::{Deserialize, Serialize};

use crate::decide::UnitName;

mod complaint;

/// The version in every launch file. `exec-unit` reads older ones for ever.
const VERSION: u32 = 1;

/// The longest single argument or `NAME=value`, its NUL included: the kernel's `MAX_ARG_STRLEN`.
const STRING_MAX: usize = 128 * 1024;

/// The kernel lets arguments and environment together have no more than this, however high the
/// stack limit that `sysconf(_SC_ARG_MAX)` is computed from.
const TOTAL_MAX: usize = 6 * 1024 * 1024;

/// Left free for what is not in the file: the program's path, tmux's three variables, the
/// kernel's own words on a new stack.
const TOTAL_SLACK: usize = 8 * 1024;

/// What tmux set for its pane: it goes on to the program over whatever the file says.
const FROM_TMUX: [&str; 3] = ["TMUX", "TMUX_PANE", "TERM"];

/// What a session's program is started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchFile {
    /// The program, looked for in the environment's `PATH` unless it holds a slash, and its
    /// arguments.
    pub argv: Vec<OsString>,
    /// The whole environment.
    pub environment: Vec<(OsString, OsString)>,
    /// The working directory; `None` = the one that tmux gives.
    pub directory: Option<PathBuf>,
}

impl LaunchFile {
    /// Whether the kernel will take it. To be asked before anything is started.
    ///
    /// # Errors
    /// [`LaunchError`] says which part is too large or malformed.
    pub fn check(&self) -> Result<(), LaunchError> {
        if self.argv.first().is_none_or(|program| program.is_empty()) {
            return Err(LaunchError::NoProgram);
        }
        let mut total = 2 * size_of::<usize>();
        for (position, argument) in self.argv.iter().enumerate() {
            let what = || format!("argument {position}");
            total += measure(argument.as_bytes(), 0, what)?;
        }
        for (name, value) in &self.environment {
            let what = || format!("the variable {}", name.display());
            if name.is_empty() || name.as_bytes().contains(&b'=') {
                return Err(LaunchError::BadName { name: name.clone() });
            }
            measure(name.as_bytes(), 0, what)?;
            total += measure(value.as_bytes(), name.len() + 1, what)?;
        }
        let limit = total_limit();
        if total > limit {
            return Err(LaunchError::TotalTooLong { total, limit });
        }
        if let Some(directory) = &self.directory {
            measure(directory.as_os_str().as_bytes(), 0, || "the directory".to_owned())?;
        }
        Ok(())
    }

    /// Writes it to `launch_dir/UNIT.json`, mode 0600, in place of an earlier one, and returns
    /// the path. The directory is made if need be, for its owner only.
    ///
    /// # Errors
    /// [`LaunchError`], those of [`LaunchFile::check`] included.
    pub fn write(&self, launch_dir: &Path, unit: &UnitName) -> Result<PathBuf, LaunchError> {
        self.check()?;
        let path = launch_dir.join(format!("{unit}.json"));
        let half = launch_dir.join(format!(".{unit}.json.tmp"));
        let json = serde_json::to_vec(&Saved::from(self))
            .map_err(|error| LaunchError::Write { path: path.clone(), source: error.into() })?;
        let written = || -> io::Result<()> {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(launch_dir)?;
            match fs::remove_file(&half) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = File::options().write(true).create_new(true).mode(0o600).open(&half)?;
            file.write_all(&json)?;
            drop(file);
            fs::rename(&half, &path)
        };
        written().map_err(|source| LaunchError::Write { path: path.clone(), source })?;
        Ok(path)
    }

    /// Reads what [`LaunchFile::write`] wrote. A file of another user, or one that others may
    /// read or write, is refused: it could say anything, or have told anybody.
    ///
    /// # Errors
    /// [`LaunchError`].
    pub fn read(path: &Path) -> Result<Self, LaunchError> {
        let failed = |source| LaunchError::Read { path: path.to_owned(), source };
        let mut file = File::options()
            .read(true)
            .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
            .open(path)
            .map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let ours = metadata.uid() == geteuid().as_raw() && metadata.mode() & 0o077 == 0;
        if !metadata.is_file() || !ours {
            return Err(LaunchError::NotOurs { path: path.to_owned() });
        }
        let mut json = Vec::new();
        file.read_to_end(&mut json).map_err(failed)?;
        let saved: Saved = serde_json::from_slice(&json)
            .map_err(|source| LaunchError::Malformed { path: path.to_owned(), source })?;
        if saved.version > VERSION {
            return Err(LaunchError::TooNew { path: path.to_owned(), version: saved.version });
        }
        Ok(saved.into())
    }
}

/// Becomes the program that the launch file at `path` names: same process, exactly its
/// environment (and what tmux set for the pane), its directory, no signal ignored or blocked. It
/// returns only when that failed, has then said so on the pane, and gives the exit code: 127 for a program that is
/// not there, 126 for everything else.
///
/// It stands between a death and the new program's first instruction: no runtime, no log, no
/// command line parser comes before it.
pub fn exec_unit(path: &Path) -> u8 {
    let (why, code) = match LaunchFile::read(path) {
        Ok(launch) => launch.exec(),
        Err(error) => (complaint::chain(&error), 126),
    };
    complaint::show(&format!("supervisor exec-unit: {why}"));
    code
}

impl LaunchFile {
    fn exec(self) -> (String, u8) {
        if let Err(error) = self.check() {
            return (complaint::chain(&error), 126);
        }
        let Some((program, arguments)) = self.argv.split_first() else {
            return (LaunchError::NoProgram.to_string(), 126);
        };
        if let Some(directory) = &self.directory
            && let Err(error) = std::env::set_current_dir(directory)
        {
            return (format!("cannot enter the directory {}: {error}", directory.display()), 126);
        }
        let mut command = Command::new(program);
        command.args(arguments).env_clear();
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        for name in FROM_TMUX {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        unignore_signals();
        // It also empties the signal mask and gives SIGPIPE, which Rust ignores, its default.
        let error = command.exec();
        let code = if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
        (format!("cannot run {}: {error}", program.display()), code)
    }
}

/// Why a launch file is no good.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// Nothing to run.
    #[error("the command is empty")]
    NoProgram,
    /// No variable can be called so.
    #[error("no environment variable can be named {name:?}")]
    BadName {
        /// The name.
        name: OsString,
    },
    /// A NUL byte ends every string the kernel is given.
    #[error("{what} holds a NUL byte")]
    Nul {
        /// Which string.
        what: String,
    },
    /// One string is longer than the kernel takes.
    #[error("{what} has {length} bytes, and the kernel takes {} at most: put the text into a file and name that", STRING_MAX - 1)]
    StringTooLong {
        /// Which string.
        what: String,
        /// Its length.
        length: usize,
    },
    /// All together are more than the kernel takes.
    #[error(
        "arguments and environment have {total} bytes together, and the kernel takes {limit} at most: put long texts into files"
    )]
    TotalTooLong {
        /// What they have.
        total: usize,
        /// What they may have.
        limit: usize,
    },
    /// It could not be written.
    #[error("could not write the launch file {}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It could not be read.
    #[error("could not read the launch file {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It belongs to another user, or others may read or write it.
    #[error("the launch file {} is not a file that only its owner, this user, may touch", path.display())]
    NotOurs {
        /// Which.
        path: PathBuf,
    },
    /// It is no launch file.
    #[error("{} is no launch file", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A newer supervisor wrote it.
    #[error("the launch file {} has version {version}, and this supervisor knows {VERSION}", path.display())]
    TooNew {
        /// Which.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
}

/// The file's own shape.
#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    version: u32,
    argv: Vec<Text>,
    environment: Vec<(Text, Text)>,
    directory: Option<Text>,
}

/// Text where it is text, else its bytes, so that any name survives.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Text {
    Utf8(String),
    Bytes(Vec<u8>),
}

impl From<&OsStr> for Text {
    fn from(text: &OsStr) -> Self {
        match text.to_str() {
            Some(text) => Self::Utf8(text.to_owned()),
            None => Self::Bytes(text.as_bytes().to_owned()),
        }
    }
}

impl From<Text> for OsString {
    fn from(text: Text) -> Self {
        match text {
            Text::Utf8(text) => text.into(),
            Text::Bytes(bytes) => OsString::from_vec(bytes),
        }
    }
}

impl From<&LaunchFile> for Saved {
    fn from(launch: &LaunchFile) -> Self {
        let text = |text: &OsString| Text::from(text.as_os_str());
        Self {
            version: VERSION,
            argv: launch.argv.iter().map(text).collect(),
            environment: launch.environment.iter().map(|(k, v)| (text(k), text(v))).collect(),
            directory: launch.directory.as_ref().map(|path| Text::from(path.as_os_str())),
        }
    }
}

impl From<Saved> for LaunchFile {
    fn from(saved: Saved) -> Self {
        let environment = saved.environment.into_iter();
        Self {
            argv: saved.argv.into_iter().map(OsString::from).collect(),
            environment: environment.map(|(k, v)| (k.into(), v.into())).collect(),
            directory: saved.directory.map(|path| OsString::from(path).into()),
        }
    }
}

/// What one string costs on the new stack: itself, its NUL, and the pointer to it.
fn measure(text: &[u8], before: usize, what: impl Fn() -> String) -> Result<usize, LaunchError> {
    if text.contains(&0) {
        return Err(LaunchError::Nul { what: what() });
    }
    let length = before + text.len();
    if length + 1 > STRING_MAX {
        return Err(LaunchError::StringTooLong { what: what(), length });
    }
    Ok(length + 1 + size_of::<usize>())
}

fn total_limit() -> usize {
    let limit = sysconf(SysconfVar::ARG_MAX).ok().flatten();
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(STRING_MAX);
    limit.min(TOTAL_MAX).saturating_sub(TOTAL_SLACK)
}

/// An ignored signal stays ignored over exec, a caught one gets its default back: so those that
/// whoever started tmux had ignored are caught for the moment that is left.
fn unignore_signals() {
    let Ok(status) = fs::read_to_string("/proc/self/status") else {
        return;
    };
    for signal in ignored(&status) {
        // The runtime's own, and those that cannot be caught, are refused: nothing is to be done.
        let _refused = signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)));
    }
}

fn ignored(status: &str) -> Vec<i32> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    let pipe = nix::libc::SIGPIPE;
    (1..=31).filter(|signal| mask & (1 << (signal - 1)) != 0 && *signal != pipe).collect()
}

#[cfg(test)]
mod tests;
