//! Everything that has to be done, and to be known, before an agent's program is started.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use super::alone;
use super::holders::{self, Holder};
use super::kickoff;
use super::{SPOOL_VARIABLE, variables};
use crate::agents::{Places, Profile, Seed, SeedValue, Start, StartFacts};
use crate::config::{Config, Phase, Unit};
use crate::daemon::environment::Environment;
use crate::daemon::policy::is_uuid;
use crate::daemon::shared::Shared;
use crate::daemon::told::chain;
use crate::decide::{Doing, NoStart, UnitKind};
use crate::world::files::{self, Durability};
use crate::world::json_keys::{self, Key, KeysError, Wanted};
use crate::world::leases::{Claim, LeaseError, Leases};
use crate::world::presence::Presence;
use crate::world::{tail, transcripts};

/// Reading and writing a handful of files takes milliseconds; beyond this a mount hangs.
pub(super) const CEILING: Duration = Duration::from_secs(30);

/// The longest argument, its NUL included, that the kernel hands to a program (`MAX_ARG_STRLEN`).
const ARGUMENT_MAX: usize = 128 * 1024;

/// How much of a transcript's end is searched for what became of its last turn, in bytes.
const TURNS: u64 = 1024 * 1024;

/// Which conversation a start goes on with, or begins.
#[derive(Clone, Debug)]
pub(in crate::daemon) struct Opening {
    pub(in crate::daemon) conversation: String,
    /// If it does not exist, the newest one of the session's name is as good.
    pub(in crate::daemon) by_name: bool,
    /// Why it is another one than the last.
    pub(in crate::daemon) because: Option<String>,
}

/// A start that can be made.
pub(in crate::daemon) struct Prepared {
    pub(in crate::daemon) argv: Vec<OsString>,
    pub(in crate::daemon) environment: Environment,
    /// The conversation is ours from here on, if the process signs it.
    pub(in crate::daemon) claim: Claim,
    /// What could not be done, and does not keep it from starting.
    pub(in crate::daemon) notes: Vec<String>,
}

/// What the work on files needs, on a thread of its own.
struct Task {
    unit: Unit,
    profile: &'static dyn Profile,
    places: Places,
    environment: Environment,
    conversation: String,
    because: Option<String>,
    leases: Leases,
    program: Vec<String>,
    runtime_dir: PathBuf,
    phase: Option<Phase>,
    by_name: bool,
    /// For whoever must be the only one.
    config: Config,
    instance: String,
}

/// Prepares the start of `unit`.
///
/// # Errors
/// [`NoStart`]; nothing has been started.
pub(in crate::daemon) async fn prepare(
    shared: &Rc<Shared>,
    unit: &Unit,
    profile: &'static dyn Profile,
    program: &[String],
    opening: Opening,
) -> Result<Prepared, NoStart> {
    let mut environment = shared.environment(unit).await?;
    for (name, value) in profile.environment() {
        environment.entry((*name).into()).or_insert_with(|| (*value).into());
    }
    let runtime_dir = shared.config.supervisor.runtime_dir.clone();
    environment.insert(SPOOL_VARIABLE.into(), runtime_dir.join("hooks").into());
    let known = shared.agents.know(&unit.name, profile, &environment).ok_or_else(|| {
        let agent = profile.program();
        NoStart::Refused(format!("{agent} needs a home: set HOME in the session's environment"))
    })?;
    shared.know_login(unit, &known, &environment);
    shared.watch_registry(known.places.registry.as_deref());
    let leases = shared.leases(&known.leases);
    let task = Task {
        unit: unit.clone(),
        profile,
        places: known.places.clone(),
        environment,
        conversation: opening.conversation,
        because: opening.because,
        leases,
        program: program.to_vec(),
        runtime_dir,
        phase: shared.phase(),
        by_name: opening.by_name,
        config: shared.config.clone(),
        instance: shared.instance.clone(),
    };
    let done = tokio::task::spawn_blocking(move || task.run());
    match tokio::time::timeout(CEILING, done).await {
        Ok(Ok(prepared)) => prepared,
        Ok(Err(error)) => Err(NoStart::Failed(error.to_string())),
        Err(_) => Err(NoStart::Failed("reading and writing its files hangs".to_owned())),
    }
}

