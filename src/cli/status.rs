//! `status`: what every unit is doing, and why. Once, or again and again.

mod detail;
mod overview;
#[cfg(test)]
pub(super) mod samples;
mod watch;

pub(super) use self::overview::words;

use serde::Serialize;

use super::Context;
use super::args;
use super::client::AT_ONCE;
use super::failure::Failure;
use super::gateway::Summary;
use super::render::{View, put, put_json};
use crate::protocol::{Status, UnitStatus};

/// Runs the verb.
pub(super) fn run(context: &Context, args: &args::Status) -> Result<(), Failure> {
    let client = context.client()?;
    let unit = args.unit.as_deref();
    if args.watch {
        return watch::run(&client, unit, context.json);
    }
    let status = client.status(AT_ONCE)?;
    let view = View::of_stdout();
    match (unit, context.json) {
        (None, json) => {
            let gateway = Summary::of(&context.config()?.1);
            if json {
                return put_json(&Whole { status: &status, gateway });
            }
            let gateway = gateway.map(|gateway| gateway.text(&view));
            put(&(text(&status, None, &view)? + &gateway.unwrap_or_default()))
        }
        (Some(unit), true) => put_json(find(&status, unit)?),
        (unit, false) => put(&text(&status, unit, &view)?),
    }
}

/// The daemon's status, and what the gateway's ledger adds to it.
#[derive(Serialize)]
struct Whole<'s> {
    #[serde(flatten)]
    status: &'s Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway: Option<Summary>,
}

/// The whole, or one unit in full.
pub(super) fn text(status: &Status, unit: Option<&str>, view: &View) -> Result<String, Failure> {
    match unit {
        None => Ok(overview::text(status, view)),
        Some(unit) => Ok(detail::text(find(status, unit)?, view)),
    }
}

fn find<'a>(status: &'a Status, unit: &str) -> Result<&'a UnitStatus, Failure> {
    status.units.iter().find(|known| known.name == unit).ok_or_else(|| Failure::NoSuchUnit {
        unit: unit.to_owned(),
        known: status.units.iter().map(|known| known.name.clone()).collect(),
    })
}

/// Whether what is wished and what is done about it point in opposite directions.
fn against_wish(unit: &UnitStatus) -> bool {
    let resting = matches!(unit.state.as_str(), "stopped" | "stopping");
    (unit.wish == "up") == resting
}

#[cfg(test)]
mod tests;
