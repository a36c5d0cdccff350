//! `init`: a configuration to start from. Not here: the two loops of `init loops`
//! (`loops.rs`).

mod fill;
pub(crate) mod launch;
mod loops;
pub(super) mod repository;

use std::fs::{self, File};
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
        let dir = args.rest.as_deref().unwrap_or_else(|| Path::new("."));
        return loops::run(dir, args.from.as_deref());
    }
    if let Some(rest) = &args.rest {
        return Err(Failure::Usage(format!(
            "`init` takes one folder: what is {} for?",
            rest.display()
        )));
    }
    if args.from.is_some() {
        return Err(Failure::Usage(
            "--from is for two loops: `supervisor init loops DIR --from FILE`".to_owned(),
        ));
    }
    let file = args.dir.join("config.toml");
    let shown = file.display();
    make_folder(&args.dir)?;
    match write_new(&file, TEMPLATE) {
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

fn make_folder(dir: &Path) -> Result<(), Failure> {
    let made = fs::create_dir_all(dir);
    Ok(made.with_context(|| format!("cannot make the folder {}", dir.display()))?)
}

/// Fails if there is anything of that name.
fn write_new(file: &Path, text: &str) -> std::io::Result<()> {
    File::create_new(file)?.write_all(text.as_bytes())
}
