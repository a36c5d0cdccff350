//! `man`: the manual page, or one for each verb.

use std::path::Path;

use anyhow::Context as _;
use clap::CommandFactory;

use super::args::{self, Cli};
use super::failure::Failure;
use super::render::{put, put_raw};

/// Prints the page of the whole, or writes all pages.
pub(super) fn run(args: &args::Man) -> Result<(), Failure> {
    match &args.dir {
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command())
                .render(&mut page)
                .context("cannot render the manual page")?;
            put_raw(&page)
        }
        Some(dir) => {
            write(dir)
                .with_context(|| format!("cannot write the manual pages into {}", dir.display()))?;
            put(&format!("wrote the manual pages into {}\n", dir.display()))
        }
    }
}

fn write(dir: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)?;
    clap_mangen::generate_to(Cli::command(), dir)
}
