//! A systemd unit that we command: look at it, start it, stop it, and be told when it changes.
//! By D-Bus alone. Nothing connects unless somebody asks for a [`Systemd`]. Not here: memory
//! caps (see [`super::scope`]), and what is done when the bus is lost: every call then answers
//! [`SystemdError::Lost`], and the caller connects anew.

mod bus;
#[cfg(test)]
pub(super) mod double;
mod error;
mod look;
#[cfg(test)]
pub(super) mod testbed;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::timeout;
use zbus::export::futures_core::Stream;
use zbus::{Connection, OwnedObjectPath, OwnedVariant, Variant};

pub use bus::Bus;
pub use error::SystemdError;
pub use look::{Active, UnitLook};

/// A bus that lives lets us in within milliseconds; so long for a machine that is booting.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// A user's bus is started by whoever calls it first, which may be us; the manager joins it some
/// milliseconds later.
const JOIN_WITHIN: Duration = Duration::from_secs(2);

/// One question to the manager. It is single-threaded, and slow while it reloads its units.
const CALL_WITHIN: Duration = Duration::from_secs(10);

/// One job. systemd's own limit is 90 s unless the unit says otherwise; a unit that is allowed
/// longer is reported as slow, and goes on.
const JOB_WITHIN: Duration = Duration::from_secs(120);

/// Replaces whatever job is queued for the unit, as `systemctl` does.
const MODE: &str = "replace";

/// Properties of a transient unit.
pub(super) type Transient<'a> = [(&'a str, Variant<'a>)];

