//! The two closed lists: what can happen, and what can be done about it.

use std::time::Duration;

use super::message::{Message, Typed};
use super::notice::Notice;
use super::plan::{DoneSight, Mark, Written};
use super::request::Request;
use super::{
    Complaint, Dependency, Dialog, Exit, Mono, Process, Record, Saved, Sighting, UnitName,
};

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
        outcome: Result<Process, NoStart>,
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
    /// A channel of a session says what it is doing.
    Sighted {
        /// Which unit.
        unit: UnitName,
        /// Which of its processes.
        process: Process,
        /// What was seen.
        sighting: Sighting,
    },
    /// The answer to [`Action::ReadScreen`].
    Screened {
        /// Which unit.
        unit: UnitName,
        /// Of which action.
        ticket: Ticket,
        /// What it shows; none if that says nothing, or it could not be seen.
        sighting: Option<Sighting>,
        /// A digest of all that stands there: the same as long as nothing changes; none if it could
        /// not be seen.
        picture: Option<u64>,
    },
    /// A process goes on in this conversation.
    Opened {
        /// Which unit.
        unit: UnitName,
        /// Which of its processes.
        process: Process,
        /// The conversation.
        conversation: String,
        /// How it came to that, in a few words.
        how: String,
    },
    /// A process says, before it ends, why another start like this one would end the same way.
    Complained {
        /// Which unit.
        unit: UnitName,
        /// Which of its processes.
        process: Process,
        /// About what.
        about: Complaint,
        /// What it says.
        why: String,
    },
    /// A prompt was entered in a session.
    Prompted {
        /// Which unit.
        unit: UnitName,
        /// Which of its processes.
        process: Process,
        /// The prompt.
        prompt: String,
    },
    /// The answer to [`Action::Type`].
    Typed {
        /// Which unit.
        unit: UnitName,
        /// Of which action.
        ticket: Ticket,
        /// What it came to.
        outcome: Typed,
    },
    /// The answer to [`Action::Answer`].
    Answered {
        /// Which unit.
        unit: UnitName,
        /// Of which action.
        ticket: Ticket,
        /// The dialog is gone; or why nothing could be answered: it still stands there, or nobody
        /// knows.
        outcome: Result<(), String>,
    },
    /// The answer to [`Action::Kickoff`]: the text to type, or none if the session has none.
    Kickoff {
        /// Which unit.
        unit: UnitName,
        /// The kickoff prompt, with the reason in it.
        text: Option<String>,
    },
    /// Something moved in a session: its transcript grew, by itself or by a sub-agent.
    Progress {
        /// Which unit.
        unit: UnitName,
        /// Which of its processes.
        process: Process,
        /// When.
        at: Mono,
    },
    /// A session with a budget has spent tokens, or there were some when we began.
    Used {
        /// Which unit.
        unit: UnitName,
        /// The tokens of the window that ends now.
        tokens: u64,
        /// When the window has room again if nothing more is spent; in the past if it has.
        until: Mono,
    },
    /// A session's program works on this account: a digest of what identifies it, the same for all
    /// sessions that share a login.
    Account {
        /// Which unit.
        unit: UnitName,
        /// The account.
        account: String,
    },
    /// The login of an account was renewed, or at least its files were written.
    LoginChanged {
        /// The account.
        account: String,
    },
    /// The answer to [`Action::Await`]: there, or not yet and why.
    Found {
        /// Which dependency.
        dependency: Dependency,
        /// There, or why not.
        outcome: Result<(), String>,
    },
    /// What stands in the file of a hand-off; or why nobody could look.
    Marked {
        /// Which hand-off: [`super::HandoffPolicy::key`].
        handoff: String,
        /// What stands there, the oldest commit first.
        outcome: Result<Vec<Mark>, String>,
    },
    /// What the repositories say of the end of a phase; or why nobody could look.
    DoneSeen {
        /// Of which phase.
        phase: String,
        /// What they say.
        outcome: Result<DoneSight, String>,
    },
    /// The heading that says what the builder is blocked by, with its section, if it stands there.
    BlockedSeen(Result<Option<Mark>, String>),
    /// A clone of the plan has other commits than before, or was looked at for the first time.
    Committed {
        /// The clone.
        place: String,
        /// Up to which commits was looked.
        heads: Vec<String>,
        /// Those that changed a file with an owner, the oldest first.
        commits: Vec<Written>,
    },
    /// Whether something of the plan can be reached at all.
    Reached {
        /// What, in words.
        what: String,
        /// Yes, or why not.
        outcome: Result<(), String>,
    },
    /// Somebody else is in the place of an agent session.
    Stranger {
        /// Which session.
        unit: UnitName,
        /// Who, and how that is known, in words.
        who: String,
    },
    /// An operator speaks.
    Asked(Request),
}

/// Why there is no process after a start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoStart {
    /// Something failed; it is tried again as after a death.
    Failed(String),
    /// The conversation is open in a process that is not ours to end; it is waited for.
    Taken(String),
    /// It would fail every time: a person must change something first.
    Refused(String),
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
        /// The conversation to go on with, or to begin if it does not exist; none for what is no
        /// agent.
        conversation: Option<String>,
        /// If that does not exist, one of its name is as good.
        by_name: bool,
        /// Why this conversation is another than the last, to be said in its first prompt.
        because: Option<String>,
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
    /// The process goes on in this conversation: it is ours from here on, the one before is not.
    Lease {
        /// Which unit.
        unit: UnitName,
        /// Which of its processes.
        process: Process,
        /// The conversation.
        conversation: String,
    },
    /// See what the screen of a session says of it.
    ReadScreen {
        /// Which unit.
        unit: UnitName,
        /// The number to answer with.
        ticket: Ticket,
    },
    /// Type a message into a session that is at its prompt or in a turn, and see that it arrives.
    Type {
        /// Which unit.
        unit: UnitName,
        /// The number to answer with.
        ticket: Ticket,
        /// The message.
        message: Message,
        /// It may have arrived already: look for it before it is typed.
        suspected: bool,
    },
    /// Answer the dialog that a session is at, if it is still that one.
    Answer {
        /// Which unit.
        unit: UnitName,
        /// The number to answer with.
        ticket: Ticket,
        /// Which dialog.
        dialog: Dialog,
        /// How.
        answer: Answer,
    },
    /// Say what a session's kickoff prompt is, for a conversation that was begun in a living
    /// process.
    Kickoff {
        /// Which unit.
        unit: UnitName,
        /// Why the conversation is another than the last.
        because: String,
    },
    /// Tell the operator.
    Notify(Notice),
    /// Write this into the journal.
    Journal(Entry),
}

/// How a dialog is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// By Escape.
    Escape,
    /// By the option whose text says to wait for the reset of the limit, and to go on then.
    Wait,
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

impl From<String> for NoStart {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}
