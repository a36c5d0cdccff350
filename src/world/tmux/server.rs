//! One tmux server with one session, one window and one pane: started, found again, ended.

use std::cell::Cell;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use tmux_interface::KillServer;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::birth;
use super::control::{Control, ControlError, Notifications};
use super::pane::{PaneProgram, print};
use super::{PaneId, Spawner, Tmux, helper, leaving, process};
use crate::decide::Process;

/// The one session's name. A second server cannot be started over a living one: tmux refuses the
/// duplicate.
pub(super) const SESSION: &str = "unit";

/// The longest path that a Unix socket can be bound to, in bytes.
const SOCKET_MAX: usize = 107;

/// A server starts in about 15 ms. One that takes this long never will.
const START_CEILING: Duration = Duration::from_secs(10);

/// A living server accepts at once; a stopped one too, until its queue is full.
pub(super) const CONNECT_CEILING: Duration = Duration::from_secs(2);

/// How long a server may take to end when asked, and again when killed.
const END_CEILING: Duration = Duration::from_secs(3);

/// The pane's size in cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Columns, at least 140.
    pub columns: u16,
    /// Rows, at least 50.
    pub rows: u16,
}

impl Size {
    /// Smaller panes hide the options of dialogs and wrap the texts that screens are known by.
    pub(super) const LEAST: Self = Self { columns: 140, rows: 50 };

    pub(super) fn at_least(self, least: Self) -> Self {
        Self { columns: self.columns.max(least.columns), rows: self.rows.max(least.rows) }
    }
}

impl Default for Size {
    fn default() -> Self {
        Self { columns: 200, rows: 50 }
    }
}

/// What a server is started with.
#[derive(Clone, Debug)]
pub struct ServerSpec {
    /// Where it listens.
    pub socket: PathBuf,
    /// The pane's size.
    pub size: Size,
    /// What runs in the pane: at least two words, or tmux would hand the one to a shell.
    pub argv: Vec<OsString>,
    /// The server's environment, and with it that of the pane's program until that replaces it.
    pub environment: Vec<(OsString, OsString)>,
}

/// A running server and the connection to it.
#[derive(Debug)]
pub struct Server {
    socket: PathBuf,
    process: Process,
    pane: PaneId,
    pub(super) control: Control,
    pub(super) program: Cell<PaneProgram>,
}

/// A server that is up.
#[derive(Debug)]
pub struct Up {
    /// The server.
    pub server: Server,
    /// What tmux says without being asked; its end is the end of the connection.
    pub notifications: Notifications,
}

impl Server {
    /// Starts a server and its pane in one go, and connects. A socket file that nobody listens on
    /// is no obstacle. The server and its pane are children of `member`; the client that connects
    /// is a child of `helper`, for it is ours and must not end with the unit.
    ///
    /// # Errors
    /// [`StartError`]. After [`StartError::NoAnswer`] or [`StartError::Connect`] a server may be
    /// there: see [`Server::reconnect`].
    pub async fn start(
        tmux: &Tmux,
        member: &dyn Spawner,
        helper: &dyn Spawner,
        spec: ServerSpec,
    ) -> Result<Up, StartError> {
        let ServerSpec { socket, size, argv, environment } = spec;
        let length = socket.as_os_str().as_bytes().len();
        if length > SOCKET_MAX {
            return Err(StartError::SocketTooLong { socket, length });
        }
        if argv.len() < 2 {
            return Err(StartError::OneWord { socket });
        }
        let command = birth::argv(tmux, &socket, size, &argv);
        let environment = birth::environment(environment);
        let answer =
            helper::run(member, command, environment, START_CEILING).await.map_err(|source| {
                StartError::NoAnswer { socket: socket.clone(), source: source.into() }
            })?;
        let Some((process, pane, program)) = parse_identity(&answer.stdout) else {
            let said = if answer.stderr.is_empty() { answer.stdout } else { answer.stderr };
            let why = String::from_utf8_lossy(&said).trim().to_owned();
            return Err(StartError::Refused { socket, why });
        };
        let (control, notifications) = Control::attach(tmux, helper, &socket)
            .await
            .map_err(|source| StartError::Connect { socket: socket.clone(), source })?;
        let program = Cell::new(program);
        Ok(Up { server: Self { socket, process, pane, control, program }, notifications })
    }

    /// Connects to the server at `socket`, be it from an earlier life of ours or after the
    /// connection was lost.
    ///
    /// # Errors
    /// [`ReconnectError::Gone`] only if it is certain that nobody listens there.
    pub async fn reconnect(
        tmux: &Tmux,
        spawner: &dyn Spawner,
        socket: PathBuf,
    ) -> Result<Up, ReconnectError> {
        let process = peer(&socket).await?;
        let unknown = |source| ReconnectError::Unknown { socket: socket.clone(), process, source };
        leaving::predecessor_gone(tmux, spawner, &socket).await.map_err(unknown)?;
        let attached = Control::attach(tmux, spawner, &socket).await;
        let (control, notifications) = attached.map_err(unknown)?;
        let ask = print(&PaneId::FIRST.to_string(), &identity_format());
        let answer = match control.command(ask).await {
            Ok(answer) => answer,
            Err(ControlError::Refused { .. }) => Vec::new(),
            Err(other) => return Err(unknown(other)),
        };
        let Some((process, pane, program)) = parse_identity(&answer) else {
            return Err(ReconnectError::NoPane { socket, process });
        };
        let program = Cell::new(program);
        Ok(Up { server: Self { socket, process, pane, control, program }, notifications })
    }

