//! The listeners and their connections: who is let in, how long it may take, how it ends. Not here:
//! what is answered (see [`super::handler`]).

pub mod body;
mod connection;
mod crowd;
pub mod inherit;
mod listen;

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::handler::{Handler, Side};
use crate::config::{Endpoint, Gateway};

pub use inherit::Inherited;
pub use listen::{Kept, ListenError};

use connection::converse;
use crowd::Crowd;
use listen::Listener;

/// The name of the socket in a group's `socket_dir`.
const SOCKET: &str = "gateway.sock";
/// So many callers at once; the next one takes the place of the one who has said nothing for longest.
const CALLERS_MAX: usize = 1024;
/// How long those who are being answered may take when we end.
const GRACE: Duration = Duration::from_secs(10);
/// After a failure to let somebody in: it will not be better at once.
const PAUSE: Duration = Duration::from_millis(100);

/// The server, listening.
#[derive(Debug)]
pub struct Server {
    crowd: Rc<Crowd>,
    stop: watch::Sender<bool>,
    doors: Vec<JoinHandle<Option<Kept>>>,
    places: Vec<String>,
}

impl Server {
    /// Begins to listen wherever the configuration says; an address that this machine does not have
    /// yet is waited for. Needs a `LocalSet`.
    ///
    /// # Errors
    /// [`ListenError`]: an address or path can never be had as it is.
    pub async fn begin(
        config: &Gateway,
        handler: Rc<Handler>,
        mut inherited: Inherited,
    ) -> Result<Self, ListenError> {
        let (stop, stopped) = watch::channel(false);
        let mut server = Self {
            crowd: Rc::new(Crowd::new(CALLERS_MAX)),
            stop,
            doors: Vec::new(),
            places: Vec::new(),
        };
        for (endpoint, side) in sides(config) {
            let listener = match inherited.take(&endpoint) {
                Some(kept) => Some(kept.listen()?),
                None => listen::open(&endpoint, side.agent.is_some()).await?,
            };
            let place = match &listener {
                Some(listener) => listener.place(),
                None => format!("{endpoint} (not there yet)"),
            };
            server.places.push(format!("{place} ({})", words(&side)));
            let door = Door {
                endpoint,
                side: Rc::new(side),
                handler: Rc::clone(&handler),
                crowd: Rc::clone(&server.crowd),
                stopped: stopped.clone(),
            };
            server.doors.push(tokio::task::spawn_local(door.keep(listener)));
        }
        Ok(server)
    }

    /// Where it listens, each with what may be asked there.
    pub fn places(&self) -> &[String] {
        &self.places
    }

    /// Lets nobody in any more, waits for those who are being answered, and hands back the
    /// listeners, on which callers wait meanwhile.
    pub async fn end(self) -> Vec<Kept> {
        // Nobody listens if there is no door.
        let _ = self.stop.send(true);
        let mut kept = Vec::new();
        for door in self.doors {
            kept.extend(door.await.ok().flatten());
        }
        if tokio::time::timeout(GRACE, self.crowd.left()).await.is_err() {
            tracing::warn!("some callers are still being answered: they are cut off");
        }
        kept
    }
}

/// Takes away the sockets that lie in the file system.
pub fn remove_sockets(config: &Gateway) {
    for (endpoint, _) in sides(config) {
        if let Endpoint::Unix(path) = endpoint {
            // Somebody may have done it already.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// The folders in which sockets are made.
pub fn socket_folders(config: &Gateway) -> Vec<&Path> {
    let listeners = config.listen.iter().chain(&config.relay_listen);
    let listeners = listeners.filter_map(|endpoint| match endpoint {
        Endpoint::Unix(path) => path.parent(),
        Endpoint::Tcp(_) => None,
    });
    let agents = config.groups.values().filter_map(|group| group.socket_dir.as_deref());
    listeners.chain(agents).collect()
}

/// Makes the folders in which sockets are made.
///
/// # Errors
/// [`ListenError::Bind`]
pub fn make_socket_folders(config: &Gateway) -> Result<(), ListenError> {
    for (endpoint, side) in sides(config) {
        if let Endpoint::Unix(path) = &endpoint {
            let made = listen::make_folder_of(path, side.agent.is_some());
            made.map_err(|source| ListenError::Bind { endpoint, source })?;
        }
    }
    Ok(())
}

/// Every listener, and what may be asked through it.
fn sides(config: &Gateway) -> Vec<(Endpoint, Side)> {
    let own_relay = !config.relay_listen.is_empty();
    let mut sides: Vec<(Endpoint, Side)> = Vec::new();
    for endpoint in &config.listen {
        let side = Side { webhooks: true, relay: !own_relay, agent: None };
        sides.push((endpoint.clone(), side));
    }
    for endpoint in &config.relay_listen {
        match sides.iter_mut().find(|(other, _)| other == endpoint && !other.is_any_port()) {
            Some((_, side)) => side.relay = true,
            None => {
                let side = Side { webhooks: false, relay: true, agent: None };
                sides.push((endpoint.clone(), side));
            }
        }
    }
    for (name, group) in &config.groups {
        if let Some(folder) = &group.socket_dir {
            let side = Side { webhooks: false, relay: true, agent: Some(name.clone()) };
            sides.push((Endpoint::Unix(folder.join(SOCKET)), side));
        }
    }
    sides
}

fn words(side: &Side) -> String {
    match (side.webhooks, side.relay, &side.agent) {
        (_, _, Some(agent)) => format!("the agent {agent}"),
        (true, true, None) => "webhooks and relay".to_owned(),
        (true, false, None) => "webhooks".to_owned(),
        (false, _, None) => "relay".to_owned(),
    }
}

/// One listener and whom it lets in.
struct Door {
    endpoint: Endpoint,
    side: Rc<Side>,
    handler: Rc<Handler>,
    crowd: Rc<Crowd>,
    stopped: watch::Receiver<bool>,
}

impl Door {
    /// Lets callers in until it is told to stop.
    async fn keep(mut self, listener: Option<Listener>) -> Option<Kept> {
        let listener = match listener {
            Some(listener) => listener,
            None => tokio::select! {
                listener = listen::wait(&self.endpoint) => listener,
                _ = self.stopped.wait_for(|stop| *stop) => return None,
            },
        };
        let mut complained = false;
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = self.stopped.wait_for(|stop| *stop) => return listener.keep(&self.endpoint),
            };
            match accepted {
                Ok(stream) => {
                    complained = false;
                    let (handler, side) = (Rc::clone(&self.handler), Rc::clone(&self.side));
                    let (crowd, stopped) = (Rc::clone(&self.crowd), self.stopped.clone());
                    tokio::task::spawn_local(converse(stream, handler, side, crowd, stopped));
                }
                Err(error) => {
                    if !complained {
                        tracing::warn!(endpoint = %self.endpoint, %error, "cannot let a caller in");
                        complained = true;
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}
