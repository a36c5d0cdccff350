//! What may be typed after `demo`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

#[derive(Debug, Args)]
pub(in crate::cli) struct Demo {
    /// Leave everything running at the end, and say how to look at it
    #[arg(long)]
    pub(in crate::cli) keep: bool,
    /// Play it with this real agent, in place of scripted ones
    #[arg(long, value_name = "NAME", value_enum)]
    pub(in crate::cli) agent: Option<DemoAgents>,
    /// Where Claude Code is, if not on PATH
    #[arg(long, value_name = "PATH", value_hint = ValueHint::ExecutablePath, requires = "agent")]
    pub(in crate::cli) claude: Option<PathBuf>,
}

/// The programs that can play in a demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum DemoAgents {
    Claude,
}
