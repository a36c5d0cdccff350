//! tmux servers that are not ours: which sessions they have. Nothing is ever done to one.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::helper::{self, HelperError};
use super::{Spawner, Tmux};

/// A server that hangs says nothing; one that lives answers within milliseconds.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// Why nothing is known of a server that is not ours.
#[derive(Debug, thiserror::Error)]
#[error("cannot ask the tmux server at {socket} for its sessions")]
pub struct NotAsked {
    socket: String,
    #[source]
    source: HelperError,
}

impl Tmux {
    /// The names of the sessions of the server at `socket`; none if no server listens there, or it
    /// lets us not in.
    ///
    /// # Errors
    /// [`NotAsked`], also when it gave no answer in time.
    pub async fn sessions_at(
        &self,
        spawner: &dyn Spawner,
        socket: &Path,
    ) -> Result<Vec<String>, NotAsked> {
        let mut argv: Vec<OsString> = vec![self.program().into(), "-S".into(), socket.into()];
        argv.extend(["list-sessions", "-F", "#{session_name}"].map(OsString::from));
        let answer = helper::run(spawner, argv, Vec::new(), ANSWER_MAX).await;
        let answer =
            answer.map_err(|source| NotAsked { socket: socket.display().to_string(), source })?;
        let text = String::from_utf8_lossy(&answer.stdout);
        Ok(text.lines().map(str::to_owned).collect())
    }
}