    /// Ends the server, and with it the connection: politely, and if that is not heard, by
    /// killing it. Its pane's program gets a SIGHUP only, which agents ignore: see
    /// [`Server::program`] for what may be left.
    ///
    /// # Errors
    /// When the server could not be signalled, or is still there after it was killed.
    pub async fn kill(self) -> io::Result<()> {
        let Some(pidfd) = process::open(self.process)? else {
            return Ok(());
        };
        let ended = process::watch(pidfd)?;
        let polite = async {
            // Refused, unheard or closed: the pidfd tells what came of it.
            let _answer = self.control.command(KillServer::new().build()).await;
            ended.readable().await.map(drop)
        };
        if let Ok(result) = timeout(END_CEILING, polite).await {
            return result;
        }
        process::signal(ended.get_ref(), Signal::KILL)?;
        match timeout(END_CEILING, ended.readable()).await {
            Ok(result) => result.map(drop),
            Err(_) => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("tmux server {} is still there after SIGKILL", self.process.pid),
            )),
        }
    }

    /// The server's own process.
    pub fn process(&self) -> Process {
        self.process
    }

    /// Where it listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Its pane.
    pub fn pane(&self) -> PaneId {
        self.pane
    }

    /// The program that was last seen in the pane. It may live on when the server has died.
    pub fn program(&self) -> PaneProgram {
        self.program.get()
    }

    /// Whether the connection has ended; the server may live.
    pub fn is_disconnected(&self) -> bool {
        self.control.is_closed()
    }
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The socket's path is too long for the kernel.
    #[error(
        "the tmux socket {} has a path of {length} bytes, and {SOCKET_MAX} is the most: \
         choose a shorter runtime_dir or unit name", socket.display()
    )]
    SocketTooLong {
        /// The path.
        socket: PathBuf,
        /// Its length.
        length: usize,
    },
    /// The pane's command has a single word.
    #[error("the command for the tmux server {} needs at least two words", socket.display())]
    OneWord {
        /// The server's socket.
        socket: PathBuf,
    },
    /// tmux said no: a server with a session may already be there, or the socket's directory not.
    #[error("tmux did not start a server at {}: {why}", socket.display())]
    Refused {
        /// The server's socket.
        socket: PathBuf,
        /// In tmux's words.
        why: String,
    },
    /// tmux did not run, or not to its end.
    #[error("could not have tmux start a server at {}", socket.display())]
    NoAnswer {
        /// The server's socket.
        socket: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server was started and could not be connected to.
    #[error("could not connect to the new tmux server at {}", socket.display())]
    Connect {
        /// The server's socket.
        socket: PathBuf,
        /// Why.
        #[source]
        source: ControlError,
    },
}

/// Why there is no connection to a server of old.
#[derive(Debug, thiserror::Error)]
pub enum ReconnectError {
    /// Nobody listens there.
    #[error("no tmux server at {}", socket.display())]
    Gone {
        /// The server's socket.
        socket: PathBuf,
    },
    /// Somebody seems to, but could not be spoken to: not to be taken for dead.
    #[error("the tmux server at {} could not be spoken to", socket.display())]
    Unknown {
        /// The server's socket.
        socket: PathBuf,
        /// The server's process, if the kernel could say.
        process: Option<Process>,
        /// Why.
        #[source]
        source: ControlError,
    },
    /// The server lives, but the pane that was ours does not: a person closed it beside another.
    #[error("the tmux server at {} no longer has the pane {}", socket.display(), PaneId::FIRST)]
    NoPane {
        /// The server's socket.
        socket: PathBuf,
        /// The server's process, if the kernel could say.
        process: Option<Process>,
    },
    /// Nobody could look.
    #[error("could not look for a tmux server at {}", socket.display())]
    Unseen {
        /// The server's socket.
        socket: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The server, the pane and its program, as [`parse_identity`] reads them.
pub(super) fn identity_format() -> String {
    let mut format = tmux_interface::Formats::new();
    format.separator(' ').pid().pane_id().pane_pid();
    format.to_string()
}

fn parse_identity(answer: &[u8]) -> Option<(Process, PaneId, PaneProgram)> {
    let text = std::str::from_utf8(answer).ok()?;
    let mut words = text.split_ascii_whitespace();
    let server = process::identify(words.next()?.parse().ok()?)?;
    let pane = PaneId::parse(words.next()?)?;
    let pid = words.next()?.parse().ok()?;
    Some((server, pane, PaneProgram::look(pid, server)))
}

/// Who listens at `socket`. The kernel knows it without that process's help.
async fn peer(socket: &Path) -> Result<Option<Process>, ReconnectError> {
    let path = || socket.to_owned();
    let stream = match timeout(CONNECT_CEILING, UnixStream::connect(socket)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            let absent = [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused];
            return Err(if absent.contains(&error.kind()) {
                ReconnectError::Gone { socket: path() }
            } else {
                ReconnectError::Unseen { socket: path(), source: error }
            });
        }
        Err(_) => {
            let source = io::Error::from(io::ErrorKind::TimedOut);
            return Err(ReconnectError::Unseen { socket: path(), source });
        }
    };
    let credentials = stream.peer_cred();
    Ok(credentials.ok().and_then(|peer| peer.pid()).and_then(process::identify))
}
