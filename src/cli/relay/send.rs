//! `relay send`: one agent's message to another, into the ledger, or through a socket of the
//! gateway where there is no ledger: in a container.

use std::io::Read as _;
use std::path::Path;
use std::time::SystemTime;

use anyhow::Context as _;
use serde_json::json;

use super::socket;
use crate::cli::Context;
use crate::cli::args;
use crate::cli::failure::Failure;
use crate::cli::gateway::Hand;
use crate::cli::render::{put, put_json};
use crate::gateway::relay::{Posted, Posting, message, post};

/// What is sent as plain text.
const TEXT: &str = "text/plain";

/// Sends it; the answer is that of the gateway.
pub(super) fn run(context: &Context, args: args::Send) -> Result<(), Failure> {
    let body = match (&args.text, &args.file) {
        (Some(text), _) => text.clone().into_bytes(),
        (None, Some(file)) => read(file)?,
        (None, None) => return Err(Failure::Usage("there is nothing to send".to_owned())),
    };
    let query = query(&args);
    if let Some(path) = &args.socket {
        let answer = socket::post(path, &format!("/relay?{query}"), TEXT, &body)?;
        return put(&format!("{answer}\n"));
    }
    let mut hand = Hand::open(context)?;
    let most = hand.config.relay.max_body;
    if body.len() as u64 > most {
        return Err(Failure::failed(format!("the message is larger than {most} bytes")));
    }
    let message = message::parse(TEXT, &query, &body).map_err(Failure::Usage)?;
    let from = args.from.unwrap_or_default();
    let to = message.to.clone();
    if !hand.config.relay.allows(&from, &to) {
        let what = format!("there is no route {from}->{to}: see [gateway.relay] routes");
        return Err(Failure::failed(what));
    }
    let now = SystemTime::now();
    let posting = Posting::new(&from, message, now);
    match hand.write(|ledger| post(ledger, posting, now))? {
        Posted::Sent(event) => said(context, &event.to_string(), false, &to),
        Posted::Duplicate(event) => said(context, &event.to_string(), true, &to),
        Posted::Held { event, thread, .. } => Err(Failure::failed(format!(
            "{event} is held, with its thread {thread}, until `supervisor relay release {thread}`"
        ))),
        Posted::Later(wait) => Err(Failure::failed(format!(
            "too many messages from {from} to {to}: try again in {} s",
            wait.as_secs() + 1
        ))),
    }
}

fn said(context: &Context, id: &str, duplicate: bool, to: &str) -> Result<(), Failure> {
    if context.json {
        return put_json(&json!({"ok": true, "id": id, "duplicate": duplicate}));
    }
    let was = if duplicate { "was there already" } else { "is on its way" };
    put(&format!("{id}: the message to {to} {was}\n"))
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    if file.as_os_str() == "-" {
        std::io::stdin().read_to_end(&mut bytes).context("cannot read standard input")?;
        return Ok(bytes);
    }
    Ok(std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?)
}

/// The fields of the message, as a query has them.
fn query(args: &args::Send) -> String {
    let fields = [
        ("from", args.from.as_ref()),
        ("to", Some(&args.to)),
        ("thread", args.thread.as_ref()),
        ("kind", args.kind.as_ref()),
        ("id", args.id.as_ref()),
        ("branch", args.branch.as_ref()),
    ];
    let fields = fields.iter().filter_map(|(name, value)| {
        let value = value.as_ref()?.bytes().map(|byte| format!("%{byte:02X}"));
        Some(format!("{name}={}", value.collect::<String>()))
    });
    fields.collect::<Vec<_>>().join("&")
}
