//! What may be typed after `phase`.

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(in crate::cli) struct Phase {
    #[command(subcommand)]
    pub(in crate::cli) what: Option<PhaseVerb>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum PhaseVerb {
    /// Show the phases, and how far the one that is has come
    Show,
    /// Begin this one
    Set {
        /// Its name in the config
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Begin the one after it
    Next,
}
