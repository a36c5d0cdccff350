//! Webhooks: who sends them is known before anything is kept of them, and before it is read where
//! that can be.

use super::{Asked, Handler, chain, unread};
use crate::config::{AzureDevops, Github};
use crate::gateway::answer::Answer;
use crate::gateway::inbox::{self, Arrival};
use crate::gateway::news::{News, What};
use crate::gateway::reconcile::logs;
use crate::gateway::secrets::Verdict;
use crate::gateway::{azure, github};

/// What a caller is answered whose secret may be right for all we know.
const UNREADABLE: &str = "a secret cannot be read here; try again";

impl Handler {
    pub(super) async fn azure(&self, config: &AzureDevops, asked: &mut Asked) -> Answer {
        match self.callers.azure(asked.header("x-webhook-secret")) {
            Verdict::Right => {}
            Verdict::Wrong => return Answer::Stranger,
            Verdict::Unknown => return Answer::NotNow(UNREADABLE.to_owned()),
        }
        let most = self.config.max_body;
        let body = match asked.read(most, &self.budget).await {
            Ok(body) => body,
            Err(error) => return unread(error, most),
        };
        let news = azure::parse(&body, config.organization.as_deref());
        self.keep(news, body, config.deliver_to.as_deref()).await
    }

    pub(super) async fn github(&self, config: &Github, asked: &mut Asked) -> Answer {
        let most = self.config.max_body;
        if asked.header("x-hub-signature-256").is_none() {
            return Answer::Stranger;
        }
        // Who it is can be told only from the whole: so many strangers may be listened to at once.
        let Ok(_turn) = self.strangers.try_acquire() else {
            return Answer::NotNow("too many are sending at once; try again".to_owned());
        };
        let body = match asked.read(most, &self.budget).await {
            Ok(body) => body,
            Err(error) => return unread(error, most),
        };
        match self.callers.github(asked.text("x-hub-signature-256"), &body) {
            Verdict::Right => {}
            Verdict::Wrong => return Answer::Stranger,
            Verdict::Unknown => return Answer::NotNow(UNREADABLE.to_owned()),
        }
        let event = asked.text("x-github-event").unwrap_or_default();
        let news = github::parse(event, asked.text("x-github-delivery"), &body);
        self.keep(news, body, config.deliver_to.as_deref()).await
    }

    async fn keep(&self, news: News, body: Vec<u8>, deliver_to: Option<&str>) -> Answer {
        if news.what == What::Ping {
            return Answer::Ignored("ping");
        }
        let mut arrival = Arrival::new(&news, body, deliver_to);
        let log = self.logs.as_ref().zip(logs::wanted(&news));
        if log.is_some() {
            arrival = arrival.held();
        }
        let title = arrival.title().to_owned();
        match inbox::take(&self.ledger, arrival).await {
            Ok(stored) if stored.duplicate => {
                tracing::debug!(event = %stored.event, "a notification came again");
                self.counters.duplicate();
                Answer::Duplicate(stored.event.to_string())
            }
            Ok(stored) => {
                tracing::info!(event = %stored.event, source = %news.source, "{title}");
                if let Some((logs, build)) = log {
                    logs.fetch(stored.event.clone(), build);
                }
                Answer::Stored(stored.event.to_string())
            }
            Err(error) => {
                tracing::error!(error = %chain(&error), %title, "a webhook is answered with 503");
                Answer::NotNow("it cannot be stored now; try again".to_owned())
            }
        }
    }
}
