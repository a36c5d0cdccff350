//! The two closed lists: what can happen, and what can be done about it.

use std::time::Duration;

use super::{Dependency, Exit, Process, Record, Saved, UnitName};

/// The number of one action, so that its answer is told from that of an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Time has passed.
    Tick,
    /// The answer to [`Action::Look`].
    Looked {
        /// Which unit.
        unit: UnitName,
        /// Of which action.
        ticket: Ticket,
        /// What was seen.
        look: Look,
    },
    /// The answer to [`Action::Start`]: its process, or why there is none. After an error nothing
    /// of the unit is left running.
    Started {
        /// Which unit.
        unit: UnitName,
        /// Of which action.
        ticket: Ticket,
        /// What became of it.
        outcome: Result<Process, String>,
    },
    /// The answer to [`Action::Stop`]: how its process ended (none = there was none), with
    /// nothing of it left; or why it could not be ended.
    Stopped {
        /// Which unit.
        unit: UnitName,
        /// Of which action.
        ticket: Ticket,
        /// What became of it.
        outcome: Result<Option<Exit>, String>,
    },
    /// The unit said that it is ready.
    Ready {
        /// Which unit.
        unit: UnitName,
        /// Which of its processes.
        process: Process,
    },
    /// A process ended.
    Exited {
        /// Which unit.
        unit: UnitName,
        /// Which of its processes.
        process: Process,
        /// How.
        exit: Exit,
    },
    /// The answer to [`Action::Await`]: there, or not yet and why.
    Found {
        /// Which dependency.
        dependency: Dependency,
        /// There, or why not.
        outcome: Result<(), String>,
    },
    /// An operator speaks.
    Asked(Request),
}

/// What a look at a unit saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// It lives. From here on its exit will be reported.
    Alive {
        /// Its process.
        process: Process,
        /// It has said that it is ready, or need not.
        ready: bool,
    },
    /// It certainly does not live.
    Absent {
        /// How the recorded process ended, where that could be learnt.
        exit: Option<Exit>,
    },
    /// Nobody could tell: this is not death.
    Failed(String),
}

/// What an operator asks. The names were checked by whoever passes them on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Wish up.
    Start(Vec<UnitName>),
    /// Wish down.
    Stop(Vec<UnitName>),
    /// Wish up, by a new process.
    Restart {
        /// Which units.
        units: Vec<UnitName>,
        /// With a new conversation.
        fresh: bool,
    },
    /// All down, wishes unchanged.
    Drain,
}

/// What is to be done, in this order, with nothing left to choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make this durable before the next action.
    Save(Saved),
    /// Write the record of a unit before the next action.
    Record {
        /// Which unit.
        unit: UnitName,
        /// Its record.
        record: Record,
    },
    /// Drop the record of a unit that is in no config and runs no longer.
    Forget {
        /// Which unit.
        unit: UnitName,
    },
    /// Find out whether a unit lives; if so, report its exit and readiness from here on.
    Look {
        /// Which unit.
        unit: UnitName,
        /// The number to answer with.
        ticket: Ticket,
    },
    /// End what is left of the unit's last process, write the record with the new process in it,
    /// and only then let that process run.
    Start {
        /// Which unit.
        unit: UnitName,
        /// The number to answer with.
        ticket: Ticket,
        /// The record, but for the process.
        record: Record,
        /// With a new conversation.
        fresh: bool,
    },
    /// End all of a unit: politely, and after `grace` by force.
    Stop {
        /// Which unit.
        unit: UnitName,
        /// The number to answer with.
        ticket: Ticket,
        /// How long to be polite.
        grace: Duration,
    },
    /// Say whether a dependency is there, and if it is not, say so once it is.
    Await {
        /// Which one (never a unit).
        dependency: Dependency,
    },
    /// Write this into the journal.
    Journal(Entry),
}

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which unit, if any.
    pub unit: Option<UnitName>,
    /// What happened or was done, in one word.
    pub event: &'static str,
    /// Why, or how, in words.
    pub why: String,
}
