//! The control socket: one JSON request a line, one JSON answer a line. What a request leads to is
//! decided by the loop; here are only the wire and its limits.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener as StdListener;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use crate::protocol::{Answer, Reply, Request, Status, VERSION, Verb};

/// The longest request: a `tell` of a long text, and room to spare.
const REQUEST_MAX: u64 = 1024 * 1024;
/// A caller that has connected must have asked by then.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// A caller that does not read its answer is hung up on.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// So many callers may have asked and wait for their answers, or watch; further ones are turned
/// away with a word.
const CALLERS_MAX: usize = 256;
/// So many may be connected and not have asked yet. The one who has been silent for longest makes
/// room for the next, so that nobody keeps the others out by saying nothing.
const SILENT_MAX: usize = 64;
/// After a failed accept (no more file descriptors, say) the next is tried so much later.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// A request on its way to the loop.
pub(super) struct Call {
    /// What is asked.
    pub(super) verb: Verb,
    /// Who asks, as the kernel says.
    pub(super) peer: Option<u32>,
    /// Where the answer goes.
    pub(super) answer: oneshot::Sender<Answer>,
}

/// Binds the socket, readable and writable for owner and group. The caller holds the lock of the
/// state directory, so a socket that is there already is a dead one's.
pub(super) fn bind(path: &Path) -> io::Result<StdListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = StdListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

/// Serves callers for ever.
pub(super) async fn serve(
    listener: StdListener,
    calls: mpsc::Sender<Call>,
    snapshots: watch::Sender<Option<Rc<Status>>>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = UnixListener::from_std(listener)?;
    let callers = Rc::new(Semaphore::new(CALLERS_MAX));
    let mut silent = VecDeque::new();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a caller on the control socket");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (calls, snapshots) = (calls.clone(), snapshots.clone());
        let callers = Rc::clone(&callers);
        // Dropped when the caller must make room; the caller drops its end when it has asked.
        let (room, make_room) = oneshot::channel::<Infallible>();
        tokio::task::spawn_local(async move {
            let served = async {
                let (reader, writer, line) = tokio::select! {
                    asked = listen(stream) => asked?,
                    _ = make_room => return Ok(()),
                };
                answer_one(reader, writer, &line, &callers, calls, snapshots).await
            };
            let served: io::Result<()> = served.await;
            if let Err(error) = served {
                tracing::debug!(%error, "a caller hung up");
            }
        });
        silent.push_back(room);
        if silent.len() > SILENT_MAX {
            silent.retain(|room| !room.is_closed());
        }
        if silent.len() > SILENT_MAX {
            silent.pop_front();
        }
    }
}

type Reader = BufReader<tokio::io::Take<OwnedReadHalf>>;

/// The request as it was typed.
async fn listen(stream: UnixStream) -> io::Result<(Reader, OwnedWriteHalf, Vec<u8>)> {
    let (reader, writer) = stream.into_split();
    let mut line = Vec::new();
    let mut reader = BufReader::new(reader.take(REQUEST_MAX));
    tokio::time::timeout(REQUEST_TIMEOUT, reader.read_until(b'\n', &mut line)).await??;
    Ok((reader, writer, line))
}

async fn answer_one(
    mut reader: Reader,
    mut writer: OwnedWriteHalf,
    line: &[u8],
    callers: &Semaphore,
    calls: mpsc::Sender<Call>,
    snapshots: watch::Sender<Option<Rc<Status>>>,
) -> io::Result<()> {
    if line.is_empty() {
        return Ok(());
    }
    let refuse = |why| Answer::Failed { why };
    let Ok(_permit) = callers.try_acquire() else {
        let why = format!("{CALLERS_MAX} callers wait or watch already: try again later");
        return write(&mut writer, refuse(why)).await;
    };
    let peer = writer.as_ref().peer_cred().ok().map(|peer| peer.uid());
    let verb = match parse(line) {
        Ok(verb) => verb,
        Err(why) => return write(&mut writer, refuse(why)).await,
    };
    if let Verb::Status { watch: true } = verb {
        return watch_on(&mut writer, reader, &calls, peer, snapshots.subscribe()).await;
    }
    let (answer, answered) = oneshot::channel();
    if calls.send(Call { verb, peer, answer }).await.is_err() {
        return Ok(());
    }
    let mut rest = [0_u8; 1];
    tokio::select! {
        answer = answered => {
            let left = "the supervisor left before it could answer; try again";
            write(&mut writer, answer.unwrap_or_else(|_| refuse(left.to_owned()))).await
        }
        // A caller that hangs up no longer waits: the loop sees the closed channel.
        _ = reader.read(&mut rest) => Ok(()),
    }
}

/// Sends a snapshot now, and a new one whenever it has changed, until the caller hangs up.
async fn watch_on(
    writer: &mut (impl tokio::io::AsyncWrite + Unpin),
    mut reader: impl tokio::io::AsyncRead + Unpin,
    calls: &mpsc::Sender<Call>,
    peer: Option<u32>,
    mut snapshots: watch::Receiver<Option<Rc<Status>>>,
) -> io::Result<()> {
    let (answer, first) = oneshot::channel();
    let verb = Verb::Status { watch: false };
    if calls.send(Call { verb, peer, answer }).await.is_err() {
        return Ok(());
    }
    if let Ok(answer) = first.await {
        write(writer, answer).await?;
    }
    let mut rest = [0_u8; 1];
    loop {
        tokio::select! {
            changed = snapshots.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
                let snapshot = snapshots.borrow_and_update().clone();
                if let Some(status) = snapshot {
                    write(writer, Answer::Status(Box::new((*status).clone()))).await?;
                }
            }
            _ = reader.read(&mut rest) => return Ok(()),
        }
    }
}

/// The verb of one request.
///
/// # Errors
/// Why it is none, for the caller.
pub(crate) fn parse(line: &[u8]) -> Result<Verb, String> {
    if !line.ends_with(b"\n") {
        return Err(format!("a request is one line of at most {REQUEST_MAX} bytes"));
    }
    // The version comes first: a newer request may hold what we cannot parse.
    #[derive(serde::Deserialize)]
    struct Version {
        v: u32,
    }
    match serde_json::from_slice::<Version>(line) {
        Ok(Version { v }) if v > VERSION => Err(format!(
            "this supervisor speaks version {VERSION} of the control protocol, the caller {v}: \
             `reload` the daemon with the caller's binary"
        )),
        Ok(_) => match serde_json::from_slice::<Request>(line) {
            Ok(request) => Ok(request.verb),
            Err(error) => Err(format!("not a request: {error}")),
        },
        Err(error) => Err(format!("not a request: {error}")),
    }
}

async fn write(
    writer: &mut (impl tokio::io::AsyncWrite + Unpin),
    answer: Answer,
) -> io::Result<()> {
    let mut line = serde_json::to_vec(&Reply { v: VERSION, answer })?;
    line.push(b'\n');
    tokio::time::timeout(ANSWER_TIMEOUT, writer.write_all(&line)).await?
}
