//! What must be there before anything is started. Not here: looking whether it is.

use std::fmt;
use std::path::PathBuf;

/// `[[require]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// What is looked at.
    pub what: Required,
    /// What is thereby true, in the operator's words.
    pub text: Option<String>,
}

/// What a requirement looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Required {
    /// `HOST:PORT` takes a connection.
    Tcp(String),
    /// There is such a file or folder.
    File(PathBuf),
    /// A command ends with 0.
    Command(Vec<String>),
}

impl fmt::Display for Required {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(place) => write!(f, "tcp {place}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            // Its arguments may be anything.
            Self::Command(words) => {
                write!(f, "command {}", words.first().map_or("", String::as_str))
            }
        }
    }
}
