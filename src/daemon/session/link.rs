//! The connection to a session's tmux server: kept, and seen to when it ends.

use std::rc::Rc;
use std::time::Duration;

use super::Session;
use crate::daemon::shared::LeafSpawner;
use crate::daemon::told::chain;
use crate::decide::{Entry, Process};
use crate::world::procs;
use crate::world::tmux::{Notifications, PaneProgram, ReconnectError, Server, Tmux, Up};

/// A lost connection to a living server that cannot be made again is tried for again, at first
/// after this time, which doubles.
const AGAIN_FROM: Duration = Duration::from_millis(100);
/// The longest of these waits: a server that hangs may do so for hours.
const AGAIN_TO: Duration = Duration::from_secs(60);

impl Session {
    /// The connection there is, or a new one to a server of old.
    pub(super) async fn connect(
        self: &Rc<Self>,
        tmux: &Tmux,
    ) -> Result<PaneProgram, ReconnectError> {
        let _alone = self.connecting.lock().await;
        if let Some(server) = self.server() {
            return Ok(server.program());
        }
        let spawner = LeafSpawner { leaf: None };
        let up = Server::reconnect(tmux, &spawner, self.socket()).await?;
        Ok(self.hold(up).program())
    }

    /// Keeps a connection, and sees to it when it ends.
    pub(super) fn hold(self: &Rc<Self>, up: Up) -> Rc<Server> {
        let server = Rc::new(up.server);
        self.server.replace(Some(Rc::clone(&server)));
        let this = Rc::clone(self);
        let process = server.process();
        self.link.run(async move { this.link_ended(process, up.notifications).await });
        server
    }

    /// When the connection ends, the server is alive, and is connected to again; or it is dead,
    /// and then its program, which may ignore the hang-up, is ended too.
    async fn link_ended(self: Rc<Self>, server: Process, mut notifications: Notifications) {
        while notifications.recv().await.is_some() {}
        let Some(tmux) = &self.shared.tmux else { return };
        let mut pause = AGAIN_FROM;
        while procs::is_alive(server) {
            tracing::info!(unit = %self.unit.name, "the tmux client ended; connecting again");
            // Whoever connects replaces this task by another one.
            match self.connect(tmux).await {
                Ok(_) => return,
                Err(error) => {
                    tracing::warn!(unit = %self.unit.name, error = chain(&error), "not connected");
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(AGAIN_TO);
        }
        let why = "its tmux server died: what is left of it is ended".to_owned();
        tracing::warn!(unit = %self.unit.name, "{why}");
        self.shared.journal(Entry { unit: Some(self.unit.name.clone()), event: "tmux-died", why });
        let ended = self.shared.end_leftovers(&self.unit.name, &[]).await;
        if let Err(why) = ended {
            tracing::error!(unit = %self.unit.name, "{why}");
        }
    }
}
