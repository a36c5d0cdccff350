//! `init`: a configuration to start from.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::Path;

use anyhow::Context as _;

use super::args;
use super::failure::Failure;
use super::render::put;
use crate::config::TEMPLATE;

/// Writes it where there is none, and says what to do next.
pub(super) fn run(args: &args::Init) -> Result<(), Failure> {
    if args.dir == Path::new("loops") {
        return Err(Failure::failed("`init loops` comes with a later version"));
    }
    if let Some(rest) = &args.rest {
        return Err(Failure::Usage(format!(
            "`init` takes one folder: what is {} for?",
            rest.display()
        )));
    }
    let file = args.dir.join("config.toml");
    let shown = file.display();
    std::fs::create_dir_all(&args.dir)
        .with_context(|| format!("cannot make the folder {}", args.dir.display()))?;
    match write(&file) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(Failure::failed(format!(
                "{shown} exists and is left as it is: name another folder, or edit that file"
            )));
        }
        Err(error) => {
            return Err(anyhow::Error::new(error).context(format!("cannot write {shown}")).into());
        }
    }
    put(&format!("wrote {shown}: edit it, then `supervisor --config {shown} run`\n"))
}

fn write(file: &Path) -> std::io::Result<()> {
    File::create_new(file)?.write_all(TEMPLATE.as_bytes())
}
