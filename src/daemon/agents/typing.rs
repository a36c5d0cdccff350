//! Typing into an agent's terminal, and looking at it.

use std::fs::DirEntry;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use tokio::time::{sleep, timeout};

use super::Known;
use super::prepare::transcript;
use crate::agents::{Composer, Profile, ScreenReading, ScreenText};
use crate::daemon::session::Session;
use crate::daemon::told::chain;
use crate::decide::{Channel, Doing, Event, Message, Process, Sighting, Typed};
use crate::world::tmux::{ControlError, Server};
use crate::world::{clock, holders, tail};

/// The hook tells of a prompt within this time of Enter; a busy machine takes its time.
const PROOF_CEILING: Duration = Duration::from_secs(6);
/// The text shows in the input line within this time.
const ECHO_CEILING: Duration = Duration::from_secs(3);
/// Between two looks at the input line.
const ECHO_PAUSE: Duration = Duration::from_millis(100);
/// A hook that was fired when the daemon was killed has been left in the spool by then.
const SUSPICION: Duration = Duration::from_secs(2);
/// There is none, or a dialog stands in its place.
const UNSEEN: &str = "its input line is not to be seen";
/// It is in no transcript yet, and no hook tells of it before the program hands it to the agent.
const KEPT: &str = "the program keeps what was entered until its tool has ended";
/// The program writes a prompt down within this time of the hook; if not, it does so in another way
/// than we know, and the hook must do.
const WRITTEN_CEILING: Duration = Duration::from_secs(2);
/// Between two looks at the transcript.
const WRITTEN_PAUSE: Duration = Duration::from_millis(50);
/// What was just written is in so much of a transcript's end, in bytes.
const NEWEST: u64 = 256 * 1024;
/// How much of a transcript's end is searched for a message that may have arrived, in bytes.
const SEARCHED: u64 = 4 * 1024 * 1024;
/// So many transcripts are searched; nobody clears a conversation more often within a message's
/// time.
const FILES_MAX: usize = 16;

/// Types one message, if this is the moment, and sees to it that it arrives.
pub(in crate::daemon) async fn type_message(
    session: &Session,
    known: &Known,
    process: Process,
    message: &Message,
    suspected: bool,
) -> Typed {
    let Some(server) = session.server() else {
        return Typed::NotNow("its terminal cannot be reached".to_owned());
    };
    let typist = Typist { session, server, known, process, message };
    match typist.run(suspected).await {
        Ok(typed) => typed,
        Err(error) => Typed::Unsure(format!("its terminal: {}", chain(&error))),
    }
}

/// A look at the screen of a session.
#[derive(Debug, Default)]
pub(in crate::daemon) struct Glance {
    /// What it says of the session; none if that is nothing.
    pub(in crate::daemon) sighting: Option<Sighting>,
    /// A digest of all that stands there.
    pub(in crate::daemon) picture: Option<u64>,
}

/// Looks at the screen of a session; none if it cannot be seen.
pub(in crate::daemon) async fn glance(session: &Session, known: &Known) -> Option<Glance> {
    let server = session.server()?;
    let read = |profile: &dyn Profile, screen: &ScreenText<'_>| {
        let mut digest = DefaultHasher::new();
        screen.text.hash(&mut digest);
        (profile.screen(screen), digest.finish())
    };
    let (seen, picture) = see(&server, known, session.directory(), read).await.ok()?;
    Some(Glance { sighting: sighting(&seen), picture: Some(picture) })
}

fn sighting(seen: &ScreenReading) -> Option<Sighting> {
    let (at, evidence) = (clock::now().mono, seen.why.clone());
    Some(Sighting { channel: Channel::Screen, at, doing: seen.shows.doing()?, evidence })
}

/// What the profile reads out of the screen as it is at this moment.
pub(super) async fn see<T>(
    server: &Server,
    known: &Known,
    directory: Option<&Path>,
    read: impl FnOnce(&dyn Profile, &ScreenText<'_>) -> T,
) -> Result<T, ControlError> {
    let (state, text) = server.sight().await?;
    // It hides the cursor and draws one of its own, but leaves the hidden one there.
    let cursor = Some((state.cursor.column, state.cursor.row));
    let directory = directory.map(AsRef::as_ref);
    let now = clock::now().wall;
    Ok(read(known.profile, &ScreenText { text: &text, cursor, directory, now }))
}

/// What the registry says of a process at this moment: the news of a dialog may be on its way.
pub(super) fn in_registry(known: &Known, process: Process) -> Option<(Doing, String)> {
    let name = known.profile.registry_name(process.pid)?;
    let file = holders::registry_file(known.places.registry.as_ref()?, name.as_ref())?;
    let ours = known.profile.live(&file.bytes).filter(|live| live.process == process)?;
    Some((ours.doing?, ours.evidence))
}

struct Typist<'a> {
    session: &'a Session,
    server: Rc<Server>,
    known: &'a Known,
    process: Process,
    message: &'a Message,
}

