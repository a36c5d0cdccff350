//! What became of the subscriptions that send us webhooks: Azure DevOps puts one on probation, and
//! later disables it, without a word to whom it silences. Each change is told once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::Value;

use super::client::Client;
use crate::gateway::clean;
use crate::gateway::handler::chain;
use crate::gateway::ledger::Ledger;
use crate::gateway::troubles::{Silenced, note_silenced};

const PATH: &str = "hooks/subscriptions";
/// What our webhooks' addresses end in.
const OURS: &str = "/webhook/azure-devops";
const GOOD: &str = "enabled";
/// How much of a name or a word of theirs is shown, in characters.
const SHOWN_MAX: usize = 80;

/// What was told last, by subscription.
#[derive(Debug, Default)]
pub(super) struct Seen {
    states: BTreeMap<String, String>,
    refused: bool,
    /// What was noted in the ledger last.
    noted: Option<Vec<Silenced>>,
}

/// Looks, tells what has changed, and notes in the ledger which of them are silenced. A token that
/// may not look is told once.
pub(super) async fn look(client: &Arc<Client>, ledger: &Ledger, seen: &mut Seen) {
    let answer = client.of_organization(PATH).await;
    let list = match answer.and_then(|answer| answer.json(PATH)) {
        Ok(list) => list,
        Err(error) => {
            if !std::mem::replace(&mut seen.refused, true) {
                let error = chain(&error);
                tracing::warn!(error, "the state of the webhooks' subscriptions is not to be had");
            }
            return;
        }
    };
    seen.refused = false;
    let mut silenced = Vec::new();
    for Subscription { id, state, event } in ours(&list) {
        if state != GOOD {
            let (id, event, state) = (id.clone(), event.clone(), state.clone());
            silenced.push(Silenced { id, event, state });
        }
        let before = seen.states.insert(id.clone(), state.clone());
        if before.as_deref() == Some(state.as_str()) {
            continue;
        }
        if state != GOOD {
            tracing::error!(
                subscription = %id, %event, %state,
                "Azure DevOps does not send this webhook as it should: see Project Settings, Service \
                 hooks, and enable it again; builds are found by asking meanwhile"
            );
        } else if before.is_some() {
            tracing::info!(subscription = %id, %event, "the webhook is enabled again");
        }
    }
    note(ledger, seen, silenced).await;
}

async fn note(ledger: &Ledger, seen: &mut Seen, mut silenced: Vec<Silenced>) {
    silenced.sort();
    if seen.noted.as_ref() == Some(&silenced) {
        return;
    }
    let (all, now) = (silenced.clone(), SystemTime::now());
    match ledger.write(move |it| note_silenced(it, &all, now)).await {
        Ok(()) => seen.noted = Some(silenced),
        Err(error) => {
            tracing::warn!(error = %chain(&error), "silenced webhooks cannot be noted");
        }
    }
}

/// A subscription that sends us webhooks, in cleaned words.
pub(crate) struct Subscription {
    pub(crate) id: String,
    pub(crate) state: String,
    pub(crate) event: String,
}

/// Those of a list that are about us.
pub(crate) fn ours(list: &Value) -> Vec<Subscription> {
    let all = list["value"].as_array().into_iter().flatten();
    let read = |it: &Value| {
        let text = |key: &str| clean::line(it[key].as_str().unwrap_or_default(), SHOWN_MAX);
        Subscription { id: text("id"), state: text("status"), event: text("eventType") }
    };
    all.filter(|it| is_ours(it)).map(read).collect()
}

fn is_ours(subscription: &Value) -> bool {
    let address = subscription["consumerInputs"]["url"].as_str().unwrap_or_default();
    address.trim_end_matches('/').ends_with(OURS)
}
