//! What is known of one unit and must outlive the daemon, but not the boot.

use std::time::SystemTime;

use super::{Exit, Mono, Process, UnitKind};

/// The record of one unit: enough for a successor to adopt it and to go on counting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The supervised program, while it runs (or ran when this was written).
    pub process: Option<Process>,
    /// When it entered its present state.
    pub since: Option<Mono>,
    /// The same moment as a date, for people.
    pub since_wall: Option<SystemTime>,
    /// Whether it has said that it is ready.
    pub ready: bool,
    /// The digest of the start spec that the process was started with.
    pub spec: String,
    /// The unit's kind when it was started.
    pub kind: UnitKind,
    /// The crashes that still count against the restart budget, the oldest first.
    pub crashes: Vec<Mono>,
    /// How far the backoff has climbed.
    pub level: u32,
    /// Whether the unit was given up as crash-looping.
    pub looping: bool,
    /// Every restart so far.
    pub total: u64,
    /// How and when it last ended.
    pub last_exit: Option<(Exit, SystemTime)>,
    /// It shall not be started before this.
    pub not_before: Option<Mono>,
}

impl Record {
    /// The record of a unit that was never started.
    pub const fn new(kind: UnitKind) -> Self {
        Self {
            process: None,
            since: None,
            since_wall: None,
            ready: false,
            spec: String::new(),
            kind,
            crashes: Vec::new(),
            level: 0,
            looping: false,
            total: 0,
            last_exit: None,
            not_before: None,
        }
    }
}
