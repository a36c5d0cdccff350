//! The gateway, where one is configured: whether it answers, and each part of a letter's way. It is
//! often another user's: what this user cannot see is said to be so, and not to be wrong.

mod door;
mod groups;
mod ledger;
mod secrets;

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::{Check, Verdict};
use crate::config::{Config, Gateway};

/// What a user who may not look can do about it.
const ELSEWHERE: &str = "run `supervisor doctor` as root, or as the gateway's user";

/// All of them; none without a `[gateway]`.
pub(super) fn checks(file: &Path, config: &Config) -> Vec<Check> {
    let Some(gateway) = &config.gateway else { return Vec::new() };
    let viewer = Viewer::of(gateway);
    let (mut checks, troubles) = door::checks(file, config, gateway);
    checks.extend(ledger::checks(gateway, viewer, troubles));
    checks.extend(secrets::checks(gateway, viewer));
    checks.extend(groups::checks(gateway, viewer));
    checks
}

/// Who looks, and whose eyes count.
#[derive(Clone, Copy, Debug)]
struct Viewer {
    us: u32,
    /// The gateway's user: whose its folder is.
    gateway: u32,
}

impl Viewer {
    fn of(gateway: &Gateway) -> Self {
        let us = rustix::process::geteuid().as_raw();
        let folder = std::fs::metadata(&gateway.state_dir);
        Self { us, gateway: folder.map_or(us, |folder| folder.uid()) }
    }

    /// Whether we are the gateway's user: then what we see is what it sees.
    const fn is_gateway(self) -> bool {
        self.us == self.gateway
    }

    /// Whether we see all there is to see.
    const fn sees_all(self) -> bool {
        self.us == 0 || self.is_gateway()
    }

    /// A failure, or a warning if it may only be so for us.
    fn fail(self, name: &str, finding: String, remedy: &str) -> Check {
        if self.sees_all() {
            return Check::fail(name, finding, remedy);
        }
        let finding = format!("{finding} (as this user sees it)");
        Check::new(name, Verdict::Warn, finding, &format!("{ELSEWHERE}; {remedy}"))
    }
}
