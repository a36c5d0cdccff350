//! Which bus, where it is, and what commands a person would use on it.

use std::fmt;

use nix::unistd::geteuid;

/// The system bus, unless the environment moves it.
const SYSTEM_BUS: &str = "unix:path=/run/dbus/system_bus_socket";

/// A message bus with a systemd manager on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bus {
    /// The machine's.
    System,
    /// That of our own user.
    User,
    /// At this D-Bus address; treated as a user's.
    Address(String),
}

impl Bus {
    /// The bus of the manager whose units we may command without being asked for a password:
    /// root's is the system's, anybody else's is their own.
    pub fn ours() -> Self {
        if geteuid().is_root() { Self::System } else { Self::User }
    }

    pub(super) fn address(&self) -> String {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        match self {
            Self::System => {
                variable("DBUS_SYSTEM_BUS_ADDRESS").unwrap_or_else(|| SYSTEM_BUS.to_owned())
            }
            Self::User => user_address(variable, geteuid().as_raw()),
            Self::Address(address) => address.clone(),
        }
    }

    /// The command that shows what `unit` has said.
    pub(super) fn journal(&self, unit: &str) -> String {
        match self {
            Self::System => format!("journalctl -u {unit}"),
            Self::User | Self::Address(_) => format!("journalctl --user -u {unit}"),
        }
    }

    /// `systemctl` for this manager.
    pub(super) fn systemctl(&self) -> &'static str {
        match self {
            Self::System => "systemctl",
            Self::User | Self::Address(_) => "systemctl --user",
        }
    }
}

impl fmt::Display for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("the system bus"),
            Self::User => f.write_str("the user bus"),
            Self::Address(address) => write!(f, "the bus at {address}"),
        }
    }
}

/// Where logind puts a user's bus comes last: a system service with `User=` has neither variable.
fn user_address(variable: impl Fn(&str) -> Option<String>, uid: u32) -> String {
    if let Some(address) = variable("DBUS_SESSION_BUS_ADDRESS") {
        return address;
    }
    match variable("XDG_RUNTIME_DIR") {
        Some(dir) => format!("unix:path={dir}/bus"),
        None => format!("unix:path=/run/user/{uid}/bus"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(set: &[(&str, &str)]) -> String {
        let variable = |name: &str| {
            set.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned())
        };
        user_address(variable, 1000)
    }

    #[test]
    fn the_users_bus_is_looked_for_from_the_most_explicit_place_to_the_usual_one() {
        let explicit = ("DBUS_SESSION_BUS_ADDRESS", "unix:abstract=x");
        let folder = ("XDG_RUNTIME_DIR", "/tmp/run");
        assert_eq!(of(&[explicit, folder]), "unix:abstract=x");
        assert_eq!(of(&[folder]), "unix:path=/tmp/run/bus");
        assert_eq!(of(&[]), "unix:path=/run/user/1000/bus");
    }

    #[test]
    fn the_remedy_names_the_right_journal() {
        assert_eq!(Bus::System.journal("x.service"), "journalctl -u x.service");
        assert_eq!(Bus::User.journal("x.service"), "journalctl --user -u x.service");
    }
}
