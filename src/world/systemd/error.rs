//! What goes wrong between us and a systemd manager, in words and with the remedy.

use std::time::Duration;

use zbus::DBusError;

use super::Bus;

/// Why systemd did not do, or could not say, what was asked.
#[derive(Debug, thiserror::Error)]
pub enum SystemdError {
    /// The bus lets nobody in, or not in time (then there is no source).
    #[error("cannot connect to {bus}")]
    NoBus {
        /// Which bus.
        bus: Bus,
        /// Why.
        #[source]
        source: Option<Box<zbus::Error>>,
    },
    /// There is a bus, and no manager on it (with no source: it did not answer in time).
    #[error("no systemd manager answers on {bus}")]
    NoManager {
        /// Which bus.
        bus: Bus,
        /// Why.
        #[source]
        source: Option<Box<zbus::Error>>,
    },
    /// polkit, or the manager itself, forbids it.
    #[error(
        "may not {verb} {unit} over {bus}: allow the supervisor's user \
         org.freedesktop.systemd1.manage-units on {unit} by a polkit rule, or run it as root"
    )]
    Denied {
        /// What was tried.
        verb: &'static str,
        /// On what.
        unit: String,
        /// Where.
        bus: Bus,
        /// The answer.
        #[source]
        source: Box<zbus::Error>,
    },
    /// There is no such unit.
    #[error(
        "cannot {verb} {unit}: {bus} knows no such unit: is it installed, and was \
         `{systemctl} daemon-reload` run since?"
    )]
    NotFound {
        /// What was tried.
        verb: &'static str,
        /// On what.
        unit: String,
        /// Where.
        bus: Bus,
        /// `systemctl` for that bus.
        systemctl: &'static str,
        /// The answer.
        #[source]
        source: Box<zbus::Error>,
    },
    /// The manager already has a unit of that name.
    #[error("cannot {verb} {unit}: there is one already")]
    Exists {
        /// What was tried.
        verb: &'static str,
        /// On what.
        unit: String,
    },
    /// The manager would not.
    #[error("systemd on {bus} would not {verb} {unit}")]
    Refused {
        /// What was tried.
        verb: &'static str,
        /// On what.
        unit: String,
        /// Where.
        bus: Bus,
        /// The answer.
        #[source]
        source: Box<zbus::Error>,
    },
    /// The manager tried, and the job ended otherwise than done: `failed`, `timeout`,
    /// `dependency`, `canceled`.
    #[error("systemd could not {verb} {unit} ({result}): see `{remedy}`")]
    Job {
        /// What was tried.
        verb: &'static str,
        /// On what.
        unit: String,
        /// How the job ended, in systemd's word.
        result: String,
        /// The command that shows why.
        remedy: String,
    },
    /// The job goes on, longer than we wait.
    #[error(
        "systemd has been trying to {verb} {unit} for {} s and goes on: see `{remedy}`",
        within.as_secs()
    )]
    Slow {
        /// What was tried.
        verb: &'static str,
        /// On what.
        unit: String,
        /// How long we waited.
        within: Duration,
        /// The command that shows why.
        remedy: String,
    },
    /// No answer to a question.
    #[error("cannot {verb} {unit}: no answer over {bus} within {} s", within.as_secs())]
    Silent {
        /// What was tried.
        verb: &'static str,
        /// On what.
        unit: String,
        /// Where.
        bus: Bus,
        /// How long we waited.
        within: Duration,
    },
    /// The bus or the manager on it ended: connect anew.
    #[error("lost the systemd manager on {bus}")]
    Lost {
        /// Which bus.
        bus: Bus,
        /// Why, where anybody said.
        #[source]
        source: Option<Box<zbus::Error>>,
    },
}

/// The meaning of an error reply, by its D-Bus name.
pub(super) fn classify(
    bus: &Bus,
    verb: &'static str,
    unit: &str,
    source: zbus::Error,
) -> SystemdError {
    let name = name(&source);
    let (unit, bus, source) = (unit.to_owned(), bus.clone(), Box::new(source));
    let Some(name) = name else {
        // Not an answer: the connection failed under the question.
        return SystemdError::Lost { bus, source: Some(source) };
    };
    match name.as_str() {
        "org.freedesktop.DBus.Error.AccessDenied"
        | "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired" => {
            SystemdError::Denied { verb, unit, bus, source }
        }
        "org.freedesktop.systemd1.NoSuchUnit" => {
            let systemctl = bus.systemctl();
            SystemdError::NotFound { verb, unit, bus, systemctl, source }
        }
        "org.freedesktop.systemd1.UnitExists" => SystemdError::Exists { verb, unit },
        "org.freedesktop.DBus.Error.ServiceUnknown"
        | "org.freedesktop.DBus.Error.NameHasNoOwner"
        | "org.freedesktop.DBus.Error.NoReply"
        | "org.freedesktop.DBus.Error.Disconnected" => {
            SystemdError::Lost { bus, source: Some(source) }
        }
        _ => SystemdError::Refused { verb, unit, bus, source },
    }
}

/// Whether nobody on the bus has the name that was called.
pub(super) fn is_nobody_there(error: &zbus::Error) -> bool {
    name(error).is_some_and(|name| {
        ["org.freedesktop.DBus.Error.NameHasNoOwner", "org.freedesktop.DBus.Error.ServiceUnknown"]
            .contains(&name.as_str())
    })
}

fn name(error: &zbus::Error) -> Option<String> {
    if let zbus::Error::MethodError(name, ..) = error {
        return Some(name.to_string());
    }
    if let zbus::Error::FDO(known) = error {
        return Some(known.name().to_string());
    }
    None
}