impl Task {
    fn run(mut self) -> Result<Prepared, NoStart> {
        let directory = self.directory()?;
        self.find_by_name();
        let args = self.args();
        let variable = variables(&self.environment);
        let facts = StartFacts {
            root: rustix::process::geteuid().is_root(),
            directory: &directory,
            args,
            variable: &variable,
        };
        if let Some(why) = self.profile.refusal(&facts) {
            return Err(NoStart::Refused(why));
        }
        let claim = self.claim()?;
        let mut notes = Vec::new();
        if self.unit.session.as_ref().is_none_or(|keys| keys.seed) {
            self.seed(&facts, &mut notes)?;
        }
        let hook_command = self.hook_command();
        let settings = self.write_settings(&hook_command)?;
        let transcript = transcript(self.profile, &self.places, &self.conversation);
        let prompt = match &transcript {
            Some(file) => self.continuation(file),
            None => self.prompt()?,
        };
        let session = self.unit.session.as_ref();
        let start = Start {
            conversation: &self.conversation,
            resumes: transcript.is_some(),
            name: self.name(),
            prompt: prompt.as_deref(),
            remote_control: session.and_then(|keys| keys.remote_control.as_deref()),
            settings: settings.as_deref(),
            hook_command: &hook_command,
            directory: &directory,
            args,
        };
        let program = self.program.iter().map(OsString::from);
        let argv = program.chain(self.profile.arguments(&start)).collect();
        drop(variable);
        let mut environment = self.environment;
        if let Some((variable, settings)) = self.profile.settings_variable().zip(settings) {
            environment.entry(variable.into()).or_insert_with(|| settings.into());
        }
        Ok(Prepared { argv, environment, claim, notes })
    }

    /// The name that its conversation has or is to have; none if the config gives an id or nothing.
    fn name(&self) -> Option<&str> {
        let resume = self.unit.session.as_ref()?.resume.as_deref()?;
        let named = self.profile.names_conversations() && !is_uuid(resume);
        named.then_some(resume)
    }

    /// Goes on in the conversation of its name, if there is one and ours is still to be begun. Its
    /// first hook tells which it is.
    fn find_by_name(&mut self) {
        let Some(name) = self.name().map(str::to_owned) else { return };
        if !self.by_name || transcript(self.profile, &self.places, &self.conversation).is_some() {
            return;
        }
        let profile = self.profile;
        let is_its =
            |line: &[u8]| profile.transcript_title(line).is_some_and(|title| title == name);
        let depth = profile.transcript_depth();
        let file = transcripts::newest(&self.places.transcripts, depth, &is_its);
        let file = file.as_deref().and_then(Path::file_name).and_then(OsStr::to_str);
        if let Some(known) = file.and_then(|file| profile.conversation_of(file)) {
            self.conversation = known;
        }
    }

    fn args(&self) -> &[String] {
        self.unit.session.as_ref().map_or(&[], |keys| &keys.args)
    }

    /// As the kernel will name it: the program asks the kernel, and remembers whom it trusts by
    /// that.
    fn directory(&self) -> Result<PathBuf, NoStart> {
        let configured = match &self.unit.directory {
            Some(directory) => directory.clone(),
            None => PathBuf::from("."),
        };
        configured.canonicalize().map_err(|error| {
            NoStart::Failed(format!("the directory {}: {error}", configured.display()))
        })
    }

    /// The conversation is ours, or open in another process. Nothing is left of the last life.
    fn claim(&self) -> Result<Claim, NoStart> {
        let claim = self.leases.take(&self.conversation, self.profile.program());
        let claim = claim.map_err(|error| match error {
            LeaseError::Taken { holder, .. } => Holder::Supervisor(holder.process).not_free(),
            LeaseError::BeingTaken { .. } => NoStart::Taken(chain(&error)),
            LeaseError::BadId(_) => NoStart::Refused(chain(&error)),
            LeaseError::TooNew { .. }
            | LeaseError::Lock { .. }
            | LeaseError::File(_)
            | LeaseError::Remove { .. } => NoStart::Failed(chain(&error)),
        })?;
        let nobody = BTreeSet::new();
        let others = holders::strangers(self.profile, &self.places, &self.conversation, &nobody)?;
        self.leases.tidy();
        if let Some(process) = others.first() {
            return Err(Holder::Hand(*process).not_free());
        }
        if self.unit.kind == UnitKind::Orchestrator {
            match alone::before_start(&self.config, &self.instance, &self.unit, &self.conversation)
            {
                Presence::Absent => {}
                Presence::Present { why, .. } => return Err(NoStart::Taken(why)),
                Presence::Unknown(why) => return Err(NoStart::Failed(why)),
            }
        }
        Ok(claim)
    }

