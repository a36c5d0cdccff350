//! The control socket: one JSON request a line, one JSON answer a line. What a request leads to is
//! decided by the loop; here are only the wire and its limits.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener as StdListener;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use crate::protocol::{Answer, Reply, Request, Status, VERSION, Verb};

/// The longest request: a `tell` of a long text, and room to spare.
const REQUEST_MAX: u64 = 1024 * 1024;
/// A caller that has connected must have asked by then.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// A caller that does not read its answer is hung up on.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// More callers than this at once wait in the kernel's queue.
const CALLERS_MAX: usize = 64;
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
    let callers = Arc::new(Semaphore::new(CALLERS_MAX));
    loop {
        let Ok(permit) = Arc::clone(&callers).acquire_owned().await else { return Ok(()) };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a caller on the control socket");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let calls = calls.clone();
        let snapshots = snapshots.clone();
        tokio::task::spawn_local(async move {
            let _permit = permit;
            if let Err(error) = serve_one(stream, calls, snapshots).await {
                tracing::debug!(%error, "a caller hung up");
            }
        });
    }
}

async fn serve_one(
    stream: UnixStream,
    calls: mpsc::Sender<Call>,
    snapshots: watch::Sender<Option<Rc<Status>>>,
) -> io::Result<()> {
    let peer = stream.peer_cred().ok().map(|peer| peer.uid());
    let (reader, mut writer) = stream.into_split();
    let mut line = Vec::new();
    let mut reader = BufReader::new(reader.take(REQUEST_MAX));
    tokio::time::timeout(REQUEST_TIMEOUT, reader.read_until(b'\n', &mut line)).await??;
    if line.is_empty() {
        return Ok(());
    }
    let verb = match parse(&line) {
        Ok(verb) => verb,
        Err(why) => return write(&mut writer, Answer::Failed { why }).await,
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
            let answer = answer.unwrap_or_else(|_| Answer::Failed {
                why: "the supervisor left before it could answer; try again".to_owned(),
            });
            write(&mut writer, answer).await
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

fn parse(line: &[u8]) -> Result<Verb, String> {
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
