//! The gateway as a process: opened, run until a signal, ended or become another image. Not here:
//! what is printed (that is the verb's).

use std::ffi::CString;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;
use thiserror::Error;
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::task::{JoinSet, LocalSet};

use super::background;
use super::handler::{Handler, chain};
use super::ledger::{Ledger, LedgerError};
use super::reconcile::Azure;
use super::sandbox::{self, Confined};
use super::server::{self, Inherited, ListenError, Server, inherit};
use crate::config::{Config, Gateway};
use crate::world::notify_socket::{Notifier, NotifyError};

/// Readers of the ledger and whoever asks Azure DevOps; none of them is many.
const BLOCKING_THREADS: usize = 16;
/// How long the threads that may block are waited for at the end.
const THREADS_GRACE: Duration = Duration::from_secs(2);

/// How long a delivery that is under way may take when we end.
const BEHIND_GRACE: Duration = Duration::from_secs(10);
/// What came is nobody's business but ours; SQLite gives the files beside the ledger its mode.
const LEDGER_MODE: u32 = 0o640;
/// Tells the next image that it is confined already: the kernel allows only so many layers.
const CONFINED: &str = "SUPERVISOR_GATEWAY_CONFINED";

/// Ourselves, whatever lies where we were.
const OLD_BINARY: &str = "/proc/self/exe";

