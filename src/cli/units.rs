//! `start`, `stop`, `restart` and `drain`: what is wished of units. They return when it is so.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde_json::json;

use super::args::{self, Which};
use super::failure::Failure;
use super::render::{BOLD, Cell, PLAIN, Table, put, put_json};
use super::{Context, note};
use crate::protocol::{Units, Verb};
use crate::world::systemd::{Bus, Systemd};

/// Wishes up.
pub(super) fn start(context: &Context, which: Which) -> Result<(), Failure> {
    let what = format!("{} to be up", name(&which));
    wish(context, Verb::Start(units(which)), &what)
}

/// Wishes down.
pub(super) fn stop(context: &Context, which: Which) -> Result<(), Failure> {
    let what = format!("{} to be down", name(&which));
    wish(context, Verb::Stop(units(which)), &what)
}

/// Bounces.
pub(super) fn restart(context: &Context, args: args::Restart) -> Result<(), Failure> {
    let args::Restart { which, fresh } = args;
    let what = format!("{} to be up again", name(&which));
    wish(context, Verb::Restart { units: units(which), fresh }, &what)
}

/// Stops all, wishes unchanged.
pub(super) fn drain(context: &Context, args: &args::Drain) -> Result<(), Failure> {
    if args.if_stopping && !is_machine_stopping()? {
        note("the machine is not stopping: nothing is drained");
        return Ok(());
    }
    wish(context, Verb::Drain, "all units to be down")
}

/// Whether systemd is taking the machine down. Who cannot tell stops nobody: an agent that is cut
/// off by a shutdown goes on after it, and one that is stopped by mistake stays down.
fn is_machine_stopping() -> Result<bool, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let asked = runtime
        .context("no runtime")?
        .block_on(async { Systemd::connect(Bus::System).await?.is_stopping().await });
    Ok(asked.context("cannot tell whether the machine is stopping, so nothing is drained")?)
}

/// Asks, waits until it is so, and tells what became of each unit.
pub(super) fn wish(context: &Context, verb: Verb, what: &str) -> Result<(), Failure> {
    let notes = context.client()?.wish(verb, what)?;
    if context.json { put_json(&json!({ "notes": notes })) } else { put(&text(&notes)) }
}

fn text(notes: &BTreeMap<String, String>) -> String {
    let rows = notes.iter().map(|(unit, note)| [Cell::new(BOLD, unit), Cell::new(PLAIN, note)]);
    if notes.is_empty() {
        return String::new();
    }
    Table::new(["", ""], rows.collect()).text(None)
}

fn name(which: &Which) -> String {
    if which.all { "all units".to_owned() } else { which.units.join(", ") }
}

fn units(which: Which) -> Units {
    let Which { units, all } = which;
    Units { units, all }
}
