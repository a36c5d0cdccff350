//! What the operator is to be told: kept on the disk until each target has taken it. Whoever dies in
//! between, it is told at least once, and at most once more for each death. Not here: what is worth
//! telling, and which words.
//!
//! One process sends at a time, by a lock: the daemon, or a verb where there is none. Each target
//! has its own line, so that one that hangs holds up no other, and nobody waits for any of them.

mod kept;
mod line;
mod nanoclaw;
mod sending;
mod shelf;
mod target;
mod words;

use std::cell::{Cell, RefCell};
use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::sync::{Mutex, Notify};
use tokio::task::spawn_blocking;

use self::line::Line;
use self::shelf::Shelf;
use super::children::Children;
use super::files::{self, FileError};
use crate::config::Target;

/// What has not worked for so long, the operator should see where he looks.
const LONG: Duration = Duration::from_secs(5 * 60);

/// Something to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its cause: one that still waits is folded with the next of the same key.
    pub key: String,
    /// A few words.
    pub title: String,
    /// All there is to say.
    pub text: String,
    /// How much it matters.
    pub severity: Severity,
}

/// How much a notice matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    #[default]
    Info,
    /// Look at it when you can.
    Warning,
    /// Somebody is needed.
    Urgent,
}

impl Severity {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Urgent => "urgent",
        }
    }
}

/// What became of a notice that was posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    name: String,
    /// Whether it survives the power. Otherwise it outlives us alone: the disk is full.
    pub durable: bool,
}

/// Why a notice was not kept.
#[derive(Debug, Error)]
pub enum OutboxError {
    /// Neither folder takes it.
    #[error("cannot keep the notice")]
    Write(#[source] FileError),
    /// The thread that should have is gone.
    #[error("cannot keep the notice: its thread is gone")]
    Thread,
}

/// What the sending needs of its process.
pub struct Hands {
    /// Who starts and reaps the commands.
    pub children: Rc<dyn Children>,
    /// Their environment.
    pub environment: Vec<(OsString, OsString)>,
}

/// What happened to a target, for the log. Its text holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// It begins to fail.
    Failing {
        /// Which.
        target: String,
        /// Why.
        why: String,
    },
    /// It takes notices again.
    Works {
        /// Which.
        target: String,
    },
    /// It refuses a notice for good.
    Refused {
        /// Which.
        target: String,
        /// The notice.
        title: String,
        /// Why.
        why: String,
    },
    /// It was told, and that could not be noted: it may be told again after our death.
    Unnoted {
        /// Which.
        target: String,
        /// Why.
        why: String,
    },
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failing { target, why } => write!(f, "{target} does not take notices: {why}"),
            Self::Works { target } => write!(f, "{target} takes notices again"),
            Self::Refused { target, title, why } => {
                write!(f, "{target} refuses the notice {title:?} for good: {why}")
            }
            Self::Unnoted { target, why } => {
                write!(f, "cannot note that {target} was told, which may repeat it: {why}")
            }
        }
    }
}

/// How a delivery by hand ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// All targets have it.
    Told,
    /// Another process sends, the daemon most likely: it does.
    LeftToTheSender,
    /// It waits on the disk for the next who sends.
    Waits(String),
}

/// The outbox of one supervisor.
pub struct Outbox {
    shelf: Shelf,
    targets: Vec<Target>,
    ids: Vec<String>,
    lines: Vec<RefCell<Line>>,
    hands: Hands,
    changed: Notify,
    /// Notices are put down in the order in which they are posted.
    posting: Mutex<()>,
    not_our_turn_since: Cell<Option<Instant>>,
    looking_since: Cell<Option<Instant>>,
}

impl Outbox {
    /// That of this `state_dir`; `runtime_dir` takes what the other cannot. Two equal targets are
    /// one.
    pub fn open(state_dir: &Path, runtime_dir: &Path, all: &[Target], hands: Hands) -> Rc<Self> {
        let mut targets: Vec<Target> = Vec::new();
        for target in all {
            if !targets.contains(target) {
                targets.push(target.clone());
            }
        }
        let shelf = Shelf::new(state_dir, runtime_dir);
        shelf.folders().into_iter().for_each(files::remove_leftovers);
        Rc::new(Self {
            shelf,
            ids: targets.iter().map(target::id).collect(),
            lines: targets.iter().map(|_| RefCell::default()).collect(),
            targets,
            hands,
            changed: Notify::new(),
            posting: Mutex::new(()),
            not_our_turn_since: Cell::new(None),
            looking_since: Cell::new(None),
        })
    }

    /// Whether there is anybody to be told.
    pub fn has_targets(&self) -> bool {
        !self.targets.is_empty()
    }

    /// Keeps a notice; `None` if there is nobody to be told. When it returns, the notice survives
    /// us. It waits for the disk, so it is for a task of its own, not for the loop.
    ///
    /// # Errors
    /// [`OutboxError`].
    pub async fn post(&self, notice: Notice) -> Result<Option<Posted>, OutboxError> {
        if !self.has_targets() {
            return Ok(None);
        }
        let _turn = self.posting.lock().await;
        let shelf = self.shelf.clone();
        let posted = spawn_blocking(move || shelf.post(&notice, SystemTime::now())).await;
        let posted = posted.map_err(|_| OutboxError::Thread)??;
        self.changed.notify_waiters();
        Ok(Some(posted))
    }

    /// What the operator should see where he looks: targets that have failed for long.
    pub fn trouble(&self) -> Option<String> {
        let long = |since: Option<Instant>| since.filter(|since| since.elapsed() >= LONG);
        let mut words = Vec::new();
        if long(self.not_our_turn_since.get()).is_some() {
            words.push("another process has the outbox, and does not let go".to_owned());
        }
        if long(self.looking_since.get()).is_some() {
            words.push("the folder of the outbox gives no answer".to_owned());
        }
        for (line, target) in self.lines.iter().zip(&self.targets) {
            let line = line.borrow();
            if let Some(failing) =
                line.failing().filter(|failing| long(Some(failing.since)).is_some())
            {
                let minutes = failing.since.elapsed().as_secs() / 60;
                let (name, why) = (target::name(target), &failing.why);
                words.push(format!("{name} has taken no notice for {minutes} min: {why}"));
            }
        }
        (!words.is_empty()).then(|| words.join("; "))
    }
}

#[cfg(test)]
mod tests;
