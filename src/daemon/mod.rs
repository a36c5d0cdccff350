//! The daemon: opens what it needs, then a loop of three steps: wait for one thing to happen, let
//! the watchdog decide, do what it says. Nothing in the loop waits for anything but the next thing
//! to happen; what takes time is a task that answers by an event. Not here: what to do and why
//! ([`crate::decide`]), how it is done ([`crate::world`]).

mod agents;
mod boot;
mod census;
mod commanded;
pub(crate) mod control;
mod environment;
mod gateway;
mod hands;
mod log_keeping;
mod logging;
mod plan;
mod policy;
pub mod presence;
mod publish;
mod reexec;
mod requests;
mod service;
mod session;
mod shared;
mod signals;
mod telling;
mod told;
mod turn;
mod waiters;
mod watched;

use std::path::PathBuf;

use crate::config::Config;

pub use boot::BootError;
pub use environment::{Environment, EnvironmentError, of_unit as environment_of};
pub use shared::instance;
pub use told::chain;

/// Threads for work on files that may hang.
const BLOCKING_THREADS: usize = 32;

/// What `supervisor run` hands over.
#[derive(Debug)]
pub struct RunOptions {
    /// The checked configuration.
    pub config: Config,
}

/// Why the daemon ended although nobody asked it to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It could not begin.
    #[error("cannot start the supervisor")]
    Boot(#[from] BootError),
    /// It could not go on; the units live on.
    #[error("the supervisor cannot go on: {what}")]
    Loop {
        /// What failed.
        what: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It could not become the new binary, and goes on no longer; the units live on.
    #[error("cannot execute {}", binary.display())]
    Reexec {
        /// The binary.
        binary: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Runs the daemon until a signal ends it. The units live on.
///
/// # Errors
/// [`RunError`].
pub fn run(options: RunOptions) -> Result<(), RunError> {
    let fail = |source| RunError::Loop { what: "no runtime", source };
    let runtime =
        // Each has memory of its own; more are of use only if mounts hang, and those cost one each.
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(BLOCKING_THREADS)
            .build()
            .map_err(fail)?;
    let local = tokio::task::LocalSet::new();
    let ending = local.block_on(&runtime, async {
        let daemon = boot::boot(options.config).await?;
        daemon.run().await
    });
    // A look into a mount that hangs may hold a thread for ever; nobody waits for it.
    runtime.shutdown_background();
    let ending = ending?;
    match ending {
        turn::Ending::Leave => Ok(()),
        turn::Ending::Reexec(reexec) => Err(reexec.execute()),
    }
}
