//! The builds list: what ended since the last time is stored like a notification, which most of it
//! was already.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde_json::Value;

use super::client::{AskError, Client, escaped};
use super::logs::{self, Logs};
use crate::gateway::azure;
use crate::gateway::inbox::{self, Arrival};
use crate::gateway::ledger::Ledger;
use crate::gateway::news::{News, What};
use crate::gateway::relay::book;

/// The date in the ledger up to which builds are known.
const MARK: &str = "reconciled";
/// What a gateway that never asked asks for: who is new shall not be told of the whole past.
const FIRST: Duration = Duration::from_secs(60 * 60);
/// Dates of the service and ours differ, and a build may be listed late.
const OVERLAP: Duration = Duration::from_secs(15 * 60);
/// Whoever was away for longer is not told of what is long gone.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// So many builds a page, and so many pages: the rest comes the next time.
const PAGE: u32 = 200;
const PAGES: u32 = 20;
const JSON: &str = "application/json";

/// Stores the builds that nobody told of; how many these were.
pub(super) async fn fill(
    client: &Arc<Client>,
    ledger: &Ledger,
    deliver_to: Option<&str>,
    fetcher: &Logs,
) -> Result<usize, AskError> {
    let began = SystemTime::now();
    let known = ledger.read(|it| book::marked(it, MARK)).await?;
    let since = match known {
        Some(known) => known.checked_sub(OVERLAP).unwrap_or(known),
        None => began.checked_sub(FIRST).unwrap_or(began),
    };
    let since = since.max(began.checked_sub(LONGEST).unwrap_or(began));
    let since = Timestamp::try_from(since).unwrap_or_default();
    let mut missed = 0;
    let mut next: Option<String> = None;
    for _ in 0..PAGES {
        let mut path = format!(
            "build/builds?statusFilter=completed&queryOrder=finishTimeAscending&$top={PAGE}&minTime={}",
            escaped(&format!("{since:.0}"))
        );
        if let Some(next) = &next {
            path += &format!("&continuationToken={}", escaped(next));
        }
        let answer = client.of_project(&path, JSON).await?;
        let list = answer.json(&path)?;
        for build in list["value"].as_array().into_iter().flatten() {
            if store(client, ledger, deliver_to, fetcher, build).await? {
                missed += 1;
            }
        }
        next = answer.next;
        if next.is_none() {
            ledger.write(move |it| book::mark(it, MARK, began)).await?;
            return Ok(missed);
        }
    }
    Ok(missed)
}

/// Whether it was not known.
async fn store(
    client: &Client,
    ledger: &Ledger,
    deliver_to: Option<&str>,
    fetcher: &Logs,
    build: &Value,
) -> Result<bool, AskError> {
    let news = azure::listed(build, client.organization());
    let What::Build(_) = &news.what else { return Ok(false) };
    let log = logs::wanted(&news);
    let mut arrival = Arrival::new(&news, build.to_string().into_bytes(), deliver_to);
    if log.is_some() {
        arrival = arrival.held();
    }
    let title = arrival.title().to_owned();
    let stored = inbox::take(ledger, arrival).await?;
    if stored.duplicate {
        return Ok(false);
    }
    let News { source, .. } = news;
    tracing::info!(event = %stored.event, %source, "found by asking: {title}");
    if let Some(build) = log {
        fetcher.fetch(stored.event, build);
    }
    Ok(true)
}
