//! A control client kept for as long as its server is up: commands in, answers out, over the
//! pipes of one `tmux -C attach` process. What a command means is not known here.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tmux_interface::{AttachSession, ClientFlags};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::select;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::quote::Words;
use super::server::SESSION;
use super::wire::{Answer, Notification, Reader, Said};
use super::{Spawner, Stdio, Tmux, helper};

/// tmux answers in a fraction of a millisecond. A server that takes this long is stopped or
/// hung; that is not yet dead.
const ANSWER_CEILING: Duration = Duration::from_secs(5);

/// How many commands may wait for their turn before a caller waits too.
const QUEUE: usize = 64;

/// How many notifications are kept for a receiver that does not come; further ones are dropped.
const UNHEARD: usize = 64;

/// What tmux says without being asked. The end of this channel is the end of the client.
pub type Notifications = mpsc::Receiver<Notification>;

/// A connection to one tmux server. Dropping it ends the client process; the server and its pane
/// live on.
#[derive(Debug)]
pub struct Control {
    requests: mpsc::Sender<Request>,
    conversation: AbortHandle,
}

impl Drop for Control {
    fn drop(&mut self) {
        self.conversation.abort();
    }
}

#[derive(Debug)]
struct Request {
    line: Vec<u8>,
    answer: oneshot::Sender<Answer>,
}

impl Control {
    /// Attaches to the server at `socket`. It never starts one.
    ///
    /// # Errors
    /// [`ControlError::Closed`] or [`ControlError::Refused`] if there is no server or no session
    /// in it, [`ControlError::TimedOut`] if nobody answers.
    pub async fn attach(
        tmux: &Tmux,
        spawner: &dyn Spawner,
        socket: &Path,
    ) -> Result<(Self, Notifications), ControlError> {
        let failed = |source| ControlError::Spawn { socket: socket.to_owned(), source };
        let (to, stdin) = pipe::pipe().map_err(failed)?;
        let (stdout, from) = pipe::pipe().map_err(failed)?;
        let stdio = Stdio {
            stdin: stdin.into_blocking_fd().map_err(failed)?,
            stdout: stdout.into_blocking_fd().map_err(failed)?,
            stderr: helper::nothing().map_err(failed)?,
        };
        // The client is known by its pipes alone: when it ends, they do.
        spawner.spawn(argv(tmux, socket), client_environment(), stdio).map_err(failed)?;

        let (requests, incoming) = mpsc::channel(QUEUE);
        let (unasked, notifications) = mpsc::channel(UNHEARD);
        let (greeted, greeting) = oneshot::channel();
        let conversation = Conversation {
            reader: Reader::default(),
            waiting: VecDeque::new(),
            unasked,
            greeted: Some(greeted),
        };
        let task = tokio::spawn(conversation.run(to, from, incoming));
        let control = Self { requests, conversation: task.abort_handle() };

        let name = || "attach-session".to_owned();
        match timeout(ANSWER_CEILING, greeting).await {
            Err(_) => Err(ControlError::TimedOut { command: name(), after: ANSWER_CEILING }),
            Ok(Err(_)) => Err(ControlError::Closed),
            Ok(Ok(answer)) => {
                judge(answer, name)?;
                Ok((control, notifications))
            }
        }
    }

    /// Has one command carried out and returns what it printed.
    ///
    /// # Errors
    /// [`ControlError`]. After [`ControlError::TimedOut`] the command may still be carried out
    /// when the server wakes; the connection stays good, and the late answer is dropped.
    pub async fn command(&self, words: impl Into<Words>) -> Result<Vec<u8>, ControlError> {
        let mut answers = self.sequence(vec![words.into()]).await?;
        answers.pop().ok_or(ControlError::Closed)
    }

    /// Several commands in this order without waiting between them. The first that is refused is
    /// the error, but the others are carried out all the same.
    ///
    /// # Errors
    /// As for [`Control::command`].
    pub async fn sequence(&self, commands: Vec<Words>) -> Result<Vec<Vec<u8>>, ControlError> {
        if commands.iter().any(Words::has_nul) {
            return Err(ControlError::Nul);
        }
        let name = commands.first().map(Words::name).unwrap_or_default();
        let asking = async {
            let mut answers = Vec::with_capacity(commands.len());
            for words in &commands {
                let (answer, receiver) = oneshot::channel();
                let request = Request { line: words.to_line(), answer };
                self.requests.send(request).await.map_err(|_| ControlError::Closed)?;
                answers.push(receiver);
            }
            let mut outputs = Vec::with_capacity(commands.len());
            for (answer, words) in answers.into_iter().zip(&commands) {
                let answer = answer.await.map_err(|_| ControlError::Closed)?;
                outputs.push(judge(answer, || words.name())?);
            }
            Ok(outputs)
        };
        match timeout(ANSWER_CEILING, asking).await {
            Ok(outputs) => outputs,
            Err(_) => Err(ControlError::TimedOut { command: name, after: ANSWER_CEILING }),
        }
    }