// No call may start a manager: a bus would hold the question until one is up, and that is never.
#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1"
)]
trait Manager {
    #[zbus(no_autostart)]
    async fn subscribe(&self) -> zbus::Result<()>;
    #[zbus(no_autostart)]
    async fn load_unit(&self, name: &str) -> zbus::Result<OwnedObjectPath>;
    #[zbus(no_autostart)]
    async fn ref_unit(&self, name: &str) -> zbus::Result<()>;
    #[zbus(no_autostart)]
    async fn start_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    #[zbus(no_autostart)]
    async fn stop_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    #[zbus(no_autostart)]
    async fn start_transient_unit(
        &self,
        name: &str,
        mode: &str,
        properties: &[(&str, Variant<'_>)],
        aux: &[(&str, &[(&str, Variant<'_>)])],
    ) -> zbus::Result<OwnedObjectPath>;
    #[zbus(signal)]
    async fn job_removed(
        &self,
        id: u32,
        job: OwnedObjectPath,
        unit: String,
        result: String,
    ) -> zbus::Result<()>;
}

#[zbus::proxy(
    interface = "org.freedesktop.DBus.Properties",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1"
)]
trait Properties {
    #[zbus(no_autostart)]
    async fn get(&self, interface: &str, property: &str) -> zbus::Result<OwnedVariant>;
    #[zbus(no_autostart)]
    async fn get_all(&self, interface: &str) -> zbus::Result<BTreeMap<String, OwnedVariant>>;
    #[zbus(signal)]
    async fn properties_changed(
        &self,
        interface: String,
        changed: BTreeMap<String, OwnedVariant>,
        invalidated: Vec<String>,
    ) -> zbus::Result<()>;
}

/// A systemd manager, system or user.
#[derive(Debug)]
pub struct Systemd {
    bus: Bus,
    connection: Connection,
    manager: ManagerProxy<'static>,
    /// Units that we asked the manager to keep in memory.
    kept: RefCell<BTreeSet<String>>,
}

impl Systemd {
    /// Connects to the manager on `bus`. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`SystemdError::NoBus`], [`SystemdError::NoManager`].
    pub async fn connect(bus: Bus) -> Result<Self, SystemdError> {
        let connecting = zbus::connection::Builder::address(bus.address().as_str()).build();
        let connection = match timeout(CONNECT_WITHIN, connecting).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(source)) => {
                return Err(SystemdError::NoBus { bus, source: Some(Box::new(source)) });
            }
            Err(_) => return Err(SystemdError::NoBus { bus, source: None }),
        };
        let no_manager = |source| SystemdError::NoManager { bus: bus.clone(), source };
        let manager = ManagerProxy::builder(&connection)
            .cache_properties(zbus::proxy::CacheProperties::No)
            .build()
            .await
            .map_err(|source| no_manager(Some(Box::new(source))))?;
        let subscribed = async {
            let mut owners = manager.inner().receive_owner_changed().await?;
            match manager.subscribe().await {
                Err(error) if error::is_nobody_there(&error) => {
                    // Whether it has come or not, the answer is now the last one.
                    let _ = timeout(JOIN_WITHIN, next(&mut owners)).await;
                    manager.subscribe().await
                }
                answer => answer,
            }
        };
        // A manager sends no signals to those who have not asked for them.
        match timeout(CALL_WITHIN, subscribed).await {
            Ok(Ok(())) => {}
            Ok(Err(source)) => return Err(no_manager(Some(Box::new(source)))),
            Err(_) => return Err(no_manager(None)),
        }
        Ok(Self { bus, connection, manager, kept: RefCell::default() })
    }

    /// Connects to the manager that has `unit`: for root the system's. For anybody else the
    /// user's own, unless only the system's knows the unit.
    ///
    /// # Errors
    /// As [`Self::connect`], of the user's manager where neither has it.
    pub async fn connect_for(unit: &str) -> Result<Self, SystemdError> {
        let ours = Self::connect(Bus::ours()).await;
        match &ours {
            Ok(ours) if ours.bus == Bus::System || !ours.look(unit).await?.not_found => {}
            Err(_) if Bus::ours() == Bus::System => {}
            Ok(_) | Err(_) => {
                if let Ok(system) = Self::connect(Bus::System).await
                    && system.look(unit).await.is_ok_and(|look| !look.not_found)
                {
                    return Ok(system);
                }
            }
        }
        ours
    }

    /// Which manager this is.
    pub fn bus(&self) -> &Bus {
        &self.bus
    }

    /// How `unit` is now. A unit that does not exist is a look too ([`UnitLook::not_found`]).
    ///
    /// # Errors
    /// [`SystemdError`]; then nobody knows, and nothing may be concluded.
    pub async fn look(&self, unit: &str) -> Result<UnitLook, SystemdError> {
        let path = self.call("look at", unit, self.manager.load_unit(unit)).await?;
        let properties = self.call("look at", unit, self.properties(&path)).await?;
        self.look_at(unit, &properties).await
    }

    /// Starts `unit` and waits until systemd calls the start done.
    ///
    /// # Errors
    /// [`SystemdError`] in words, with the remedy.
    pub async fn start(&self, unit: &str) -> Result<(), SystemdError> {
        self.keep(unit).await;
        self.job("start", unit, self.manager.start_unit(unit, MODE)).await
    }

    /// Stops `unit` and waits until it is down. One that is down already is so at once.
    ///
    /// # Errors
    /// [`SystemdError`] in words, with the remedy.
    pub async fn stop(&self, unit: &str) -> Result<(), SystemdError> {
        self.keep(unit).await;
        self.job("stop", unit, self.manager.stop_unit(unit, MODE)).await
    }

    /// Waits until `unit` is otherwise than in `seen`, and answers how it is then; at once if it
    /// is so already. Waits without end where nothing changes; may be dropped at any time.
    ///
    /// # Errors
    /// [`SystemdError`]; [`SystemdError::Lost`] also when the manager itself ended.
    pub async fn changed(&self, unit: &str, seen: &UnitLook) -> Result<UnitLook, SystemdError> {
        self.keep(unit).await;
        let path = self.call("watch", unit, self.manager.load_unit(unit)).await?;
        let properties = self.call("watch", unit, self.properties(&path)).await?;
        let watch = properties.receive_properties_changed();
        let mut changes = self.call("watch", unit, watch).await?;
        let watch = self.manager.inner().receive_owner_changed();
        let mut owners = self.call("watch", unit, watch).await?;
        loop {
            // The watch was set up first: a change during the look ends the next wait.
            let look = self.look_at(unit, &properties).await?;
            if look != *seen {
                return Ok(look);
            }
            tokio::select! {
                change = next(&mut changes) => if change.is_none() { return Err(self.lost()) },
                _ = next(&mut owners) => return Err(self.lost()),
                () = self.connection.closed() => return Err(self.lost()),
            }
        }
    }

    /// A transient unit, up once the job is done.
    pub(super) async fn start_transient(
        &self,
        unit: &str,
        properties: &Transient<'_>,
    ) -> Result<(), SystemdError> {
        self.job("start", unit, self.manager.start_transient_unit(unit, MODE, properties, &[]))
            .await
    }

    /// Whether all that the manager runs is going down: the machine, where it is the system's.
    ///
    /// # Errors
    /// [`SystemdError`]; then nobody knows.
    pub async fn is_stopping(&self) -> Result<bool, SystemdError> {
        let state = self.property("SystemState");
        let state = self.call("ask for the state of", "the manager", state).await?;
        Ok(state == "stopping")
    }

    /// The cgroup at the manager's root, as a path below the cgroup mount; empty for the mount
    /// itself.
    pub(super) async fn control_group(&self) -> Result<String, SystemdError> {
        let group = self.property("ControlGroup");
        self.call("ask for the cgroup of", "the manager", group).await
    }

    /// One of the manager's own properties that are texts.
    async fn property(&self, name: &str) -> zbus::Result<String> {
        let properties = PropertiesProxy::new(&self.connection).await?;
        properties.get("org.freedesktop.systemd1.Manager", name).await?.try_into()
    }

    /// A unit that ended and that nobody refers to is forgotten, with how it ended. Where we may
    /// not refer to it, that much is lost and nothing else, so a refusal is no error.
    async fn keep(&self, unit: &str) {
        if self.kept.borrow().contains(unit) {
            return;
        }
        if let Ok(Ok(())) = timeout(CALL_WITHIN, self.manager.ref_unit(unit)).await {
            self.kept.borrow_mut().insert(unit.to_owned());
        }
    }

    async fn properties(&self, of: &OwnedObjectPath) -> zbus::Result<PropertiesProxy<'static>> {
        PropertiesProxy::builder(&self.connection).path(of.clone()).build().await
    }

    /// All properties of every interface in one answer: the manager is single-threaded, so they
    /// belong together.
    async fn look_at(
        &self,
        unit: &str,
        properties: &PropertiesProxy<'_>,
    ) -> Result<UnitLook, SystemdError> {
        Ok(look::read(&self.call("look at", unit, properties.get_all("")).await?))
    }

    async fn job(
        &self,
        verb: &'static str,
        unit: &str,
        ask: impl Future<Output = zbus::Result<OwnedObjectPath>>,
    ) -> Result<(), SystemdError> {
        let mut removed = self.call(verb, unit, self.manager.receive_job_removed()).await?;
        let job = self.call(verb, unit, ask).await?;
        let result = async {
            loop {
                let signal = tokio::select! {
                    signal = next(&mut removed) => signal,
                    () = self.connection.closed() => None,
                };
                let args = signal.as_ref().and_then(|signal| signal.args().ok());
                let Some(args) = args else { return Err(self.lost()) };
                if args.job == job {
                    return Ok(args.result);
                }
            }
        };
        let result = timeout(JOB_WITHIN, result).await.map_err(|_| SystemdError::Slow {
            verb,
            unit: unit.to_owned(),
            within: JOB_WITHIN,
            remedy: self.bus.journal(unit),
        })??;
        match result.as_str() {
            // "skipped": there was nothing to do.
            "done" | "skipped" => Ok(()),
            _ => Err(SystemdError::Job {
                verb,
                unit: unit.to_owned(),
                result,
                remedy: self.bus.journal(unit),
            }),
        }
    }

    async fn call<T>(
        &self,
        verb: &'static str,
        unit: &str,
        asked: impl Future<Output = zbus::Result<T>>,
    ) -> Result<T, SystemdError> {
        match timeout(CALL_WITHIN, asked).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(source)) => Err(error::classify(&self.bus, verb, unit, source)),
            Err(_) => Err(SystemdError::Silent {
                verb,
                unit: unit.to_owned(),
                bus: self.bus.clone(),
                within: CALL_WITHIN,
            }),
        }
    }

    fn lost(&self) -> SystemdError {
        SystemdError::Lost { bus: self.bus.clone(), source: None }
    }
}

async fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    poll_fn(|context| Pin::new(&mut *stream).poll_next(context)).await
}

#[cfg(test)]
mod tests;
