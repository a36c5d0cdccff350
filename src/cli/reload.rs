//! `reload`: the daemon becomes this very binary, with this configuration.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::Context;
use super::client;
use super::failure::Failure;
use super::render::put_json;
use crate::protocol::Verb;

/// Returns when the daemon has answered. A configuration that is wrong never gets to it.
pub(super) fn run(context: &Context) -> Result<(), Failure> {
    let (file, config) = context.config()?;
    let verb =
        Verb::Reload { binary: Some(text(&binary()?)?), config: Some(text(&absolute(&file)?)?) };
    let notes = client(file, &config).wish(verb, "the supervisor to come back")?;
    if context.json { put_json(&serde_json::json!({ "notes": notes })) } else { Ok(()) }
}

fn binary() -> Result<PathBuf, Failure> {
    let own = std::fs::read_link("/proc/self/exe").context("cannot read /proc/self/exe")?;
    if own.exists() {
        return Ok(own);
    }
    Err(Failure::failed(format!(
        "this binary is no longer at {}: call `supervisor reload` by its new path",
        own.display()
    )))
}

/// The daemon's working directory is another than ours.
fn absolute(file: &Path) -> Result<PathBuf, Failure> {
    Ok(std::path::absolute(file)
        .with_context(|| format!("cannot tell where {} is", file.display()))?)
}

fn text(path: &Path) -> Result<String, Failure> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        Failure::failed(format!("{} is not UTF-8: give it another name", path.display()))
    })
}
