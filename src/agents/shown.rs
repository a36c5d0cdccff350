//! What a captured pane is, and what one can say.

use std::ffi::OsStr;
use std::time::SystemTime;

use crate::decide::{Doing, Reading};

/// A captured pane.
#[derive(Clone, Copy, Debug)]
pub struct ScreenText<'a> {
    /// The rows, colours included as escape sequences where they were captured.
    pub text: &'a str,
    /// The cell of the cursor, column and row from 0; none if it is hidden or not known.
    pub cursor: Option<(usize, usize)>,
    /// The working directory, to name in a remedy.
    pub directory: Option<&'a OsStr>,
    /// When it was captured: what it says of later is a time of day.
    pub now: SystemTime,
}

/// What a pane shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScreenReading {
    /// What the screen shows of the session.
    pub shows: Shows,
    /// The evidence, and for a start dialog what would have spared it.
    pub why: String,
    /// Where a person types.
    pub composer: Composer,
    /// What has been entered and is kept by the program itself for later, where only the screen says
    /// so.
    pub queued: Option<String>,
}

/// What a screen alone can say of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// It has begun, and takes no prompt yet.
    Starting,
    /// It does this.
    Doing(Doing),
    /// It has ended.
    Dead,
    /// It cannot be told.
    Unknown,
}

impl Shows {
    /// What the session is doing then; none if it cannot be told.
    pub fn doing(self) -> Option<Doing> {
        match self {
            Self::Doing(doing) => Some(doing),
            Self::Starting | Self::Dead | Self::Unknown => None,
        }
    }

    /// How such a session reads.
    pub fn reading(self) -> Reading {
        match self {
            Self::Starting => Reading::Starting,
            Self::Doing(doing) => doing.reading(),
            Self::Dead => Reading::Dead,
            Self::Unknown => Reading::Unknown,
        }
    }
}

/// The input line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Composer {
    /// There is none to be seen.
    Absent,
    /// Nothing has been typed; a suggestion of the program's own may stand there.
    Empty,
    /// This has been typed and not been entered.
    Text(String),
}

/// An option of a dialog, and where its mark stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What the option says, without white space.
    pub text: String,
    /// So many options the mark has to go up to stand on it.
    pub above: usize,
    /// Or down.
    pub below: usize,
}
