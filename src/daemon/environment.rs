//! The environment a unit is born with: the daemon's own, less what was meant for the daemon
//! alone; then the unit's environment file, its `environment`, its `path`, and the marker by which
//! its processes are known.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use crate::config::Unit;
use crate::decide::UnitName;
use crate::world::procs::{INSTANCE_VARIABLE, UNIT_VARIABLE};

/// Meant for the daemon alone: a unit that inherited them would speak to systemd in its name.
const OURS_ALONE: [&str; 7] = [
    "NOTIFY_SOCKET",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
    "CREDENTIALS_DIRECTORY",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
];
/// The same for every variable that begins so.
const OURS_ALONE_PREFIX: &str = "WATCHDOG_";

/// The larger an environment file is, the surer it is something else, in bytes.
const FILE_MAX: u64 = 1024 * 1024;

/// Names to values, in a stable order.
pub type Environment = BTreeMap<OsString, OsString>;

/// Why there is no environment. It names the file and the line, never what is in it.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// The file cannot be read.
    #[error("cannot read the environment file {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A line sets nothing.
    #[error("{}:{line}: an environment file has lines of NAME=value", path.display())]
    Line {
        /// Of which file.
        path: PathBuf,
        /// Which, from 1.
        line: usize,
    },
    /// The file is something else.
    #[error("{}: too large for an environment file", path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
    },
}

/// The environment of `unit` over `inherited`.
///
/// # Errors
/// Its environment file cannot be read as one.
pub fn of_unit(
    unit: &Unit,
    instance: &str,
    inherited: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Environment, EnvironmentError> {
    let mut environment: Environment =
        inherited.into_iter().filter(|(name, _)| !is_ours_alone(name)).collect();
    if let Some(path) = &unit.environment_file {
        environment.extend(read_file(path)?);
    }
    for (name, value) in &unit.environment {
        environment.insert(name.into(), value.into());
    }
    if !unit.path.is_empty() {
        let mut folders: Vec<PathBuf> = unit.path.clone();
        if let Some(inherited) = environment.get(OsStr::new("PATH")) {
            folders.extend(std::env::split_paths(inherited));
        }
        // A folder with a colon in it cannot be said in PATH; the config's check refuses it.
        if let Ok(path) = std::env::join_paths(folders) {
            environment.insert("PATH".into(), path);
        }
    }
    environment.extend(marks(&unit.name, instance));
    Ok(environment)
}

/// By these the processes of a unit are known where no cgroup holds them.
pub(super) fn marks(unit: &UnitName, instance: &str) -> [(OsString, OsString); 2] {
    [(UNIT_VARIABLE.into(), unit.as_str().into()), (INSTANCE_VARIABLE.into(), instance.into())]
}

pub(super) fn is_ours_alone(name: &OsStr) -> bool {
    OURS_ALONE.iter().any(|ours| name == *ours)
        || super::reexec::is_internal(name)
        || name.as_bytes().starts_with(OURS_ALONE_PREFIX.as_bytes())
}

fn read_file(path: &Path) -> Result<Environment, EnvironmentError> {
    let read = |source| EnvironmentError::Read { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(read)?.len() > FILE_MAX {
        return Err(EnvironmentError::TooLarge { path: path.to_owned() });
    }
    parse(&std::fs::read(path).map_err(read)?)
        .map_err(|line| EnvironmentError::Line { path: path.to_owned(), line })
}

/// Lines of `NAME=value`, as systemd's EnvironmentFile= and a shell's `.env` have them in common:
/// blank lines and `#` comments, an optional `export`, a value in single or double quotes. No
/// variable is expanded and no backslash is special. The error is the number of the bad line.
fn parse(text: &[u8]) -> Result<Environment, usize> {
    let mut environment = Environment::new();
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let line = line.strip_prefix(b"export ").unwrap_or(line).trim_ascii_start();
        let equals = line.iter().position(|byte| *byte == b'=').ok_or(index + 1)?;
        let (name, value) = (&line[..equals], line[equals + 1..].trim_ascii());
        let name_is_well = !name.is_empty()
            && !name[0].is_ascii_digit()
            && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        if !name_is_well || value.contains(&0) {
            return Err(index + 1);
        }
        let value = unquote(value).to_vec();
        environment.insert(OsString::from_vec(name.to_vec()), OsString::from_vec(value));
    }
    Ok(environment)
}

fn unquote(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => inner,
        plain => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<(String, String)>, usize> {
        let text_of = |it: OsString| it.into_string().expect("UTF-8");
        let pairs = parse(text.as_bytes())?.into_iter();
        Ok(pairs.map(|(name, value)| (text_of(name), text_of(value))).collect())
    }

    #[test]
    fn an_environment_file_is_read_as_systemd_and_a_shell_both_would() {
        let text = "# comment\n\nA=1\nexport B=\"two words\"\nC='x=y'\n D = \nE=a#b\r\n";
        let error = parsed(text).expect_err("a blank before the equals sign");
        assert_eq!(error, 6);
        let text = "# comment\n\nA=1\nexport B=\"two words\"\nC='x=y'\n D=\nE=a#b\r\n";
        let expected = [("A", "1"), ("B", "two words"), ("C", "x=y"), ("D", ""), ("E", "a#b")];
        let expected: Vec<_> =
            expected.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        assert_eq!(parsed(text), Ok(expected));
    }

    #[test]
    fn a_line_that_sets_nothing_is_named_by_its_number() {
        assert_eq!(parsed("A=1\nnonsense\n"), Err(2));
        assert_eq!(parsed("1A=1\n"), Err(1));
        assert_eq!(parsed("=1\n"), Err(1));
    }

    #[test]
    fn what_systemd_said_to_the_daemon_alone_is_not_inherited() {
        for name in OURS_ALONE.iter().chain(&["WATCHDOG_USEC", "WATCHDOG_PID"]) {
            assert!(is_ours_alone(OsStr::new(name)), "{name}");
        }
        assert!(!is_ours_alone(OsStr::new("PATH")));
    }
}
