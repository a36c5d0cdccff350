//! What has to be known of an agent program, as a trait: one implementation a program.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::invoked::Calls;
use super::shown::{Choice, ScreenReading, ScreenText};
use crate::decide::{Complaint, Doing, Process, Tokens};

/// Everything that is particular to one agent program. What has an answer already is what a program
/// says that has no such channel.
pub trait Profile: Sync {
    /// The program that is run unless the config's `command` names another.
    fn program(&self) -> &'static str;

    /// The versions that this profile was measured with, oldest first.
    fn known_versions(&self) -> &'static [&'static str];

    /// The words after the program.
    fn arguments(&self, start: &Start<'_>) -> Vec<OsString>;

    /// Variables that make unattended work possible. What the unit sets itself stands.
    fn environment(&self) -> &'static [(&'static str, &'static str)];

    /// Where it keeps what, given the unit's environment; none if that names no home.
    fn places(&self, variable: &dyn Fn(&str) -> Option<OsString>) -> Option<Places>;

    /// Why the program would refuse to run so, and what to do about it; none if it would not.
    fn refusal(&self, facts: &StartFacts<'_>) -> Option<String>;

    /// What must stand in the user's files so that no start dialog comes up.
    fn seeds(&self, _places: &Places, _facts: &StartFacts<'_>) -> Vec<Seed> {
        Vec::new()
    }

    /// The text of a settings file of our own, in which each hook calls `hook_command`, a line for
    /// the shell; none if it takes no such file. `args` are those of the config: what they consent
    /// to needs no dialog.
    fn settings(&self, _hook_command: &str, _args: &[String]) -> Option<String> {
        None
    }

    /// The variable by which it finds [`Profile::settings`]; none if an argument does that.
    fn settings_variable(&self) -> Option<&'static str> {
        None
    }

    /// What one call of a hook says that was made `at` this time; none if the payload is not the
    /// program's.
    fn hook(&self, _payload: &Value, _at: SystemTime) -> Option<HookNews> {
        None
    }

    /// The name of the file in the registry that is about the process `pid`; none without one.
    fn registry_name(&self, _pid: i32) -> Option<String> {
        None
    }

    /// What one file of the registry says; none if it is none (or only half written).
    fn live(&self, _file: &[u8]) -> Option<Live> {
        None
    }

    /// The conversation that a process with these arguments opens; none if they name none.
    fn opens(&self, _arguments: &[&[u8]]) -> Option<String> {
        None
    }

    /// What its command lines look like.
    fn calls(&self) -> Calls;

    /// How many folders deep below [`Places::transcripts`] the transcripts lie.
    fn transcript_depth(&self) -> usize {
        0
    }

    /// Whether a file there of that name is the transcript of `conversation`.
    fn is_transcript(&self, _name: &str, _conversation: &str) -> bool {
        false
    }

    /// Whether a folder directly below [`Places::transcripts`] of that name holds the transcripts of
    /// what is done in `directory`, and of nothing else.
    fn is_transcript_folder(&self, _name: &str, _directory: &Path) -> bool {
        false
    }

    /// Whether its conversations can have names, by which they are found again.
    fn names_conversations(&self) -> bool {
        false
    }

    /// The name of its conversation that one line of a transcript tells.
    fn transcript_title(&self, _line: &[u8]) -> Option<String> {
        None
    }

    /// The conversation whose transcript a file of that name is.
    fn conversation_of(&self, _name: &str) -> Option<String> {
        None
    }

    /// The text of one line of a transcript for people to read; none for what is not shown.
    fn transcript_line(&self, _line: &[u8]) -> Option<String> {
        None
    }

    /// The prompt that one line of a transcript shows as having been entered; none if the line is
    /// something else.
    fn transcript_prompt(&self, _line: &[u8]) -> Option<String> {
        None
    }

    /// The prompt with which a resumed conversation takes up a turn that was cut off, if the program
    /// does not do that by itself.
    fn goes_on_with(&self) -> Option<&'static str> {
        None
    }

    /// What one line of a transcript says of its session; none for book-keeping, and for a program
    /// without transcripts.
    fn transcript_news(&self, _line: &[u8]) -> Option<TranscriptNews> {
        None
    }

    /// The folder, beside the transcript of a conversation, with the transcripts of its
    /// sub-agents; none if they have none of their own.
    fn transcripts_aside(&self, _conversation: &str) -> Option<String> {
        None
    }

    /// What the pane shows.
    fn screen(&self, screen: &ScreenText<'_>) -> ScreenReading;

    /// In the usage-limit dialog that the pane shows, the option that waits for the reset of the limit
    /// and goes on then.
    ///
    /// # Errors
    /// Why it is not certain which one that is.
    fn waiting(&self, _screen: &ScreenText<'_>) -> Result<Choice, String> {
        Err("the program has no such dialog that is known".to_owned())
    }

    /// Why it ended, if its last screen says it in a way that calls for something else than
    /// another start like this one.
    fn complaint(&self, _last_screen: &str) -> Option<Complaint> {
        None
    }

    /// How text is typed.
    fn typing(&self) -> Typing;

    /// Which variables say on which login it works.
    fn login(&self) -> Login {
        Login::default()
    }

    /// What can be typed to it that is no prompt.
    fn commands(&self) -> Commands {
        Commands::default()
    }

    /// The arguments with which the program prints its login; none if it cannot be asked.
    fn account_arguments(&self) -> Option<&'static [&'static str]> {
        None
    }

    /// What the program printed for [`Profile::account_arguments`], on standard output or error; none
    /// if it is something else.
    fn account(&self, _printed: &[u8]) -> Option<Account> {
        None
    }
}

