//! The invariants, each with a name and a sentence.

use std::fmt;

/// What must hold after every step of every story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Law {
    OneProcess,
    OneAction,
    KnowsBeforeActing,
    StartsOnlyWhatMayRun,
    LeavesTheGoodAlone,
    BoundedRestarts,
    Cap,
    FirstRestartAtOnce,
    GivesUpForDeaths,
    WishesLast,
    SavedFirst,
    RecordsHold,
    NoBusyLoop,
    DeadIsNotShownAlive,
    SaysWhy,
    OldAnswersAreNothing,
    ComesToRest,
    Restarted,
    NoPanic,
}

impl Law {
    fn sentence(self) -> &'static str {
        match self {
            Self::OneProcess => "a unit never has two processes",
            Self::OneAction => {
                "no action of a unit begins before the one before it answered, missed its \
                 deadline, or was overtaken by the end of the process"
            }
            Self::KnowsBeforeActing => {
                "nothing is started unless it is known to be dead, nor stopped unasked unless it \
                 is known to live: a failed or missing answer is no knowledge"
            }
            Self::StartsOnlyWhatMayRun => {
                "nothing is started that is wished down, drained, held, in no config, or whose \
                 dependency is missing"
            }
            Self::LeavesTheGoodAlone => {
                "a living, wished, unchanged, ready unit is never stopped or started anew unasked"
            }
            Self::BoundedRestarts => {
                "the starts of a unit within a crash loop's window are bounded by its budget"
            }
            Self::Cap => "all restarts together are bounded by the cap",
            Self::FirstRestartAtOnce => "the first death after a stable life is answered at once",
            Self::GivesUpForDeaths => {
                "a unit is given up only for as many deaths as its config says, counted from when \
                 an operator last asked for it"
            }
            Self::WishesLast => {
                "wishes change by requests (or an end by hand) only, and outlive kills and reboots"
            }
            Self::SavedFirst => "nothing is done before the wish behind it is durable",
            Self::RecordsHold => {
                "a record never loses a living process, and says the spec that is started"
            }
            Self::NoBusyLoop => {
                "whatever has happened, the next wake lies ahead, and what failed is paused"
            }
            Self::DeadIsNotShownAlive => "a process whose end was told is not shown as living",
            Self::SaysWhy => {
                "a unit that is wished up and is not up says why, and when or for what it waits"
            }
            Self::OldAnswersAreNothing => "an answer to an old ticket changes nothing",
            Self::ComesToRest => {
                "some time after the last fault, what may run is up, what may not has no process, \
                 and what is given up for ever or waits says so"
            }
            Self::Restarted => "after an acknowledged restart, the process is another one",
            Self::NoPanic => "nothing panics",
        }
    }
}

/// A law that was broken.
#[derive(Debug)]
pub(super) struct Breach {
    pub(super) law: Law,
    pub(super) how: String,
}

impl Breach {
    pub(super) fn err<T>(law: Law, how: impl Into<String>) -> Result<T, Self> {
        Err(Self { law, how: how.into() })
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is broken: {}.\n  {}", self.law, self.law.sentence(), self.how)
    }
}
