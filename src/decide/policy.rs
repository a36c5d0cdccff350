//! What the configuration asks, as the watchdog needs it: plain data without files or commands.

use std::collections::BTreeMap;
use std::time::Duration;

use super::orchestrator::Alone;
use super::plan::{HandoffPolicy, PlanPolicy};
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
    /// The plan.
    pub plan: PlanPolicy,
    /// Who wakes whom.
    pub handoffs: Vec<HandoffPolicy>,
    /// Something is required before the first start of an agent.
    pub requires: bool,
    /// The reboots of this machine, in words, for the orchestrator.
    pub boots: String,
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
    /// It is an agent program that we know: it has conversations, and channels to be read by.
    pub agent: Option<AgentPolicy>,
}

/// What is asked of an agent session beyond what every unit has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentPolicy {
    /// The conversation that it begins with, if the config names one.
    pub first: Option<String>,
    /// The command by which the program begins another conversation in the same process.
    pub clear: Option<String>,
    /// The command by which it makes its conversation shorter.
    pub compact: Option<String>,
    /// Its permission prompts and questions are dismissed: nobody is there to answer them.
    pub escape: bool,
    /// What it is told when it has been idle for long.
    pub idle_nudge: Option<IdleNudge>,
    /// What it may spend; none = as much as it likes.
    pub budget: Option<TokenBudget>,
    /// When it has to be known that nobody else runs in its place.
    pub alone: Alone,
    /// It is left to a person until one was seen, or asks for it.
    pub by_hand: bool,
    /// It is neither started nor stopped by itself.
    pub unwatched: bool,
}

/// A line for a session that sits idle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdleNudge {
    /// After so long at its prompt.
    pub after: Duration,
    /// What is typed.
    pub text: String,
}

/// So many tokens within such a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenBudget {
    /// How many, of all kinds together.
    pub tokens: u64,
    /// The length of the window, which ends now.
    pub per: Duration,
    /// Once they are spent it is held until there is room again; else it is only told.
    pub hold: bool,
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
