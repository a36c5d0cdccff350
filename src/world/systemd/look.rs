//! One look at a unit, from its properties.

use std::collections::BTreeMap;

use zbus::OwnedVariant;

use crate::decide::{Exit, Process};

/// `si_code` of a main process that returned (`CLD_EXITED`).
const EXITED: i32 = 1;
/// One that a signal ended (`CLD_KILLED`).
const KILLED: i32 = 2;
/// One that a signal ended with a core dump (`CLD_DUMPED`).
const DUMPED: i32 = 3;

/// systemd's word for how a unit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Active {
    /// Up.
    Active,
    /// Up, and reading its configuration again.
    Reloading,
    /// On its way up; also while systemd waits to restart it by itself.
    Activating,
    /// On its way down.
    Deactivating,
    /// Down.
    Inactive,
    /// Down, and not as it should be.
    Failed,
    /// A word of a newer systemd.
    Unknown,
}

/// How a unit was when it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnitLook {
    /// Up, down or in between.
    pub active: Active,
    /// The main process, where there is one and it could be read.
    pub main: Option<Process>,
    /// How the last main process ended; [`Exit::Unknown`] while one runs, and if none ever did.
    pub result: Exit,
    /// systemd has no unit of this name.
    pub not_found: bool,
}

pub(super) fn read(properties: &BTreeMap<String, OwnedVariant>) -> UnitLook {
    let text = |name: &str| properties.get(name).and_then(|value| <&str>::try_from(&**value).ok());
    let number = |name: &str| properties.get(name).and_then(|value| i32::try_from(&**value).ok());
    let pid = properties.get("MainPID").and_then(|value| u32::try_from(&**value).ok());
    UnitLook {
        active: match text("ActiveState") {
            Some("active") => Active::Active,
            Some("reloading") => Active::Reloading,
            Some("activating") => Active::Activating,
            Some("deactivating") => Active::Deactivating,
            Some("inactive") => Active::Inactive,
            Some("failed") => Active::Failed,
            Some(_) | None => Active::Unknown,
        },
        main: pid.and_then(|pid| process(i32::try_from(pid).ok()?)),
        result: match (number("ExecMainCode"), number("ExecMainStatus")) {
            (Some(EXITED), Some(code)) => Exit::Code(code),
            (Some(KILLED | DUMPED), Some(signal)) => Exit::Signal(signal),
            (_, _) => Exit::Unknown,
        },
        not_found: text("LoadState") == Some("not-found"),
    }
}

/// systemd names a pid only; the start time makes it one process for certain.
fn process(pid: i32) -> Option<Process> {
    if pid <= 0 {
        return None;
    }
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in field 2 may hold spaces and parentheses; field 3 follows its last one.
    let (_, after_name) = stat.rsplit_once(')')?;
    let start = after_name.split_ascii_whitespace().nth(22 - 3)?.parse().ok()?;
    Some(Process { pid, start })
}
