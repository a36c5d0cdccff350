//! Becoming another binary in place: the same pid, so the children stay ours, and the lock and the
//! control socket never close. Everything else is found again from the records.

use std::ffi::CString;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::{FdFlags, fcntl_setfd};
use tokio::io::AsyncReadExt as _;

use super::RunError;
use super::told::chain;
use crate::world::lock::{Lock, LockError};
use crate::world::procs;
use crate::world::spawn::{self, Launch, Stream};

/// Names the descriptors that the next image is to take over: `LOCK,LISTENER`.
const VARIABLE: &str = "SUPERVISOR_REEXEC";
/// How long the new binary may take to check its config.
const CHECK_CEILING: Duration = Duration::from_secs(20);
/// How often a dying predecessor is looked at, and the pause between: two seconds in all.
const DYING_LOOKS: u32 = 80;
const DYING_PAUSE: Duration = Duration::from_millis(25);
/// The longest complaint of a new binary that is passed on, in bytes.
const COMPLAINT_MAX: u64 = 16 * 1024;

/// What to become.
#[derive(Debug)]
pub(super) struct Reexec {
    pub(super) binary: PathBuf,
    pub(super) config: Option<PathBuf>,
    /// Copies of the descriptors, which keep their files open until the exec.
    pub(super) lock: Option<OwnedFd>,
    pub(super) listener: Option<OwnedFd>,
}

impl Reexec {
    /// Becomes the other binary. Only a failure returns.
    pub(super) fn execute(self) -> RunError {
        let Err(error) = self.try_execute();
        RunError::Reexec { binary: self.binary, source: error }
    }

    fn try_execute(&self) -> Result<std::convert::Infallible, std::io::Error> {
        let mut argv = vec![text(self.binary.as_os_str().as_bytes())?];
        if let Some(config) = &self.config {
            argv.push(text(b"--config")?);
            argv.push(text(config.as_os_str().as_bytes())?);
        }
        argv.push(text(b"run")?);
        let mut environment = Vec::new();
        // What an image before us was told names descriptors that are closed by now.
        for (name, value) in std::env::vars_os().filter(|(name, _)| !is_internal(name)) {
            environment.push(text([name.as_bytes(), b"=", value.as_bytes()].concat())?);
        }
        if let (Some(lock), Some(listener)) = (&self.lock, &self.listener) {
            fcntl_setfd(lock, FdFlags::empty())?;
            fcntl_setfd(listener, FdFlags::empty())?;
            let kept = format!("{VARIABLE}={},{}", lock.as_raw_fd(), listener.as_raw_fd());
            environment.push(text(kept)?);
        }
        Ok(nix::unistd::execve(&argv[0], &argv, &environment)?)
    }
}

/// What an image before us kept open.
#[derive(Debug, Default)]
pub(super) struct Inherited {
    lock: Option<OwnedFd>,
    listener: Option<OwnedFd>,
}

impl Inherited {
    /// Takes over what the environment names. Nothing, if this is no re-exec.
    pub(super) fn take() -> Self {
        let Ok(kept) = std::env::var(VARIABLE) else { return Self::default() };
        let mut numbers = kept.split(',').map(|number| number.parse().ok());
        let mut next = || numbers.next().flatten().and_then(spawn::inherit);
        Self { lock: next(), listener: next() }
    }

    /// The lock of the state directory: the inherited one if it is that, else a new one. A
    /// predecessor that was killed holds it until the kernel has taken its memory apart: that is
    /// waited for.
    pub(super) async fn lock(&mut self, state_dir: &Path) -> Result<Lock, LockError> {
        if let Some(lock) = self.lock.take().and_then(|fd| Lock::from_fd(fd, state_dir).ok()) {
            return Ok(lock);
        }
        for _ in 0..DYING_LOOKS {
            match Lock::take(state_dir) {
                Err(LockError::Held { pid: Some(pid), .. }) if is_dying(pid) => {
                    tokio::time::sleep(DYING_PAUSE).await;
                }
                taken => return taken,
            }
        }
        Lock::take(state_dir)
    }

    /// The inherited control socket, if it is bound to `path`.
    pub(super) fn listener(&mut self, path: &Path) -> Option<UnixListener> {
        let listener = UnixListener::from(self.listener.take()?);
        let address = listener.local_addr().ok()?;
        (address.as_pathname() == Some(path) && path.exists()).then_some(listener)
    }
}

/// Whether nobody, or nobody who runs, has this pid.
fn is_dying(pid: i32) -> bool {
    procs::state(pid).is_none_or(|state| matches!(state, 'Z' | 'X' | 'x'))
}

/// Whether the name is one that only the daemon itself may see.
pub(super) fn is_internal(name: &std::ffi::OsStr) -> bool {
    name == VARIABLE
}

/// Has the new binary check the config that it would run with: nothing is left to chance once we
/// are no longer there.
pub(super) async fn check(reexec: &Reexec) -> Result<(), String> {
    let Some(config) = &reexec.config else { return Ok(()) };
    let binary = reexec.binary.display();
    let asked = async {
        let (read, write) = std::io::pipe().map_err(|error| error.to_string())?;
        let launch = Launch {
            argv: vec![(&reexec.binary).into(), "check-config".into(), config.into()],
            env: std::env::vars_os().collect(),
            directory: None,
            stdin: Stream::Null,
            stdout: Stream::Null,
            stderr: Stream::Fd(write.into()),
            cgroup: None,
        };
        let running = launch.fork().map_err(|error| chain(&error))?.open();
        running.exec.result().await.map_err(|error| chain(&error))?;
        let read = tokio::net::unix::pipe::Receiver::from_owned_fd(read.into());
        let mut complaint = Vec::new();
        let read = read.map_err(|error| error.to_string())?;
        read.take(COMPLAINT_MAX)
            .read_to_end(&mut complaint)
            .await
            .map_err(|error| error.to_string())?;
        match String::from_utf8_lossy(&complaint).trim() {
            "" => Ok(()),
            complaint => Err(complaint.to_owned()),
        }
    };
    match tokio::time::timeout(CHECK_CEILING, asked).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(why)) => Err(format!("not reloaded, nothing has changed: {why}")),
        Err(_) => Err(format!("not reloaded: `{binary} check-config` does not answer")),
    }
}

fn text(bytes: impl AsRef<[u8]>) -> Result<CString, std::io::Error> {
    Ok(CString::new(std::ffi::OsString::from_vec(bytes.as_ref().to_vec()).into_vec())?)
}
