//! `run`: be the daemon.

use super::Context;
use super::failure::Failure;
use crate::daemon::{self, RunOptions};

/// Runs the verb, for as long as the daemon lives.
pub(super) fn run(context: &Context) -> Result<(), Failure> {
    let (_, config) = context.config()?;
    daemon::run(RunOptions { config }).map_err(anyhow::Error::from)?;
    Ok(())
}
