//! What is remembered: wishes over the power, records over our own death.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use super::message::Message;
use super::plan::PlanSaved;
use super::spent::RemedyUse;
use super::{Exit, Mono, Process, UnitKind, UnitName, Wish};

/// What must survive the power: fsynced before the next action is done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// The operator's wishes. A unit that is not named is wished up because the config names it;
    /// a wish for a unit that the config no longer names is kept.
    pub wishes: BTreeMap<UnitName, Wish>,
    /// The units that a drain stopped in this boot, wishes unchanged.
    pub drained: BTreeSet<UnitName>,
    /// The conversation of each agent session.
    pub conversations: BTreeMap<UnitName, String>,
    /// What was done about each agent session that could not go on.
    pub remedies: BTreeMap<UnitName, Vec<RemedyUse>>,
    /// Why a session's next conversation is not the last one, until it has been told.
    pub because: BTreeMap<UnitName, String>,
    /// What is still to be typed, in order.
    pub messages: BTreeMap<UnitName, Vec<Message>>,
    /// How far the plan is.
    pub plan: PlanSaved,
}

/// What must survive us, but not the power: one unit's life in this boot. Written before the act
/// it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The process; none before its birth and after its known end.
    pub process: Option<Process>,
    /// When it was started.
    pub since: Option<Mono>,
    /// The same as a date.
    pub since_wall: Option<SystemTime>,
    /// It has said that it is ready, or need not.
    pub ready: bool,
    /// We have told it to end: however it does, no person ended it by hand.
    pub ending: bool,
    /// The digest of the start spec it was started with.
    pub spec: String,
    /// The kind it was started as.
    pub kind: UnitKind,
    /// The deaths that count towards a crash loop.
    pub crashes: Vec<Mono>,
    /// How many times in a row it died before it was stable: the exponent of the backoff.
    pub level: u32,
    /// It has been given up once and not been stable since.
    pub looping: bool,
    /// Restarts in this boot.
    pub total: u64,
    /// How the last process ended.
    pub last_exit: Option<(Exit, SystemTime)>,
    /// Not to be started before.
    pub not_before: Option<Mono>,
    /// Why it waits or was given up, in words.
    pub why: String,
}

impl Record {
    /// The record of a unit that was never started.
    pub const fn new(kind: UnitKind) -> Self {
        Self {
            process: None,
            since: None,
            since_wall: None,
            ready: false,
            ending: false,
            spec: String::new(),
            kind,
            crashes: Vec::new(),
            level: 0,
            looping: false,
            total: 0,
            last_exit: None,
            not_before: None,
            why: String::new(),
        }
    }
}
