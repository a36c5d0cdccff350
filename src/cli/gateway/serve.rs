//! `gateway serve`: be the gateway, and say where.

use std::io::Write as _;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::hand::configured;
use crate::cli::Context;
use crate::cli::failure::Failure;
use crate::gateway::serve::{Ready, serve};

/// Serves until a signal ends it.
pub(super) fn run(context: &Context) -> Result<(), Failure> {
    let (file, config) = configured(context)?;
    log();
    Ok(serve(&config, &file, announce).map_err(anyhow::Error::from)?)
}

/// One line for each place, and one that says that all of them are there: the service's readiness is
/// seen by it.
fn announce(ready: &Ready<'_>) {
    let mut out = std::io::stdout().lock();
    for place in ready.places {
        // Whoever does not read it is served all the same.
        let _ = writeln!(out, "listening on {place}");
    }
    let _ = writeln!(out, "the gateway is ready; {}", ready.confined);
    let _ = out.flush();
}

/// Lines on standard error, which is a terminal, a log of the supervisor's, or the journal.
fn log() {
    let asked = std::env::var("RUST_LOG").ok().filter(|text| !text.is_empty());
    let filter = asked.and_then(|text| text.parse::<Targets>().ok());
    let filter = filter.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_target(false);
    let registry = tracing_subscriber::registry().with(filter);
    // Nothing else has set it: this is the process's only verb.
    let _ = registry.with(layer.with_writer(std::io::stderr)).try_init();
}
