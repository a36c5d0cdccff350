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
    OneConversation,
    ConversationsLast,
    RefusedOnce,
    LeavesTheWaiting,
    ClearsFirst,
    KickoffIsOwed,
    RemediesAreBounded,
    AnswersWhatIsAsked,
    ToldOnce,
    NoTextInVain,
    NoTextIntoDialogs,
    NoLookWhereSpoken,
    ArrivesOnce,
    ArrivesInOrder,
    NoneIsLost,
    Drains,
    ComesToRest,
    Restarted,
    EdgesAreTold,
    EdgesAreToldOnce,
    FirstSightIsSilent,
    PhaseLasts,
    PhaseIsConsented,
    PhaseEnds,
    IsOfThePhase,
    PlanIsToldOnce,
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
                "a unit that is wished up and is not up, or does not go on, says why, and when or \
                 for what it waits"
            }
            Self::OldAnswersAreNothing => "an answer to an old ticket changes nothing",
            Self::OneConversation => "no two living processes are in one conversation",
            Self::ConversationsLast => {
                "a conversation changes by a fresh restart, a complaint, a person's clearing, or a \
                 remedy for one that is wedged or stalled twice only, and outlives kills, reboots \
                 and the power"
            }
            Self::RefusedOnce => "a refused start is not tried again until a person asks",
            Self::LeavesTheWaiting => {
                "no session is stopped or started unasked while it waits for the reset of a limit \
                 or for its login, but to read a login that was renewed"
            }
            Self::ClearsFirst => {
                "a conversation that is wedged is cleared before its process is ended for that"
            }
            Self::KickoffIsOwed => {
                "who is in another conversation by a remedy is told why, or that is still owed, on \
                 disk too"
            }
            Self::RemediesAreBounded => {
                "the remedies of a session within six hours, and of all within one, are bounded"
            }
            Self::AnswersWhatIsAsked => {
                "a dialog is answered only while a channel shows it, dismissed only if the config \
                 says so, and never before the first prompt"
            }
            Self::ToldOnce => "a lost login is told once, until it is told that it is back",
            Self::NoTextInVain => {
                "no message is typed where every turn fails, nor our own line before it may help"
            }
            Self::NoTextIntoDialogs => {
                "nothing is typed into a dialog, a session that has not spoken, or one that is \
                 to be stopped, and no command into a turn"
            }
            Self::NoLookWhereSpoken => {
                "a screen is read only where no other channel has spoken in this life"
            }
            Self::ArrivesOnce => "a message never arrives twice",
            Self::ArrivesInOrder => "the messages of a session arrive in their order",
            Self::NoneIsLost => {
                "a message has arrived, or was dropped for a reason that was said, or is in the \
                 queue, on disk too"
            }
            Self::Drains => {
                "some time after the last fault, an idle session is known to be idle, and nothing \
                 waits for it; after the longest waits, every one is idle and owed nothing"
            }
            Self::ComesToRest => {
                "some time after the last fault, what may run is up, what may not has no process, \
                 and what is given up for ever or waits says so"
            }
            Self::Restarted => "after an acknowledged restart, the process is another one",
            Self::EdgesAreTold => {
                "each line that stands in the file of a hand-off is told of by a message that is as \
                 durable as that it is known, or by a newer one that counts it, unless the plan is \
                 done; and each commit to another's file is said"
            }
            Self::EdgesAreToldOnce => {
                "a line of a hand-off is told of once, over all lives, whatever it is called after \
                 its history was written anew, and a look that failed tells of none"
            }
            Self::FirstSightIsSilent => {
                "what stood in the file of a hand-off when nobody had looked before wakes nobody"
            }
            Self::PhaseLasts => {
                "the phase, and that it is done, outlive kills and reboots; without an operator a \
                 phase is followed by the next one only, and DONE counts until it is taken back"
            }
            Self::PhaseIsConsented => {
                "a phase ends by itself only with a DONE that was written in it, and consent to it \
                 that is later and not refused"
            }
            Self::PhaseEnds => {
                "some time after the last fault, no phase goes on whose DONE is consented to, and \
                 none is done whose DONE is gone"
            }
            Self::IsOfThePhase => {
                "some time after the last fault, each living session of the plan is in a \
                 conversation that was begun in the phase that is"
            }
            Self::PlanIsToldOnce => {
                "what blocks the plan, and that a phase is done that nothing follows by itself, is \
                 told, and told once"
            }
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
