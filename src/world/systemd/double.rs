//! `ManagerDouble`: stands in for systemd on a private bus where the real one cannot be brought
//! to say what the test needs. Strict: it answers what it was told to, and nothing else.
#![expect(clippy::disallowed_types, reason = "the code that zbus::interface writes")]

use std::sync::{Arc, Mutex};

use zbus::object_server::SignalEmitter;
use zbus::{Connection, OwnedObjectPath, OwnedVariant};

use super::Bus;

/// How it answers a start.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Start {
    /// The job ends with this word, before the answer even reaches the caller.
    Ends(&'static str),
    Denies,
    WantsAPassword,
    HasOneAlready,
}

/// A transient unit that it was asked for.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) name: String,
    pub(crate) mode: String,
    pub(crate) properties: Vec<(String, OwnedVariant)>,
    pub(crate) aux: usize,
}

#[derive(Debug, zbus::DBusError)]
#[zbus(prefix = "org.freedesktop")]
enum Refusal {
    #[zbus(name = "DBus.Error.AccessDenied")]
    Denied(String),
    #[zbus(name = "DBus.Error.InteractiveAuthorizationRequired")]
    Password(String),
    #[zbus(name = "systemd1.UnitExists")]
    Exists(String),
}

pub(crate) struct ManagerDouble {
    start: Start,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl ManagerDouble {
    /// It lives as long as the connection.
    pub(crate) async fn serve(bus: &Bus, start: Start) -> (Connection, Arc<Mutex<Vec<Asked>>>) {
        let asked = Arc::default();
        let double = Self { start, asked: Arc::clone(&asked) };
        let connection = zbus::connection::Builder::address(bus.address().as_str())
            .serve_at("/org/freedesktop/systemd1", double)
            .name("org.freedesktop.systemd1")
            .build()
            .await
            .unwrap();
        (connection, asked)
    }

    async fn started(
        &self,
        unit: &str,
        emitter: SignalEmitter<'_>,
    ) -> Result<OwnedObjectPath, Refusal> {
        let words = "polkit says no".to_owned();
        match self.start {
            Start::Denies => Err(Refusal::Denied(words)),
            Start::WantsAPassword => Err(Refusal::Password(words)),
            Start::HasOneAlready => Err(Refusal::Exists(words)),
            Start::Ends(result) => {
                let job = |id: u32| {
                    let path = format!("/org/freedesktop/systemd1/job/{id}");
                    OwnedObjectPath::try_from(path).unwrap()
                };
                // Somebody else's job ends first, and otherwise.
                Self::job_removed(&emitter, 6, job(6), "other.service", "canceled").await.unwrap();
                Self::job_removed(&emitter, 7, job(7), unit, result).await.unwrap();
                Ok(job(7))
            }
        }
    }
}

#[zbus::interface(name = "org.freedesktop.systemd1.Manager")]
impl ManagerDouble {
    fn subscribe(&self) {}

    async fn start_unit(
        &self,
        name: String,
        mode: String,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> Result<OwnedObjectPath, Refusal> {
        assert_eq!(mode, "replace");
        self.started(&name, emitter).await
    }

    async fn start_transient_unit(
        &self,
        name: String,
        mode: String,
        properties: Vec<(String, OwnedVariant)>,
        aux: Vec<(String, Vec<(String, OwnedVariant)>)>,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> Result<OwnedObjectPath, Refusal> {
        let started = self.started(&name, emitter).await;
        self.asked.lock().unwrap().push(Asked { name, mode, properties, aux: aux.len() });
        started
    }

    #[zbus(signal)]
    async fn job_removed(
        emitter: &SignalEmitter<'_>,
        id: u32,
        job: OwnedObjectPath,
        unit: &str,
        result: &str,
    ) -> zbus::Result<()>;

    #[zbus(property)]
    fn control_group(&self) -> String {
        "/user.slice/user@1000.service".to_owned()
    }
}
