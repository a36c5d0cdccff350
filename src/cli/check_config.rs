//! `check-config`: whether a configuration would be taken.

use serde_json::json;

use super::Context;
use super::args;
use super::failure::Failure;
use super::render::{Cell, FAINT, GOOD, ODD, Table, count, paint, put, put_json};
use crate::config::{Config, find};
use crate::decide::UnitKind;

/// Says what is in it and what is not acted on, or why it is refused.
pub(super) fn run(context: &Context, args: args::CheckConfig) -> Result<(), Failure> {
    let file = match args.file {
        Some(file) => file,
        None => find(context.config.as_deref())?,
    };
    let config = Config::load(&file)?;
    let services = config.units.values().filter(|unit| unit.kind == UnitKind::Service).count();
    let sessions = config.units.len() - services;
    if context.json {
        return put_json(&json!({
            "ok": true, "file": file, "services": services, "sessions": sessions,
            "not_acted_on": config.not_acted_on,
        }));
    }
    let (services, sessions) = (count(services, "service"), count(sessions, "session"));
    let ok = paint(GOOD, "ok");
    let mut text = format!("{ok}: {}: {services}, {sessions}\n", file.display());
    if !config.not_acted_on.is_empty() {
        let rows = config.not_acted_on.iter();
        let rows = rows.map(|what| [Cell::new(FAINT, "not acted on yet:"), Cell::new(ODD, what)]);
        text += &Table::new(["", ""], rows.collect()).text(None);
    }
    put(&text)
}