impl Typist<'_> {
    async fn run(&self, suspected: bool) -> Result<Typed, ControlError> {
        // A command to the program itself would take the mark for an argument.
        let is_command = self.message.is_command();
        if let Some(why) = self.refused() {
            return Ok(Typed::Never(why));
        }
        if suspected && is_command {
            let why = "it may have been entered already, and a command is not entered twice";
            return Ok(Typed::Never(why.to_owned()));
        }
        if suspected && !self.is_told_of() {
            return self.look_at().await;
        }
        if suspected && let Some(found) = self.look_for().await? {
            return Ok(found);
        }
        match self.in_registry() {
            Some((Doing::Dialog(_), evidence)) => {
                return Ok(Typed::NotNow(format!("it is at a dialog ({evidence})")));
            }
            // It has begun since this was decided.
            Some((Doing::Working, _)) if is_command => {
                return Ok(Typed::NotNow("a command waits for the end of the turn".to_owned()));
            }
            Some((Doing::Working | Doing::Idle | Doing::Failed(_), _)) | None => {}
        }
        let seen = self.see().await?;
        if let Some(why) = self.dialog(&seen) {
            return Ok(Typed::NotNow(why));
        }
        let why = match &seen.composer {
            Composer::Empty => None,
            Composer::Absent => Some(UNSEEN),
            Composer::Text(_) => Some("somebody has typed text there and not entered it"),
        };
        if let Some(why) = why {
            return Ok(Typed::NotNow(why.to_owned()));
        }
        if self.message.expires.is_some_and(|at| at <= clock::now().wall) {
            return Ok(Typed::Never("it was not delivered in its time".to_owned()));
        }
        let text = match is_command {
            true => self.message.text.clone(),
            false => format!("{} {}", self.message.text, self.mark()),
        };
        self.server.send_literal(&text).await?;
        sleep(self.known.profile.typing().enter_after).await;
        self.enter(is_command).await
    }

    /// What became of a message that may have been typed before; none if it certainly was not
    /// entered, nor stands in the input line.
    async fn look_for(&self) -> Result<Option<Typed>, ControlError> {
        // What was fired before is heard first.
        sleep(SUSPICION).await;
        if self.known.heard.has(self.process, &self.mark()) || self.is_in_transcript(SEARCHED).await
        {
            return Ok(Some(Typed::Arrived));
        }
        let seen = self.see().await?;
        if seen.queued.is_some() {
            // It may be among them.
            return Ok(Some(Typed::Unsure(KEPT.to_owned())));
        }
        Ok(match seen.composer {
            Composer::Empty => None,
            Composer::Text(text) if squeezed(&text).contains(&squeezed(&self.mark())) => {
                Some(self.enter(false).await?)
            }
            Composer::Text(_) => None,
            // It may stand behind a dialog.
            Composer::Absent => Some(Typed::Unsure(UNSEEN.to_owned())),
        })
    }

    /// What became of a message that may have been typed into a program that tells of none.
    async fn look_at(&self) -> Result<Typed, ControlError> {
        sleep(SUSPICION).await;
        let (_, text) = self.server.sight().await?;
        let is_seen = squeezed(&plain(&text)).contains(&squeezed(&self.mark()));
        Ok(match self.see().await?.composer {
            Composer::Text(_) if is_seen => self.enter(true).await?,
            Composer::Text(_) | Composer::Empty | Composer::Absent if is_seen => Typed::Arrived,
            Composer::Text(_) | Composer::Empty | Composer::Absent => Typed::Never(
                "it may have been entered already, and nothing tells whether: look, and tell it \
                 again"
                    .to_owned(),
            ),
        })
    }

    fn is_told_of(&self) -> bool {
        self.known.profile.typing().proof
    }

    fn mark(&self) -> String {
        self.message.id().mark()
    }

    fn refused(&self) -> Option<String> {
        let text = &self.message.text;
        if text.trim().is_empty() {
            return Some("there is no text to type".to_owned());
        }
        let lines = self.known.profile.typing().lines;
        let control = text.chars().find(|c| c.is_control() && !(lines && *c == '\n'));
        control.map(|c| format!("the text holds the control character {c:?}, which is a key"))
    }

    /// Presses Enter once the text stands in the input line, and sees that it was taken.
    async fn enter(&self, is_command: bool) -> Result<Typed, ControlError> {
        let mut waited = Duration::ZERO;
        loop {
            let seen = self.see().await?;
            let listed = self.in_registry().filter(|(doing, _)| matches!(doing, Doing::Dialog(_)));
            let listed = listed.map(|(_, evidence)| format!("it is at a dialog ({evidence})"));
            if let Some(why) = self.dialog(&seen).or(listed) {
                return Ok(Typed::Unsure(format!("while it was typed, {why}")));
            }
            if matches!(seen.composer, Composer::Text(_)) {
                break;
            }
            if waited >= ECHO_CEILING {
                return Ok(Typed::Unsure("the text did not show in its input line".to_owned()));
            }
            sleep(ECHO_PAUSE).await;
            waited += ECHO_PAUSE;
        }
        for _press in 0..2 {
            self.server.send_key("Enter").await?;
            if self.is_taken(is_command).await? {
                return Ok(Typed::Arrived);
            }
            let seen = self.see().await?;
            if seen.queued.is_some() {
                return Ok(Typed::Unsure(KEPT.to_owned()));
            }
            if self.dialog(&seen).is_some() || !matches!(seen.composer, Composer::Text(_)) {
                break;
            }
        }
        Ok(Typed::Unsure("no hook has told of it yet".to_owned()))
    }

    /// Whether what was entered is told of by a hook; of a command, that it left the input line.
    async fn is_taken(&self, is_command: bool) -> Result<bool, ControlError> {
        let mark = self.mark();
        if !is_command && self.is_told_of() {
            let heard = self.known.heard.wait_for(self.process, &mark);
            if timeout(PROOF_CEILING, heard).await.is_err() {
                return Ok(self.is_in_transcript(SEARCHED).await);
            }
            // What is entered and not written down yet is lost if the program dies now.
            let written = timeout(WRITTEN_CEILING, self.is_written()).await;
            if written.is_err() {
                tracing::debug!(unit = %self.session.name(), mark, "not in the transcript yet");
            }
            return Ok(true);
        }
        let mut waited = Duration::ZERO;
        while waited < ECHO_CEILING {
            if !matches!(self.see().await?.composer, Composer::Text(_)) {
                return Ok(true);
            }
            sleep(ECHO_PAUSE).await;
            waited += ECHO_PAUSE;
        }
        Ok(false)
    }

    async fn see(&self) -> Result<ScreenReading, ControlError> {
        let directory = self.session.directory();
        see(&self.server, self.known, directory, |profile, screen| profile.screen(screen)).await
    }

    /// The screen shows a dialog: others are to know, too.
    fn dialog(&self, seen: &ScreenReading) -> Option<String> {
        if !matches!(seen.shows.doing(), Some(Doing::Dialog(_))) {
            return None;
        }
        if let Some(sighting) = sighting(seen) {
            let (unit, process) = (self.session.name().clone(), self.process);
            self.session.post(Event::Sighted { unit, process, sighting });
        }
        Some(format!("it is at a dialog ({})", seen.why))
    }

    fn in_registry(&self) -> Option<(Doing, String)> {
        in_registry(self.known, self.process)
    }

    /// Waits until the transcript tells of the message.
    async fn is_written(&self) {
        while !self.is_in_transcript(NEWEST).await {
            sleep(WRITTEN_PAUSE).await;
        }
    }

    /// Whether a transcript tells of the message: that of its conversation, or one that was left
    /// since it was queued.
    async fn is_in_transcript(&self, most: u64) -> bool {
        let Some(conversation) = self.session.conversation() else { return false };
        let (profile, places) = (self.known.profile, self.known.places.clone());
        let (mark, since) = (self.mark(), self.message.since);
        let search = tokio::task::spawn_blocking(move || {
            let Some(file) = transcript(profile, &places, &conversation) else { return false };
            let tells = |file: &PathBuf| {
                let end = tail::last_bytes(file, most).unwrap_or_default();
                let lines = end.split(|byte| *byte == b'\n');
                let mut prompts = lines.filter_map(|line| profile.transcript_prompt(line));
                prompts.any(|prompt| prompt.contains(&mark))
            };
            tells(&file) || written_since(&file, since).iter().any(tells)
        });
        search.await.unwrap_or(false)
    }
}

/// The other transcripts beside `file` that were written since.
fn written_since(file: &Path, since: SystemTime) -> Vec<PathBuf> {
    let beside = file.parent().and_then(|folder| std::fs::read_dir(folder).ok());
    let beside = beside.into_iter().flatten().flatten();
    let written = |entry: &DirEntry| entry.metadata().and_then(|it| it.modified()).ok();
    let late = beside.filter(|entry| written(entry).is_some_and(|at| at >= since));
    let paths = late.map(|entry| entry.path()).filter(|path| path != file);
    paths.filter(|path| path.extension() == file.extension()).take(FILES_MAX).collect()
}

/// Without the sequences of colours.
fn plain(text: &str) -> String {
    let mut parts = text.split('\x1b');
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = parts.map(|part| part.split_once('m').map_or("", |(_, text)| text));
    rest.fold(first, |text, part| text + part)
}

/// Without blanks: the terminal wraps where it likes.
fn squeezed(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}
