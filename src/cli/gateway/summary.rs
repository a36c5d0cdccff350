//! How the gateway's letters fare, in a few lines of `status`: from the ledger, so that it is told
//! with the gateway down as well.

use std::collections::BTreeMap;

use serde::Serialize;

use super::list::date;
use crate::cli::render::{BAD, BUSY, Cell, FAINT, ODD, PLAIN, Table, View, relative};
use crate::config::Config;
use crate::gateway::ledger::{State, by_hand, view};
use crate::gateway::relay::book;

/// What `status` shows of the gateway.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Summary {
    /// All events of the ledger.
    events: u32,
    /// Letters by state.
    letters: BTreeMap<&'static str, u32>,
    /// The oldest letter that NanoClaw was not given.
    oldest: Option<Oldest>,
    /// Threads that wait for a person, each with why.
    held: BTreeMap<String, String>,
    /// Agents whose letters cannot be delivered, each with why.
    troubles: BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
struct Oldest {
    event: String,
    group: String,
    received: String,
}

impl Summary {
    /// That of the configured gateway; `None` if there is none, or its ledger cannot be read by us.
    pub(in crate::cli) fn of(config: &Config) -> Option<Self> {
        let ledger = by_hand(&config.gateway.as_ref()?.ledger()).ok()?;
        let counts = view::counts(&ledger).ok()?;
        let held = book::held(&ledger).ok()?;
        Some(Self {
            events: counts.events,
            letters: counts.letters.iter().map(|(state, count)| (state.as_str(), *count)).collect(),
            oldest: counts.oldest.map(|(event, group, received)| Oldest {
                event: event.to_string(),
                group,
                received: date(received),
            }),
            held: held.into_iter().map(|held| (held.thread, held.why)).collect(),
            troubles: counts.troubles.into_iter().map(|(group, why, _)| (group, why)).collect(),
        })
    }

    /// For people.
    pub(in crate::cli) fn text(&self, view: &View) -> String {
        let mut pieces = vec![(PLAIN, format!("{} events", self.events))];
        for state in State::ALL.into_iter().filter(|state| !state.is_end()) {
            if let Some(count) = self.letters.get(state.as_str()) {
                pieces.push((BUSY, format!("{count} {state}")));
            }
        }
        if let Some(dead) = self.letters.get(State::Dead.as_str()) {
            pieces.push((BAD, format!("{dead} dead")));
        }
        let mut rows = vec![[Cell::new(FAINT, "gateway"), Cell::joined(pieces, " · ")]];
        if let Some(oldest) = &self.oldest {
            let Oldest { event, group, received } = oldest;
            let what = format!("{event} for {group}, {}", relative(received, view.now));
            rows.push([Cell::new(FAINT, "oldest queued"), Cell::new(PLAIN, &what)]);
        }
        for (thread, why) in &self.held {
            let what = format!("{thread}: {why}; `supervisor relay release {thread}`, or drop");
            rows.push([Cell::new(FAINT, "held"), Cell::new(ODD, &what)]);
        }
        for (group, why) in &self.troubles {
            rows.push([Cell::new(FAINT, "trouble"), Cell::new(BAD, &format!("{group}: {why}"))]);
        }
        format!("\n{}", Table::new(["", ""], rows).text(None))
    }
}
