//! The log of the step that failed: found in the build's timeline, attached whole to the letters of
//! its event, which wait for it a short while. What it says is a stranger's words: it is a file, and
//! no part of a letter.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rusqlite::{Transaction, params};
use serde_json::Value;
use tokio::sync::mpsc;

use super::client::{AskError, Client};
use crate::gateway::clean;
use crate::gateway::handler::chain;
use crate::gateway::ledger::{Attachment, EventId, Ledger, LedgerError, events};
use crate::gateway::news::{News, Outcome, Source, What};
use crate::gateway::relay::SOURCE as RELAY;

/// A letter waits so long for its log: it is worth more than the log.
const WITHIN: Duration = Duration::from_secs(20);
/// So many steps of one build are looked at.
const STEPS_MAX: usize = 3;
/// How much of a step's name is shown, in characters.
const NAME_MAX: usize = 80;

/// A log that somebody waits for.
#[derive(Debug)]
pub(super) struct Wanted {
    event: EventId,
    build: u64,
}

/// Where logs are asked for.
#[derive(Clone, Debug)]
pub struct Logs(mpsc::UnboundedSender<Wanted>);

impl Logs {
    pub(super) fn new(sender: mpsc::UnboundedSender<Wanted>) -> Self {
        Self(sender)
    }

    /// Asks for the log of a build, for the held letters of `event`.
    pub fn fetch(&self, event: EventId, build: u64) {
        if self.0.send(Wanted { event, build }).is_err() {
            tracing::debug!("nobody fetches logs any more: the letter goes at the next start");
        }
    }
}

/// The build whose log belongs to what is told of `news`.
pub fn wanted(news: &News) -> Option<u64> {
    match &news.what {
        What::Build(build) if news.source == Source::AzureDevops => match build.outcome {
            Outcome::Failed | Outcome::PartiallySucceeded => build.id,
            Outcome::Succeeded | Outcome::Canceled | Outcome::Unsaid => None,
        },
        What::Build(_)
        | What::PullRequest(_)
        | What::Progress(_)
        | What::Test
        | What::Ping
        | What::Unknown
        | What::Unreadable(_) => None,
    }
}

/// Fetches a log, attaches it, and lets the letters go in any case.
pub(super) async fn fetch(client: &Arc<Client>, ledger: &Ledger, wanted: Wanted) {
    let Wanted { event, build } = wanted;
    let found = match tokio::time::timeout(WITHIN, steps(client, build)).await {
        Ok(Ok(steps)) => steps,
        Ok(Err(error)) => {
            tracing::warn!(%event, error = %chain(&error), "the log of a build is not to be had");
            Vec::new()
        }
        Err(_) => {
            tracing::warn!(%event, build, "the log of a build takes too long: its letter goes without");
            Vec::new()
        }
    };
    let told = event.clone();
    if let Err(error) = ledger.write(move |it| let_go(it, &event, &found)).await {
        let error: &LedgerError = &error;
        tracing::error!(event = %told, error = %chain(error), "a letter is held until the next start");
    }
}

/// Lets every letter go that waited for a log when the gateway ended.
///
/// # Errors
/// As SQLite has them.
pub(super) fn let_all_go(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute(
        "UPDATE letters SET state = 'queued' WHERE state = 'held' \
         AND event IN (SELECT seq FROM events WHERE source != ?1)",
        [RELAY],
    )?;
    Ok(())
}

fn let_go(transaction: &Transaction<'_>, event: &EventId, steps: &[Step]) -> rusqlite::Result<()> {
    for step in steps {
        if let Some(log) = &step.log {
            events::attach(transaction, event, log)?;
        }
    }
    let names: Vec<_> = steps.iter().map(|step| step.name.as_str()).collect();
    let line = match names.join(", ") {
        none if none.is_empty() => String::new(),
        names => format!("\nFailed step: {names}"),
    };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
    transaction.execute(
        "UPDATE letters SET state = 'queued', since = ?2, due = ?2, text = text || ?3 \
         WHERE state = 'held' AND event = (SELECT seq FROM events WHERE id = ?1)",
        params![event, now, line],
    )?;
    Ok(())
}

/// A step that failed.
struct Step {
    name: String,
    log: Option<Attachment>,
}

async fn steps(client: &Arc<Client>, build: u64) -> Result<Vec<Step>, AskError> {
    let path = format!("build/builds/{build}/timeline");
    let timeline = client.of_project(&path, "application/json").await?.json(&path)?;
    let mut steps = Vec::new();
    for (name, log) in failed(&timeline) {
        let name = clean::line(&name, NAME_MAX);
        let bytes = match log {
            Some(log) => {
                let path = format!("build/builds/{build}/logs/{log}");
                Some(client.of_project(&path, "text/plain").await?.body)
            }
            None => None,
        };
        let file = file_name(build, &name);
        steps.push(Step { name, log: bytes.map(|bytes| Attachment { name: file, bytes }) });
    }
    Ok(steps)
}

/// What the log of a step is called.
pub(crate) fn file_name(build: u64, step: &str) -> String {
    format!("build-{build}-{}.log", clean::reference(step).replace(['/', '%', '#'], "_"))
}

/// The names of the tasks that failed, with the numbers of their logs.
pub(crate) fn failed(timeline: &Value) -> Vec<(String, Option<u64>)> {
    let records = timeline["records"].as_array().into_iter().flatten();
    let failed = records.filter(|record| record["type"] == "Task" && record["result"] == "failed");
    let mut failed: Vec<_> = failed.collect();
    failed.sort_by_key(|record| record["order"].as_u64().unwrap_or(u64::MAX));
    let named = failed.into_iter().map(|record| {
        let name = record["name"].as_str().unwrap_or("a step without a name");
        (name.to_owned(), record["log"]["id"].as_u64())
    });
    named.take(STEPS_MAX).collect()
}