    /// Whether the client has ended (and so, most often, its server).
    pub fn is_closed(&self) -> bool {
        self.requests.is_closed()
    }
}

/// Why a command has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The client process is gone: the server ended, or somebody ended the client.
    #[error("the tmux control client has ended")]
    Closed,
    /// Nobody answered. The server may be stopped, hung, or slow: nothing is known.
    #[error("tmux did not answer {command} within {} s", after.as_secs())]
    TimedOut {
        /// Which command.
        command: String,
        /// How long was waited.
        after: Duration,
    },
    /// tmux said no.
    #[error("tmux refused {command}: {why}")]
    Refused {
        /// Which command.
        command: String,
        /// In tmux's words.
        why: String,
    },
    /// tmux said something that is no answer to this command.
    #[error("tmux answered {command} with {answer:?}")]
    Strange {
        /// Which command.
        command: String,
        /// What it said.
        answer: String,
    },
    /// A word held a NUL byte.
    #[error("a tmux command cannot carry a NUL byte")]
    Nul,
    /// The client process could not be started.
    #[error("could not start a tmux control client for {}", socket.display())]
    Spawn {
        /// The server's socket.
        socket: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

fn argv(tmux: &Tmux, socket: &Path) -> Vec<OsString> {
    let flags =
        ClientFlags { ignore_size: Some(true), no_output: Some(true), ..ClientFlags::default() };
    let attach = AttachSession::new().flags(flags).target_session(format!("={SESSION}"));
    let mut argv = vec![tmux.program().into()];
    argv.extend(["-u", "-N", "-C", "-S"].map(OsString::from));
    argv.push(socket.into());
    argv.extend(Words::from(attach.build()).into_argv());
    argv
}

/// A control client needs no terminal and no locale, and tmux refuses one that has `TMUX` set.
pub(super) fn client_environment() -> Vec<(OsString, OsString)> {
    [("TERM", "dumb"), ("LC_CTYPE", "C.UTF-8")].map(|(k, v)| (k.into(), v.into())).into()
}

fn judge(answer: Answer, command: impl FnOnce() -> String) -> Result<Vec<u8>, ControlError> {
    if answer.refused {
        let why = String::from_utf8_lossy(&answer.body).into_owned();
        return Err(ControlError::Refused { command: command(), why });
    }
    Ok(answer.body)
}

/// The side of the pipes. It lives in a task of its own and ends with the client.
#[derive(Debug)]
struct Conversation {
    reader: Reader,
    /// Who waits for the next answers, in the order in which the commands were written. One who
    /// has stopped waiting keeps the place, so that the late answer goes to nobody else.
    waiting: VecDeque<oneshot::Sender<Answer>>,
    unasked: mpsc::Sender<Notification>,
    /// Who waits for the answer to the attaching itself.
    greeted: Option<oneshot::Sender<Answer>>,
}

impl Conversation {
    async fn run(
        mut self,
        mut to: pipe::Sender,
        mut from: pipe::Receiver,
        mut requests: mpsc::Receiver<Request>,
    ) {
        let mut heard = vec![0; 16 * 1024];
        let mut unsent = Vec::new();
        loop {
            // Every arm may be dropped half-way without losing anything; no body awaits.
            select! {
                read = from.read(&mut heard) => {
                    let Ok(count @ 1..) = read else { return };
                    if self.hear(&heard[..count]).is_none() {
                        return;
                    }
                }
                written = to.write(&unsent), if !unsent.is_empty() => {
                    let Ok(count) = written else { return };
                    unsent.drain(..count);
                }
                request = requests.recv(), if unsent.is_empty() => {
                    let Some(request) = request else { return };
                    self.ask(request, &mut unsent);
                    // What is asked together is carried out together.
                    while let Ok(request) = requests.try_recv() {
                        self.ask(request, &mut unsent);
                    }
                }
            }
        }
    }

    fn ask(&mut self, request: Request, unsent: &mut Vec<u8>) {
        // Nobody waits any more: what was meant for then is not typed now.
        if request.answer.is_closed() {
            return;
        }
        unsent.extend_from_slice(&request.line);
        self.waiting.push_back(request.answer);
    }

    /// `None` when the stream can no longer be trusted.
    fn hear(&mut self, bytes: &[u8]) -> Option<()> {
        let mut said = Vec::new();
        let sound = self.reader.feed(bytes, &mut said);
        for said in said {
            match said {
                // A receiver that is gone, or full, has had its chance.
                Said::Unasked(notification) => drop(self.unasked.try_send(notification)),
                Said::Answer(answer) if answer.ours => {
                    let waiting = self.waiting.pop_front()?;
                    // Nobody may be waiting any more.
                    drop(waiting.send(answer));
                }
                Said::Answer(answer) => {
                    if let Some(greeted) = self.greeted.take() {
                        drop(greeted.send(answer));
                    }
                }
            }
        }
        sound.ok()
    }
}
