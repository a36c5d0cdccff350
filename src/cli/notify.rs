//! `notify`: tell the operator, with or without a daemon.

use std::rc::Rc;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;
use sha2::Digest as _;

use super::Context;
use super::args;
use super::failure::Failure;
use super::render::put_json;
use crate::world::children::OwnChildren;
use crate::world::outbox::{Delivery, Hands, Notice, Outbox, Severity};

/// A target answers in a second; one that is down is tried again after two and four.
const WITHIN: Duration = Duration::from_secs(20);

/// Returns when it is told, or when it is kept and the daemon tells it.
pub(super) fn run(context: &Context, args: args::Notify) -> Result<(), Failure> {
    let (file, config) = context.config()?;
    let supervisor = &config.supervisor;
    let children = Rc::new(OwnChildren::default());
    let hands = Hands { children, environment: std::env::vars_os().collect() };
    let targets = &config.notify.targets;
    let outbox = Outbox::open(&supervisor.state_dir, &supervisor.runtime_dir, targets, hands);
    let notice = notice(args);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("cannot begin")?;
    let delivery = tokio::task::LocalSet::new().block_on(&runtime, async {
        let Some(posted) = outbox.post(notice).await? else { return Ok(None) };
        let said = Rc::new(|_| ());
        anyhow::Ok(Some(outbox.deliver(&posted, WITHIN, said).await))
    });
    // A request that hangs is not waited for.
    runtime.shutdown_background();
    match delivery? {
        None => Err(Failure::failed(format!(
            "nobody would be told: {} names no target; add one, [notify] targets = [ … ]",
            file.display()
        ))),
        Some(Delivery::Waits(why)) => Err(Failure::failed(format!(
            "not told yet: {why}; it is kept, and told by the next `supervisor run` or `notify`"
        ))),
        Some(delivery @ (Delivery::Told | Delivery::LeftToTheSender)) if context.json => {
            put_json(&json!({"ok": true, "told": delivery == Delivery::Told}))
        }
        Some(Delivery::Told | Delivery::LeftToTheSender) => Ok(()),
    }
}

fn notice(args: args::Notify) -> Notice {
    let args::Notify { text, title, key, urgent } = args;
    let key = key.unwrap_or_else(|| {
        let digest = sha2::Sha256::new().chain_update(&title).chain_update([0]).chain_update(&text);
        digest.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
    });
    let severity = if urgent { Severity::Urgent } else { Severity::Info };
    Notice { key: format!("notify: {key}"), title, text, severity }
}
