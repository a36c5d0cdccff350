//! `run`: be the daemon.

use super::Context;
use super::failure::Failure;
use super::seams::daemon::{self, RunOptions};

/// Runs the verb, for as long as the daemon lives.
pub(super) fn run(context: &Context) -> Result<(), Failure> {
    let (config_file, config) = context.config()?;
    daemon::run(RunOptions { config_file, config })?;
    Ok(())
}