/// How one process is started.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// The conversation, a UUID. A program that chooses the ids itself begins another one, and tells
    /// which by a hook or its registry.
    pub conversation: &'a str,
    /// It exists already: go on with it.
    pub resumes: bool,
    /// The name that it is to have, where it may have one.
    pub name: Option<&'a str>,
    /// The first prompt of this life: of a conversation that does not exist yet, or for one whose
    /// last turn was cut off.
    pub prompt: Option<&'a str>,
    /// The label of the remote control; none = off.
    pub remote_control: Option<&'a str>,
    /// Our settings file, where it takes one.
    pub settings: Option<&'a Path>,
    /// What its hooks are to call, a line for the shell.
    pub hook_command: &'a str,
    /// The working directory, absolute, as the kernel names it.
    pub directory: &'a Path,
    /// The arguments of the config.
    pub args: &'a [String],
}

/// What decides how a program behaves at its start.
#[derive(Clone, Copy)]
pub struct StartFacts<'a> {
    /// We are root.
    pub root: bool,
    /// The working directory, absolute, as the kernel names it.
    pub directory: &'a Path,
    /// The arguments of the config.
    pub args: &'a [String],
    /// The unit's environment.
    pub variable: &'a dyn Fn(&str) -> Option<OsString>,
}

/// Where a program keeps what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// Its state and answered dialogs.
    pub config_file: PathBuf,
    /// The user's settings.
    pub settings_file: PathBuf,
    /// A folder with one file for each living session, if it has one.
    pub registry: Option<PathBuf>,
    /// A folder of folders of transcripts.
    pub transcripts: PathBuf,
    /// The login of a user, where no variable is one.
    pub credentials: PathBuf,
}

/// Keys that must stand in a JSON file.
#[derive(Clone, Debug, PartialEq)]
pub struct Seed {
    /// The file; made if it is not there.
    pub file: PathBuf,
    /// The keys from the top of the file, and what must be there.
    pub keys: Vec<(Vec<String>, SeedValue)>,
}

/// What must be at a key.
#[derive(Clone, Debug, PartialEq)]
pub enum SeedValue {
    /// Exactly this.
    Is(Value),
    /// This, unless there is anything already.
    Default(Value),
    /// A list with this in it.
    Contains(Value),
}

/// What one call of a hook says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HookNews {
    /// The name of the hook's event.
    pub name: String,
    /// The conversation it belongs to.
    pub conversation: String,
    /// What the session is doing from here on; none if that cannot be told from it.
    pub doing: Option<Doing>,
    /// The process goes on in this conversation from here on, and why (`startup`, `resume`,
    /// `clear`, `compact`).
    pub begins: Option<String>,
    /// The prompt that was entered.
    pub prompt: Option<String>,
    /// What was seen, in a few words.
    pub evidence: String,
}

/// What one record of a transcript says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranscriptNews {
    /// Its own time.
    pub at: SystemTime,
    /// It is a sub-agent's, and says nothing of the session's own turn.
    pub aside: bool,
    /// What the session does from here on; none if that cannot be told from it.
    pub doing: Option<Doing>,
    /// What was seen, in a few words.
    pub evidence: String,
    /// The answer of the model that it is a part of.
    pub answer: Option<TranscriptAnswer>,
}

/// An answer of the model. Each of its parts is a record of its own and tells the same of the whole,
/// or less: what is known of one message is the most that any of its records says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranscriptAnswer {
    /// What its parts have in common.
    pub message: String,
    /// What it has cost.
    pub tokens: Tokens,
    /// It is the last one of a turn.
    pub ends_turn: bool,
}

/// A living session, as the program's own registry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// Its process.
    pub process: Process,
    /// Its conversation.
    pub conversation: String,
    /// What that is called.
    pub name: Option<String>,
    /// Where it works.
    pub directory: PathBuf,
    /// What it is doing; none if the file says so in a word that is not known.
    pub doing: Option<Doing>,
    /// Since when.
    pub since: Option<SystemTime>,
    /// What was seen, in a few words.
    pub evidence: String,
    /// The program's version.
    pub version: Option<String>,
}

/// How text gets into a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Typing {
    /// The least time between the text and Enter.
    pub enter_after: Duration,
    /// A prompt may have several lines.
    pub lines: bool,
    /// A prompt may carry a short mark, by which it is found again in hooks and transcript.
    pub mark: bool,
    /// A hook or a transcript tells that a prompt was entered. If not, what was typed is taken for
    /// entered when it has left the input line, and what may have been typed is not typed again.
    pub proof: bool,
}

/// Commands of a program to itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Commands {
    /// Begins another conversation in the same process.
    pub clear: Option<&'static str>,
    /// Makes the conversation shorter.
    pub compact: Option<&'static str>,
}

/// On which login a program works, by its environment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Login {
    /// Each of these is a login; without any it is in [`Places::credentials`].
    pub secrets: &'static [&'static str],
    /// These say whose service it is for.
    pub service: &'static [&'static str],
}

/// Whether the program is logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// It is.
    pub logged_in: bool,
    /// By what.
    pub method: Option<String>,
    /// Until when.
    pub expires: Option<SystemTime>,
}