    /// Answers the start dialogs before they are asked. A file that cannot be written may be one
    /// that somebody else keeps, with the keys in it or not: the dialog will say.
    fn seed(&self, facts: &StartFacts<'_>, notes: &mut Vec<String>) -> Result<(), NoStart> {
        for seed in self.profile.seeds(&self.places, facts) {
            match json_keys::ensure(&seed.file, &keys(&seed)) {
                Ok(_) => {}
                Err(error @ (KeysError::NotJson { .. } | KeysError::Kind { .. })) => {
                    return Err(NoStart::Refused(chain(&error)));
                }
                Err(error) => notes.push(format!("a start dialog may come up: {}", chain(&error))),
            }
        }
        Ok(())
    }

    fn hook_command(&self) -> String {
        // Without `exec` a shell would stand between the program and us, and wait.
        format!("exec {} hook", shell_word(&self.runtime_dir.join("bin/supervisor")))
    }

    fn write_settings(&self, hook_command: &str) -> Result<Option<PathBuf>, NoStart> {
        let folder = self.runtime_dir.join("agents");
        let path = folder.join(format!("{}.settings.json", self.unit.name));
        let Some(text) = self.profile.settings(hook_command, self.args()) else { return Ok(None) };
        files::write_atomic(&path, text.as_bytes(), Durability::Process, 0o600)
            .map_err(|error| NoStart::Failed(chain(&error)))?;
        Ok(Some(path))
    }

    /// What a conversation is told whose last turn was cut off, where its program says nothing itself.
    fn continuation(&self, transcript: &Path) -> Option<String> {
        let prompt = self.profile.goes_on_with()?;
        let end = tail::last_bytes(transcript, TURNS).ok()?;
        let mut lines = end.rsplit(|byte| *byte == b'\n');
        let doing = |line| self.profile.transcript_news(line).filter(|it| !it.aside)?.doing;
        (lines.find_map(doing)? == Doing::Working).then(|| prompt.to_owned())
    }

    /// The kickoff prompt, if it can be an argument.
    fn prompt(&self) -> Result<Option<String>, NoStart> {
        let text = kickoff::prompt(&self.unit, self.phase.as_ref(), self.because.as_deref())?;
        let Some(length) = text.as_ref().map(String::len).filter(|it| *it >= ARGUMENT_MAX) else {
            return Ok(text);
        };
        let file = self.unit.session.as_ref().and_then(|keys| keys.prompt_file.as_ref());
        let file = file.map(|file| file.display().to_string()).unwrap_or_default();
        Err(NoStart::Refused(format!(
            "the prompt of {file} has {length} bytes, and the kernel takes {} in one argument: \
             shorten it, or have it name a file to read",
            ARGUMENT_MAX - 1,
        )))
    }
}

/// The file of a conversation, if it exists: then it can be resumed, and else it can be begun.
pub(in crate::daemon) fn transcript(
    profile: &dyn Profile,
    places: &Places,
    conversation: &str,
) -> Option<PathBuf> {
    let is_its = |name: &str| profile.is_transcript(name, conversation);
    transcripts::find(&places.transcripts, profile.transcript_depth(), &is_its)
}

/// The same for the hands.
fn keys(seed: &Seed) -> Vec<Key> {
    let key = |(path, value): &(Vec<String>, SeedValue)| Key {
        path: path.clone(),
        wanted: match value {
            SeedValue::Is(value) => Wanted::Is(value.clone()),
            SeedValue::Default(value) => Wanted::Default(value.clone()),
            SeedValue::Contains(value) => Wanted::Contains(value.clone()),
        },
    };
    seed.keys.iter().map(key).collect()
}

/// A path as one word of a shell.
fn shell_word(path: &Path) -> String {
    let text = OsStr::to_string_lossy(path.as_os_str());
    format!("'{}'", text.replace('\'', r"'\''"))
}
