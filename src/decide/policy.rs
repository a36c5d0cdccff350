//! What the configuration asks, as the watchdog needs it: plain data without files or commands.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Dependency, UnitKind, UnitName};

/// Everything the watchdog obeys.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The units of the config.
    pub units: BTreeMap<UnitName, UnitPolicy>,
    /// All units together.
    pub cap: Cap,
    /// The least time between two starts of paced units; a restart after a death is not paced.
    pub stagger: Duration,
}

/// One unit's part.
#[derive(Clone, Debug)]
pub struct UnitPolicy {
    /// What kind of thing it is.
    pub kind: UnitKind,
    /// The digest of its start spec, to be compared with the one it was started with.
    pub spec: String,
    /// What must be there before it starts.
    pub after: Vec<Dependency>,
    /// How long it may take to say that it is ready; none = it need not say so.
    pub ready_within: Option<Duration>,
    /// How its deaths are answered.
    pub restart: RestartPolicy,
    /// A changed start spec restarts it at once.
    pub restart_on_change: bool,
    /// A clean exit nobody asked for turns the wish down: a person ended it by hand.
    pub ends_by_hand: bool,
    /// How long after the polite signal the rest of it is killed.
    pub grace: Duration,
    /// Its starts are spaced by [`Policy::stagger`].
    pub paced: bool,
    /// Why it is not started whatever the wish.
    pub hold: Option<String>,
}

/// The restart budget.
#[derive(Clone, Debug)]
pub struct RestartPolicy {
    /// Before the first restart.
    pub first_delay: Duration,
    /// Before the second; doubled for each further one.
    pub backoff_from: Duration,
    /// The longest wait.
    pub backoff_to: Duration,
    /// After so long a life the budget is fresh.
    pub stable_after: Duration,
    /// So many deaths …
    pub loop_starts: u32,
    /// … within such a time are a crash loop.
    pub loop_within: Duration,
    /// A unit that was given up is tried once each such time; none = a person must.
    pub loop_retry: Option<Duration>,
}

/// So many restarts within such a time over all units; further ones queue.
#[derive(Clone, Copy, Debug)]
pub struct Cap {
    /// How many.
    pub restarts: u32,
    /// Within which time.
    pub within: Duration,
}
