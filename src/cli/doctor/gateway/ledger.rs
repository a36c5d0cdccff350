//! The ledger: whether its user may write it, and what waits in it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::SystemTime;

use jiff::Timestamp;
use rustix::fs::{Access, access};

use super::super::places;
use super::{Check, ELSEWHERE, Verdict, Viewer};
use crate::cli::render::relative;
use crate::config::Gateway;
use crate::daemon::chain;
use crate::gateway::ledger::{State, schema, to_look_at, view};
use crate::gateway::troubles;
use crate::protocol::gateway::Troubles;
use crate::world::clock::rfc3339;
use crate::world::files::with_suffix;

const NAME: &str = "gateway ledger";
const LETTERS: &str = "gateway letters";

/// What stands of it, and all that it says to be in trouble, as the gateway tells or as it is read
/// here.
pub(super) fn checks(gateway: &Gateway, viewer: Viewer, told: Option<Troubles>) -> Vec<Check> {
    let path = gateway.ledger();
    let mut checks = Vec::new();
    if !gateway.state_dir.exists() {
        checks.push(places::writable(NAME, &gateway.state_dir));
        return checks;
    }
    if let Some(check) = owner(&path, viewer) {
        checks.push(check);
    }
    let read = to_look_at(&path).and_then(|ledger| {
        let now = SystemTime::now();
        let read = view::counts(&ledger).and_then(|it| Ok((it, troubles::read(&ledger, now)?)));
        read.map_err(|source| crate::gateway::ledger::LedgerError::Read { source })
    });
    let (counts, own) = match read {
        Ok((counts, troubles)) => (Some(counts), Some(Troubles { whole: true, troubles })),
        Err(_) if !path.exists() && viewer.sees_all() => {
            checks.push(places::writable(NAME, &gateway.state_dir));
            return checks;
        }
        Err(error) if viewer.sees_all() => {
            let remedy = format!(
                "this release knows version {}; a ledger that is damaged is set aside at the next \
                 start of the gateway",
                schema::VERSION
            );
            checks.push(Check::fail(NAME, chain(&error), &remedy));
            (None, None)
        }
        Err(_) => {
            let finding = format!("{} is not for this user to read", path.display());
            if told.is_none() {
                checks.push(Check::warn(NAME, finding, ELSEWHERE));
            }
            (None, None)
        }
    };
    if let Some(counts) = &counts
        && checks.is_empty()
    {
        checks.push(Check::ok(NAME, format!("{}: {} events", path.display(), counts.events)));
    }
    let all = told.or(own);
    let before = checks.len();
    for trouble in all.iter().flat_map(|all| &all.troubles) {
        let finding = format!("{}: {}", trouble.name, trouble.why);
        checks.push(Check::new(LETTERS, Verdict::Warn, finding, &trouble.remedy));
    }
    if let Some(counts) = counts.filter(|_| checks.len() == before) {
        checks.push(Check::ok(LETTERS, waiting(&counts)));
    }
    checks
}

/// What waits although nothing is wrong.
fn waiting(counts: &view::Counts) -> String {
    let Some((event, group, since)) = &counts.oldest else {
        return "none waits to be delivered".to_owned();
    };
    let queued = counts.letters.get(&State::Queued).copied().unwrap_or_default();
    let age = relative(&rfc3339(*since), Timestamp::now());
    format!("{queued} to be delivered, the oldest is {event} for {group}, {age}")
}

/// A file of another user's beside the ledger, as somebody leaves it who calls a verb as root, keeps
/// the gateway from writing.
fn owner(path: &Path, viewer: Viewer) -> Option<Check> {
    for path in ["", "-wal", "-shm"].map(|beside| with_suffix(path, beside)) {
        let Ok(about) = fs::metadata(&path) else { continue };
        let group_writes = about.mode() & 0o020 != 0;
        if about.uid() != viewer.gateway && viewer.gateway != 0 && !group_writes {
            let finding = format!(
                "{} belongs to uid {}, and the gateway runs as {}",
                path.display(),
                about.uid(),
                viewer.gateway
            );
            let remedy = format!("chown {} {}", viewer.gateway, path.display());
            return Some(Check::fail(NAME, finding, &remedy));
        }
        if viewer.is_gateway() && access(&path, Access::WRITE_OK | Access::READ_OK).is_err() {
            let finding = format!("{} cannot be written", path.display());
            return Some(Check::fail(NAME, finding, "chmod u+rw it, and see its file system"));
        }
    }
    None
}
