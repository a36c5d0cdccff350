//! What can be wrong with a configuration, in words for the person who wrote it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::key::Key;

/// Where a configuration's text comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file.
    File(PathBuf),
    /// The one that the binary carries for `demo`.
    BuiltIn,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::BuiltIn => f.write_str("built-in"),
        }
    }
}

/// Why there is no usable configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// None was named and none is in any of the usual places.
    #[error(
        "no configuration found; looked for {}; write one with `supervisor init`, or name one \
         with --config FILE",
        list(.looked)
    )]
    NotFound {
        /// Where one could have been.
        looked: Vec<PathBuf>,
    },
    /// The one that was named is not there.
    #[error(
        "{}: no such file; write one with `supervisor init`, or name another with --config FILE",
        .path.display()
    )]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// It is there and cannot be read.
    #[error("cannot read the configuration {}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It was read, and this is wrong with it: one line a problem, in the order of the file.
    #[error("{}", lines(.origin, .problems))]
    Invalid {
        /// Where it comes from.
        origin: Origin,
        /// At least one.
        problems: Vec<Problem>,
    },
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line it stands on, from 1.
    pub line: usize,
    /// The column, from 1, where the text is not TOML.
    pub column: Option<usize>,
    /// The key, such as `services.nanoclaw.after[0]`; empty where the whole file is meant.
    pub key: String,
    /// What is wrong; what would be right. Never a value of an environment or a URL.
    pub what: String,
}

impl Problem {
    /// What is wrong with `key`, which stands on `line`.
    pub(super) fn new(line: usize, key: &Key, what: impl Into<String>) -> Self {
        Self { line, column: None, key: key.to_string(), what: what.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.line)?;
        if let Some(column) = self.column {
            write!(f, ":{column}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.what)
    }
}

fn lines(origin: &Origin, problems: &[Problem]) -> String {
    let lines: Vec<_> = problems.iter().map(|problem| format!("{origin}:{problem}")).collect();
    lines.join("\n")
}

fn list(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    paths.join(", ")
}
