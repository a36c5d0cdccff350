//! Whether the machine offers what a unit needs first: a docker engine that answers, a default
//! route. And waits that the kernel ends, so that nobody polls for either. Not here: what waits
//! for what, and when to look again at an engine whose socket is there but silent.

mod watch;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

pub use watch::{DockerWatch, NetworkWatch, WatchError};

/// Where docker's socket is unless `DOCKER_HOST` says otherwise.
const DOCKER_SOCKET: &str = "/var/run/docker.sock";

/// An engine that lives answers `/_ping` in a few milliseconds; so long for a machine under load.
const DOCKER_WITHIN: Duration = Duration::from_secs(2);

/// A status line is some 20 bytes; more than this before the line's end is not HTTP.
const STATUS_LINE_MAX: usize = 512;

/// Route flags of `/proc/net/route` and `/proc/net/ipv6_route` (`linux/route.h`).
const RTF_UP: u32 = 0x0001;
/// The route refuses what it matches.
const RTF_REJECT: u32 = 0x0200;

/// Why something is not there; the text is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum NotThere {
    /// `DOCKER_HOST` names something other than a unix socket.
    #[error(
        "DOCKER_HOST={0:?} is no unix:///absolute/path: only an engine on a unix socket can be waited for"
    )]
    DockerHost(String),
    /// No such file.
    #[error("docker: there is no socket {0}")]
    NoSocket(PathBuf),
    /// We may not use it.
    #[error("docker: permission denied on {0}: is the supervisor's user in the docker group?")]
    Denied(PathBuf),
    /// A socket that nobody serves.
    #[error("docker: nobody listens on {0}")]
    NobodyListens(PathBuf),
    /// Connecting or talking failed in another way.
    #[error("docker: cannot talk over {socket}")]
    Broken {
        /// The socket.
        socket: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It was silent.
    #[error("docker: no answer over {socket} within {} s", within.as_secs())]
    NoAnswer {
        /// The socket.
        socket: PathBuf,
        /// For how long.
        within: Duration,
    },
    /// It answered, but not with 200.
    #[error("docker: {socket} answered /_ping with status {status}")]
    Status {
        /// The socket.
        socket: PathBuf,
        /// The HTTP status.
        status: u16,
    },
    /// It answered something that is not HTTP.
    #[error("docker: what answers on {0} does not speak HTTP")]
    NotHttp(PathBuf),
    /// No default route.
    #[error("network: there is no default route, IPv4 or IPv6")]
    NoRoute,
    /// The kernel's table could not be read.
    #[error("network: cannot read {path}")]
    NoTable {
        /// Which file.
        path: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The docker socket that the daemon's own environment names: `DOCKER_HOST=unix:///…`, or the
/// usual place.
///
/// # Errors
/// [`NotThere::DockerHost`] for any other scheme.
pub fn docker_socket() -> Result<PathBuf, NotThere> {
    socket_of(std::env::var("DOCKER_HOST").ok().as_deref())
}

fn socket_of(docker_host: Option<&str>) -> Result<PathBuf, NotThere> {
    let Some(host) = docker_host.filter(|host| !host.is_empty()) else {
        return Ok(DOCKER_SOCKET.into());
    };
    match host.strip_prefix("unix://") {
        Some(path) if path.starts_with('/') => Ok(path.into()),
        Some(_) | None => Err(NotThere::DockerHost(host.to_owned())),
    }
}

/// Asks the engine on `socket` for `/_ping`; it is there if it says 200 within 2 s in all.
///
/// # Errors
/// [`NotThere`] in words.
pub async fn docker(socket: &Path) -> Result<(), NotThere> {
    docker_within(socket, DOCKER_WITHIN).await
}

async fn docker_within(socket: &Path, within: Duration) -> Result<(), NotThere> {
    let Ok(answer) = timeout(within, ping(socket)).await else {
        return Err(NotThere::NoAnswer { socket: socket.to_owned(), within });
    };
    let line = answer.map_err(|source| broken(socket, source))?;
    match status(&line) {
        Some(200) => Ok(()),
        Some(status) => Err(NotThere::Status { socket: socket.to_owned(), status }),
        None => Err(NotThere::NotHttp(socket.to_owned())),
    }
}

fn broken(socket: &Path, source: io::Error) -> NotThere {
    let (kind, socket) = (source.kind(), socket.to_owned());
    if kind == io::ErrorKind::NotFound {
        NotThere::NoSocket(socket)
    } else if kind == io::ErrorKind::PermissionDenied {
        NotThere::Denied(socket)
    } else if kind == io::ErrorKind::ConnectionRefused {
        NotThere::NobodyListens(socket)
    } else {
        NotThere::Broken { socket, source }
    }
}

/// Everything up to the end of the first line, or as much as came.
async fn ping(socket: &Path) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(socket).await?;
    stream.write_all(b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n").await?;
    let mut line = Vec::new();
    while !line.contains(&b'\n') && line.len() < STATUS_LINE_MAX {
        if stream.read_buf(&mut line).await? == 0 {
            break;
        }
    }
    Ok(line)
}

/// The status of `HTTP/1.1 200 OK`.
pub(crate) fn status(answer: &[u8]) -> Option<u16> {
    let (line, _) = std::str::from_utf8(answer).ok()?.split_once('\n')?;
    let (_, rest) = line.split_once(' ').filter(|(version, _)| version.starts_with("HTTP/1."))?;
    let status = rest.split_ascii_whitespace().next()?;
    let is_one = status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit());
    is_one.then(|| status.parse().ok())?
}

/// Whether there is a default route in the main table, IPv4 or IPv6, that is up and leads
/// somewhere. It says nothing about whether anybody answers at its other end.
///
/// # Errors
/// [`NotThere::NoRoute`], or [`NotThere::NoTable`] when the kernel would not say.
pub fn network() -> Result<(), NotThere> {
    let v4 = table("/proc/net/route")?;
    let v6 = table("/proc/net/ipv6_route")?;
    if has_default_route(&v4, &v6) { Ok(()) } else { Err(NotThere::NoRoute) }
}

/// A kernel without one of the two protocols has no file for it: that is an empty table.
fn table(path: &'static str) -> Result<String, NotThere> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(source) => Err(NotThere::NoTable { path, source }),
    }
}

/// Whether one of the two tables has a default route that leads somewhere.
pub(crate) fn has_default_route(v4: &str, v6: &str) -> bool {
    v4.lines().skip(1).any(is_default_v4) || v6.lines().any(is_default_v6)
}

/// `Iface Destination Gateway Flags RefCnt Use Metric Mask …`, numbers in hex.
fn is_default_v4(line: &str) -> bool {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let [interface, "00000000", _gateway, flags, _refs, _use, _metric, "00000000", ..] = words[..]
    else {
        return false;
    };
    leads_somewhere(interface, flags)
}

/// `destination prefix source prefix next-hop metric refs use flags interface`, numbers in hex.
fn is_default_v6(line: &str) -> bool {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let [destination, "00", _source, _bits, _hop, _metric, _refs, _use, flags, interface] =
        words[..]
    else {
        return false;
    };
    destination.bytes().all(|digit| digit == b'0') && leads_somewhere(interface, flags)
}

/// The kernel lists unreachable defaults too: on `lo` (IPv6) or `*` (IPv4), with the reject flag.
fn leads_somewhere(interface: &str, flags: &str) -> bool {
    let Ok(flags) = u32::from_str_radix(flags, 16) else { return false };
    flags & RTF_UP != 0 && flags & RTF_REJECT == 0 && interface != "lo" && interface != "*"
}

#[cfg(test)]
mod tests;