/// Why there is no gateway.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The folder or the file of its state cannot be made.
    #[error("cannot make {path}", path = .path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It cannot be confined.
    #[error("cannot confine the gateway")]
    Confine(#[source] landlock::RulesetError),
    /// Nothing can run.
    #[error("cannot begin to serve")]
    Begin(#[source] io::Error),
    /// There is no ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Nobody can be let in.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// It was to become another image and could not.
    #[error("cannot become {binary}", binary = .binary.display())]
    Become {
        /// Which.
        binary: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// What is to be told when the gateway answers.
#[derive(Debug)]
pub struct Ready<'a> {
    /// Where, each with what may be asked there.
    pub places: &'a [String],
    /// How far it is confined.
    pub confined: Confined,
}

/// How it ended.
enum Ended {
    Stopped,
    /// It is to be run again, with these listeners.
    Again(Vec<OwnedFd>),
}

/// Serves until SIGTERM or SIGINT. SIGHUP: becomes the binary that lies where it was started from,
/// with its configuration read anew; callers wait meanwhile.
///
/// # Errors
/// [`ServeError`]
pub fn serve(
    config: &Gateway,
    config_file: &Path,
    ready: impl FnOnce(&Ready<'_>),
) -> Result<(), ServeError> {
    let inherited = Inherited::from_environment();
    let failed = |source| ServeError::Folder { path: config.state_dir.clone(), source };
    std::fs::create_dir_all(&config.state_dir).map_err(failed)?;
    // Only what is there can be allowed.
    server::make_socket_folders(config)?;
    let config_file = std::path::absolute(config_file).map_err(ServeError::Begin)?;
    let config_file = config_file.as_path();
    let confined = match std::env::var_os(CONFINED) {
        Some(_) => Confined::Whole,
        None => sandbox::confine(config, Some(config_file)).map_err(ServeError::Confine)?,
    };
    let file = OpenOptions::new().append(true).create(true).mode(LEDGER_MODE).open(config.ledger());
    file.map_err(|source| ServeError::Folder { path: config.ledger(), source })?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()
        .map_err(ServeError::Begin)?;
    let run = run(config, config_file, inherited, confined, ready);
    let ended = LocalSet::new().block_on(&runtime, run)?;
    runtime.shutdown_timeout(THREADS_GRACE);
    match ended {
        Ended::Stopped => {
            server::remove_sockets(config);
            Ok(())
        }
        Ended::Again(listeners) => {
            let binary = own_binary();
            let Err(error) = again(&binary, config_file, &listeners, confined);
            // Whoever confined itself may execute nothing but what it is.
            tracing::warn!(binary = %binary.display(), %error, "going on with the old binary");
            let Err(source) = again(Path::new(OLD_BINARY), config_file, &listeners, confined);
            Err(ServeError::Become { binary, source })
        }
    }
}

async fn run(
    config: &Gateway,
    config_file: &Path,
    inherited: Inherited,
    confined: Confined,
    ready: impl FnOnce(&Ready<'_>),
) -> Result<Ended, ServeError> {
    // Before anybody is told that we are there.
    let mut signals = Signals::install().map_err(ServeError::Begin)?;
    let ledger = Ledger::open(&config.ledger())?;
    let azure = Azure::begin(config, &ledger).await?;
    let logs = azure.as_ref().map(Azure::logs);
    let handler = Rc::new(Handler::new(config.clone(), ledger.clone(), logs));
    let server = Server::begin(config, handler, inherited).await?;
    let (stop, stopped) = watch::channel(false);
    let mut behind = JoinSet::new();
    if let Some(azure) = azure {
        behind.spawn_local(azure.run(stopped.clone()));
    }
    behind.spawn_local(background::deliver(config.clone(), ledger.clone(), stopped.clone()));
    behind.spawn_local(background::heed_verbs(config.clone(), ledger.clone(), stopped));
    ready(&Ready { places: server.places(), confined });
    tell_manager(Notifier::ready);
    let again = loop {
        match signals.next().await {
            Signal::End => break false,
            Signal::Again => match Config::load(config_file) {
                Ok(_) => break true,
                Err(error) => {
                    tracing::error!(error = %chain(&error), "not reloaded, nothing has changed");
                }
            },
        }
    };
    tell_manager(if again { Notifier::reloading } else { Notifier::stopping });
    let kept = server.end().await;
    // Nobody works behind if it fails.
    let _ = stop.send(true);
    let done = async { while behind.join_next().await.is_some() {} };
    if tokio::time::timeout(BEHIND_GRACE, done).await.is_err() {
        tracing::warn!("what works behind does not end: it is left where it is");
    }
    Ok(match again {
        true => Ended::Again(kept.into_iter().map(server::Kept::into_fd).collect()),
        false => Ended::Stopped,
    })
}

fn tell_manager(what: fn(&Notifier) -> Result<(), NotifyError>) {
    let told = Notifier::from_environment().and_then(|manager| what(&manager));
    if let Err(error) = told {
        tracing::warn!(error = %chain(&error), "the service manager could not be told");
    }
}

/// Where our binary lies, or the one that has taken its place.
fn own_binary() -> PathBuf {
    let path = std::env::current_exe().unwrap_or_default();
    let bytes = path.as_os_str().as_bytes();
    match bytes.strip_suffix(b" (deleted)") {
        Some(bytes) => PathBuf::from(std::ffi::OsString::from_vec(bytes.to_vec())),
        None => path,
    }
}

/// Becomes the binary. Only a failure returns.
fn again(
    binary: &Path,
    config_file: &Path,
    listeners: &[OwnedFd],
    confined: Confined,
) -> Result<std::convert::Infallible, io::Error> {
    let text = |bytes: &[u8]| CString::new(bytes).map_err(io::Error::from);
    let path = text(binary.as_os_str().as_bytes())?;
    let config = config_file.as_os_str().as_bytes();
    let argv =
        [path.clone(), text(b"--config")?, text(config)?, text(b"gateway")?, text(b"serve")?];
    let mut environment = Vec::new();
    let ours = |name: &std::ffi::OsStr| name == inherit::VARIABLE || name == CONFINED;
    for (name, value) in std::env::vars_os().filter(|(name, _)| !ours(name)) {
        environment.push(text(&[name.as_bytes(), b"=", value.as_bytes()].concat())?);
    }
    let kept = inherit::name(listeners)?;
    environment.push(text(format!("{}={kept}", inherit::VARIABLE).as_bytes())?);
    if matches!(confined, Confined::Whole | Confined::InPart) {
        environment.push(text(format!("{CONFINED}=1").as_bytes())?);
    }
    Ok(nix::unistd::execve(&path, &argv, &environment)?)
}

/// What a signal asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signal {
    End,
    Again,
}

/// The streams that the handlers write a byte to.
struct Signals {
    end: UnixStream,
    again: UnixStream,
}

impl Signals {
    fn install() -> io::Result<Self> {
        Ok(Self { end: stream(&[SIGTERM, SIGINT])?, again: stream(&[SIGHUP])? })
    }

    /// The next signal. Who cannot be told by signals any more is to end.
    async fn next(&mut self) -> Signal {
        let (mut byte, mut other) = ([0_u8; 1], [0_u8; 1]);
        tokio::select! {
            _ = self.end.read_exact(&mut byte) => Signal::End,
            read = self.again.read_exact(&mut other) => match read {
                Ok(_) => Signal::Again,
                Err(_) => Signal::End,
            },
        }
    }
}

fn stream(signals: &[i32]) -> io::Result<UnixStream> {
    let (reader, writer) = std::os::unix::net::UnixStream::pair()?;
    for signal in signals {
        pipe::register(*signal, writer.try_clone()?)?;
    }
    reader.set_nonblocking(true)?;
    UnixStream::from_std(reader)
}
