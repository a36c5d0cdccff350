//! Addresses and sockets to listen on. Not here: who is let in.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};

use crate::config::Endpoint;
use crate::world::probes::NetworkWatch;

/// So many callers may wait to be let in.
const BACKLOG: u32 = 1024;
/// A predecessor may need a moment to let go of its address.
const IN_USE_LOOKS: u32 = 50;
const IN_USE_PAUSE: Duration = Duration::from_millis(100);
/// An address may come without the kernel telling us, or its telling be missed.
const ADDRESS_LOOK: Duration = Duration::from_secs(5);
/// A socket for those who may speak to us.
const SOCKET_MODE: u32 = 0o660;
/// A socket in a folder that only one agent's container sees, whoever it runs as there.
const AGENT_SOCKET_MODE: u32 = 0o666;
/// The folder of such a socket, if we make it: passed through, not read. The folder that it is in
/// is what keeps others of this machine out.
const AGENT_FOLDER_MODE: u32 = 0o711;
const FOLDER_MODE: u32 = 0o750;

/// Why nobody can be let in.
#[derive(Debug, Error)]
pub enum ListenError {
    /// The address cannot be listened on.
    #[error("cannot listen on {endpoint}")]
    Bind {
        /// Where.
        endpoint: Endpoint,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// What a predecessor kept open cannot be used.
    #[error("cannot go on listening on {place}")]
    Kept {
        /// Where.
        place: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// A listener.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

/// A listener that nobody is let in by: its callers wait.
#[derive(Debug)]
pub enum Kept {
    /// An address.
    Tcp(std::net::TcpListener),
    /// A path.
    Unix(std::os::unix::net::UnixListener, PathBuf),
}

/// What a caller speaks through.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Listens on `endpoint`; `None` if this machine has no such address yet.
pub(super) async fn open(
    endpoint: &Endpoint,
    agent: bool,
) -> Result<Option<Listener>, ListenError> {
    let mut looks = 0;
    loop {
        let source = match bind(endpoint, agent) {
            Ok(listener) => return Ok(Some(listener)),
            Err(source) => source,
        };
        if source.kind() == io::ErrorKind::AddrNotAvailable {
            tracing::warn!(%endpoint, "this machine does not have the address yet: waiting for it");
            return Ok(None);
        }
        if source.kind() != io::ErrorKind::AddrInUse || looks == IN_USE_LOOKS {
            return Err(ListenError::Bind { endpoint: endpoint.clone(), source });
        }
        looks += 1;
        tokio::time::sleep(IN_USE_PAUSE).await;
    }
}

/// Listens on `endpoint` as soon as this machine has it.
pub(super) async fn wait(endpoint: &Endpoint) -> Listener {
    loop {
        // Before the look, so that what comes between the two is not missed.
        let watch = NetworkWatch::open();
        if let Ok(listener) = bind(endpoint, false) {
            tracing::info!(%endpoint, "the address is there: listening");
            return listener;
        }
        let look = tokio::time::sleep(ADDRESS_LOOK);
        match watch {
            Ok(mut watch) => tokio::select! {
                changed = watch.changed() => if changed.is_err() { tokio::time::sleep(ADDRESS_LOOK).await },
                () = look => {}
            },
            Err(_) => look.await,
        }
    }
}

fn bind(endpoint: &Endpoint, agent: bool) -> io::Result<Listener> {
    match endpoint {
        Endpoint::Tcp(address) => Ok(Listener::Tcp(bind_tcp(*address)?)),
        Endpoint::Unix(path) => Ok(Listener::Unix(bind_unix(path, agent)?, path.clone())),
    }
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// A socket that nobody listens on is the rest of one who was killed.
fn bind_unix(path: &Path, agent: bool) -> io::Result<UnixListener> {
    make_folder_of(path, agent)?;
    if path.exists() {
        match std::os::unix::net::UnixStream::connect(path) {
            Ok(_) => return Err(io::ErrorKind::AddrInUse.into()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                std::fs::remove_file(path)?;
            }
            Err(error) => return Err(error),
        }
    }
    let listener = UnixListener::bind(path)?;
    let mode = if agent { AGENT_SOCKET_MODE } else { SOCKET_MODE };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    Ok(listener)
}

/// Makes the folder of a socket. `agent`: one that an agent's container sees.
pub(super) fn make_folder_of(socket: &Path, agent: bool) -> io::Result<()> {
    let folder = socket.parent().unwrap_or(Path::new("/"));
    make_folder(folder, if agent { AGENT_FOLDER_MODE } else { FOLDER_MODE })
}

fn make_folder(folder: &Path, mode: u32) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(outer) = folder.parent() {
        make_folder(outer, FOLDER_MODE)?;
    }
    std::fs::DirBuilder::new().mode(mode).create(folder)?;
    // What the process masks out is needed here.
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode))
}

impl Listener {
    pub(super) async fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                // An answer is one small piece: it is not kept back for more.
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
            Self::Unix(listener, _) => Ok(Stream::Unix(listener.accept().await?.0)),
        }
    }

    /// Where it listens, as a caller would write it.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Tcp(listener) => match listener.local_addr() {
                Ok(address) => format!("http://{address}"),
                Err(_) => "an address that the kernel does not tell".to_owned(),
            },
            Self::Unix(_, path) => format!("unix:{}", path.display()),
        }
    }

    /// Itself without anybody being let in.
    pub(super) fn keep(self, endpoint: &Endpoint) -> Option<Kept> {
        let kept = match self {
            Self::Tcp(listener) => listener.into_std().map(Kept::Tcp),
            Self::Unix(listener, path) => listener.into_std().map(|it| Kept::Unix(it, path)),
        };
        kept.inspect_err(|error| tracing::warn!(%endpoint, %error, "a listener is lost")).ok()
    }
}

impl Kept {
    /// Whether it is the listener of `endpoint`.
    pub(super) fn is(&self, endpoint: &Endpoint) -> bool {
        match (self, endpoint) {
            (Self::Tcp(listener), Endpoint::Tcp(wanted)) => listener.local_addr().is_ok_and(|is| {
                is.ip() == wanted.ip() && (is.port() == wanted.port() || wanted.port() == 0)
            }),
            // A socket that was taken out of its folder is nobody's any more.
            (Self::Unix(_, path), Endpoint::Unix(wanted)) => path == wanted && path.exists(),
            (Self::Tcp(_), Endpoint::Unix(_)) | (Self::Unix(..), Endpoint::Tcp(_)) => false,
        }
    }

    /// Lets callers in again.
    pub(super) fn listen(self) -> Result<Listener, ListenError> {
        let (place, listener) = match self {
            Self::Tcp(listener) => {
                let ready = listener.set_nonblocking(true);
                let listener = ready.and_then(|()| TcpListener::from_std(listener));
                ("an address".to_owned(), listener.map(Listener::Tcp))
            }
            Self::Unix(listener, path) => {
                let ready = listener.set_nonblocking(true);
                let listener = ready.and_then(|()| UnixListener::from_std(listener));
                (path.display().to_string(), listener.map(|it| Listener::Unix(it, path)))
            }
        };
        listener.map_err(|source| ListenError::Kept { place, source })
    }

    /// Its descriptor.
    pub fn into_fd(self) -> OwnedFd {
        match self {
            Self::Tcp(listener) => listener.into(),
            Self::Unix(listener, _) => listener.into(),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Unix(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
