//! `reload`: the daemon becomes this very binary, with this configuration. Its pid stays, its units
//! live on.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::client::{AT_ONCE, Client};
use super::failure::Failure;
use super::render::{put, put_json};
use super::{Context, client};
use crate::protocol::{DaemonStatus, Verb};

/// The new image looks at every unit before it is ready; that takes milliseconds, and on a machine
/// that hangs at most so long.
const BACK_WITHIN: Duration = Duration::from_secs(30);
/// Between two looks whether it is back. The control socket stays open over the change, so a look
/// waits in its queue and is answered by the new image.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Runs the verb.
pub(super) fn run(context: &Context) -> Result<(), Failure> {
    let now = reload(context)?;
    if context.json {
        return put_json(&serde_json::json!({ "pid": now.pid, "version": now.version }));
    }
    put(&format!("reloaded: version {}, still pid {}\n", now.version, now.pid))
}

/// Returns when the new image has looked at every unit. A configuration that is wrong never gets
/// that far.
pub(super) fn reload(context: &Context) -> Result<DaemonStatus, Failure> {
    let (file, config) = context.config()?;
    let verb =
        Verb::Reload { binary: Some(text(&binary()?)?), config: Some(text(&absolute(&file)?)?) };
    let client = client(file, &config);
    let before = client.status(AT_ONCE)?.supervisor;
    client.wish(verb, "the supervisor to come back")?;
    back(&client, before.image)
}

/// The daemon as it is once another image than `before` is ready.
fn back(client: &Client, before: u64) -> Result<DaemonStatus, Failure> {
    let deadline = Instant::now() + BACK_WITHIN;
    loop {
        // Hung up on in the middle of the change, or not there at all: asked again.
        let found = client.status(AT_ONCE).map(|status| status.supervisor);
        if let Ok(now) = found
            && now.ready
            && now.image != before
        {
            return Ok(now);
        }
        if Instant::now() >= deadline {
            return Err(Failure::failed(
                "the supervisor has not come back: look at `supervisor logs supervisor`",
            ));
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// This very program.
///
/// # Errors
/// Its file has been replaced or removed.
pub(super) fn binary() -> Result<PathBuf, Failure> {
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
