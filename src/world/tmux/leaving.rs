//! Seeing to it that an earlier control client of ours has left before another one arrives: tmux 3.3a
//! dies when both happen at once.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use tmux_interface::ListClients;
use tokio::time::{Instant, sleep, timeout_at};

use super::control::{self, ControlError};
use super::helper::{self, HelperError};
use super::quote::Words;
use super::server::CONNECT_CEILING;
use super::{Spawner, Tmux, process};

/// How long an earlier control client of ours may take to leave; its pipes are closed already.
const LEAVE_CEILING: Duration = Duration::from_secs(2);

/// After this time it will not leave by itself: a client whose pipes were closed while it was
/// arriving is never told (seen on tmux 3.3a when we were killed just then), and is killed.
const LEAVE_PATIENCE: Duration = Duration::from_millis(300);

/// Between two looks whether it has. No event tells: only control clients are told of anything.
const LEAVE_LOOK: Duration = Duration::from_millis(10);

/// Waits until the control client of our earlier life has left. tmux 3.3a dies of a null pointer
/// if it has to tell of one client's leaving while another control client is arriving: one server
/// in eight, measured, when both happen at once, as they do when we are restarted.
pub(super) async fn predecessor_gone(
    tmux: &Tmux,
    spawner: &dyn Spawner,
    socket: &Path,
) -> Result<(), ControlError> {
    let mut list: Vec<OsString> = vec![tmux.program().into()];
    list.extend(["-N", "-S"].map(OsString::from));
    list.push(socket.into());
    // A plain client, which is not told of anything.
    let format = "#{client_pid} #{client_flags}";
    list.extend(Words::from(ListClients::new().format(format).build()).into_argv());
    let begun = Instant::now();
    let deadline = begun + LEAVE_CEILING;
    loop {
        let environment = control::client_environment();
        let answer = helper::run(spawner, list.clone(), environment, CONNECT_CEILING).await;
        let answer = answer.map_err(|error| match error {
            HelperError::TooSlow(after) => {
                ControlError::TimedOut { command: "list-clients".to_owned(), after }
            }
            HelperError::Spawn(source) | HelperError::Listen(source) => {
                ControlError::Spawn { socket: socket.to_owned(), source }
            }
        })?;
        let clients = String::from_utf8_lossy(&answer.stdout);
        // Nobody else attaches without output.
        let ours: Vec<&str> = clients.lines().filter(|line| line.contains("no-output")).collect();
        if ours.is_empty() {
            return Ok(());
        }
        if begun.elapsed() >= LEAVE_PATIENCE {
            ours.iter().for_each(|line| end_client(line, socket));
        }
        // One that stays all the same is alive, and not leaving.
        if timeout_at(deadline, sleep(LEAVE_LOOK)).await.is_err() {
            return Ok(());
        }
    }
}

/// Kills the client of `socket` that a line of the list is about. One that has just ended is none:
/// its pid may be a stranger's by now.
fn end_client(line: &str, socket: &Path) {
    let pid = line.split(' ').next().and_then(|pid| pid.parse().ok());
    let Some(client) = pid.and_then(process::identify) else { return };
    let words = std::fs::read(format!("/proc/{}/cmdline", client.pid)).unwrap_or_default();
    let is_ours = words.split(|byte| *byte == 0).any(|word| word == socket.as_os_str().as_bytes());
    if let (true, Ok(Some(handle))) = (is_ours, process::open(client)) {
        // One that is gone already needs no signal.
        let _gone = process::signal(&handle, Signal::KILL);
    }
}
