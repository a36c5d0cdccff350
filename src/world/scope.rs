//! Memory caps: a transient scope outside our own unit, kept by systemd, holds a unit's processes
//! and the limit. Not here: what is capped and how high; the caps of systemd units, which are
//! theirs.

use std::path::Path;

use nix::unistd::{User, geteuid};
use zbus::Variant;

use super::systemd::{Bus, Systemd, SystemdError};

/// Where a machine with cgroup v2 only mounts it. A hybrid machine's second tree never has the
/// memory controller, so there is nothing to look for elsewhere.
const CGROUPS: &str = "/sys/fs/cgroup";

/// Why there is no memory cap; one phrase for `status` and `doctor`.
#[derive(Debug, thiserror::Error)]
pub enum NoScope {
    /// No bus, or no manager on it.
    #[error("no systemd manager to keep memory caps{}", hint(bus))]
    NoManager {
        /// Where it was looked for.
        bus: Bus,
        /// What happened.
        #[source]
        source: SystemdError,
    },
    /// The manager has no memory controller (cgroup v1, or not delegated to the user).
    #[error("systemd on {bus} has no cgroup v2 memory controller")]
    NoMemoryController {
        /// Which manager.
        bus: Bus,
    },
    /// The manager may not, or we may not ask it.
    #[error("{bus} denies us a scope")]
    Denied {
        /// Which manager.
        bus: Bus,
        /// The answer.
        #[source]
        source: SystemdError,
    },
    /// A scope of that name still holds processes.
    #[error("the scope {name} is still there")]
    Taken {
        /// Its name.
        name: String,
    },
    /// The scope could not be made for another reason.
    #[error("systemd could not make the scope {name}")]
    Failed {
        /// Its name.
        name: String,
        /// What happened.
        #[source]
        source: SystemdError,
    },
}

/// Moves `pids` (and so all their children to come) into a new scope `name` that together may use
/// `memory_max` bytes. The scope ends by itself with its last process.
///
/// # Errors
/// [`NoScope`]; the processes run on, uncapped.
pub async fn cap(
    systemd: &Systemd,
    name: &str,
    pids: &[i32],
    memory_max: u64,
) -> Result<(), NoScope> {
    cap_under(Path::new(CGROUPS), systemd, name, pids, memory_max).await
}

/// Whether [`cap`] can work here at all.
///
/// # Errors
/// [`NoScope`] with the remedy.
pub async fn available() -> Result<(), NoScope> {
    let bus = Bus::ours();
    let systemd =
        Systemd::connect(bus.clone()).await.map_err(|source| NoScope::NoManager { bus, source })?;
    has_memory_controller(Path::new(CGROUPS), &systemd).await
}

async fn cap_under(
    cgroups: &Path,
    systemd: &Systemd,
    name: &str,
    pids: &[i32],
    memory_max: u64,
) -> Result<(), NoScope> {
    // Without the controller systemd makes the scope all the same, and caps nothing.
    has_memory_controller(cgroups, systemd).await?;
    let pids: Vec<u32> = pids.iter().filter_map(|&pid| u32::try_from(pid).ok()).collect();
    let properties = [
        ("Description", Variant::from("memory cap of a unit of agent-supervisor")),
        ("PIDs", Variant::from(pids)),
        ("MemoryMax", Variant::from(memory_max)),
        // Nobody resets a failed scope: it would keep its name from the next start for ever.
        ("CollectMode", Variant::from("inactive-or-failed")),
        ("Delegate", Variant::from(false)),
    ];
    systemd
        .start_transient(name, &properties)
        .await
        .map_err(|source| no_scope(systemd, name, source))
}

async fn has_memory_controller(cgroups: &Path, systemd: &Systemd) -> Result<(), NoScope> {
    let bus = systemd.bus().clone();
    let group = systemd
        .control_group()
        .await
        .map_err(|source| NoScope::NoManager { bus: bus.clone(), source })?;
    let file = cgroups.join(group.trim_start_matches('/')).join("cgroup.controllers");
    match std::fs::read_to_string(file) {
        Ok(controllers) if controllers.split_ascii_whitespace().any(|name| name == "memory") => {
            Ok(())
        }
        Ok(_) | Err(_) => Err(NoScope::NoMemoryController { bus }),
    }
}

fn no_scope(systemd: &Systemd, name: &str, source: SystemdError) -> NoScope {
    let (bus, name) = (systemd.bus().clone(), name.to_owned());
    match source {
        SystemdError::Denied { .. } => NoScope::Denied { bus, source },
        SystemdError::Exists { .. } => NoScope::Taken { name },
        SystemdError::NoBus { .. } | SystemdError::NoManager { .. } | SystemdError::Lost { .. } => {
            NoScope::NoManager { bus, source }
        }
        SystemdError::NotFound { .. }
        | SystemdError::Refused { .. }
        | SystemdError::Job { .. }
        | SystemdError::Slow { .. }
        | SystemdError::Silent { .. } => NoScope::Failed { name, source },
    }
}

/// A user's manager runs only while the user is logged in, unless it lingers.
fn hint(bus: &Bus) -> String {
    match bus {
        Bus::System | Bus::Address(_) => String::new(),
        Bus::User => {
            let user = User::from_uid(geteuid()).ok().flatten().map(|user| user.name);
            format!(": run `loginctl enable-linger {}`", user.unwrap_or_else(|| "USER".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests;
