//! `completions`: what a shell needs to complete our command line.

use clap::CommandFactory;

use super::args::{self, Cli};
use super::failure::Failure;
use super::render::put_raw;

/// Prints them.
pub(super) fn run(args: &args::Completions) -> Result<(), Failure> {
    // Into memory first: the generator panics where standard output is a closed pipe.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "supervisor", &mut script);
    put_raw(&script)
}
