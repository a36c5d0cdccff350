//! One request: which path, who calls, what with it. Not here: connections (see [`super::server`]).

mod metrics;
pub(crate) mod relay;
mod webhook;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::answer::Answer;
use super::callers::Callers;
use super::ledger::{Ledger, LedgerError};
use super::reconcile::logs::Logs;
use super::server::body::{self, BodyError, Budget};
use crate::config::Gateway;

pub use metrics::Counters;

/// So many who are not known yet may send a body at once; the others are answered meanwhile.
const STRANGERS_MAX: usize = 64;

/// What may be asked through a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// Webhooks.
    pub webhooks: bool,
    /// Messages, acknowledgements, and how we are.
    pub relay: bool,
    /// The agent that whoever speaks here is.
    pub agent: Option<String>,
}

/// What answers requests.
#[derive(Debug)]
pub struct Handler {
    config: Gateway,
    callers: Callers,
    ledger: Ledger,
    budget: Budget,
    counters: Counters,
    /// Who fetches the logs of failed steps, if anybody may.
    logs: Option<Logs>,
    /// Turns for those whose body must be read before they are known.
    strangers: Semaphore,
}

impl Handler {
    /// One that stores in `ledger`.
    pub fn new(config: Gateway, ledger: Ledger, logs: Option<Logs>) -> Self {
        let callers = Callers::new(&config);
        callers.look();
        let largest = config.relay.max_body.max(config.max_body);
        let budget = Budget::new(largest);
        let strangers = Semaphore::new(STRANGERS_MAX);
        Self { config, callers, ledger, budget, counters: Counters::default(), logs, strangers }
    }

    /// Answers one request, whatever it is.
    pub async fn answer(&self, side: &Side, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let mut asked = Asked { parts, body: Some(body), share: None };
        let answer = self.route(side, &mut asked).await;
        self.counters.count(asked.parts.uri.path(), answer.status());
        // Whatever was not read is in the way of the next request.
        let close = asked.leave();
        answer.response(close)
    }

    async fn route(&self, side: &Side, asked: &mut Asked) -> Answer {
        let path = asked.parts.uri.path().to_owned();
        let get = matches!(asked.parts.method, Method::GET | Method::HEAD);
        let post = asked.parts.method == Method::POST;
        match path.as_str() {
            "/webhook/azure-devops" if post && side.webhooks => match &self.config.azure_devops {
                Some(azure) => self.azure(azure, asked).await,
                None => Answer::NotFound,
            },
            "/webhook/github" if post && side.webhooks => match &self.config.github {
                Some(github) => self.github(github, asked).await,
                None => Answer::NotFound,
            },
            "/relay" if post && side.relay => self.relay(side, asked).await,
            "/ack" if post && side.relay => self.ack(side, asked).await,
            "/healthz" if get && side.relay => Answer::Text("ok\n".to_owned()),
            "/readyz" if get && side.relay => self.ready().await,
            "/metrics" if get && side.relay => self.metrics().await,
            // Of the talk of all, which is no single agent's business.
            "/troubles" if get && side.relay && side.agent.is_none() => self.troubles().await,
            _ => Answer::NotFound,
        }
    }

    /// What is answered when something cannot be stored. The detail is for the log.
    fn not_stored(&self, error: &LedgerError) -> Answer {
        tracing::error!(error = %chain(error), "an event could not be stored");
        Answer::NotNow("it cannot be stored now; try again".to_owned())
    }
}

/// A request that is being answered.
#[derive(Debug)]
struct Asked {
    parts: Parts,
    body: Option<Incoming>,
    /// What its body takes of the budget, until it is answered.
    share: Option<OwnedSemaphorePermit>,
}

impl Asked {
    fn header(&self, name: &str) -> Option<&[u8]> {
        self.parts.headers.get(name).map(hyper::header::HeaderValue::as_bytes)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.parts.headers.get(name).and_then(|value| value.to_str().ok())
    }

    fn content_type(&self) -> &str {
        let value = self.parts.headers.get(CONTENT_TYPE);
        value.and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body, of at most `most` bytes.
    async fn read(&mut self, most: u64, budget: &Budget) -> Result<Vec<u8>, BodyError> {
        let length = self.parts.headers.get(CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| length > most) {
            return Err(BodyError::TooLarge);
        }
        match &mut self.body {
            Some(incoming) => {
                let received = body::read(incoming, most, budget).await?;
                (self.body, self.share) = (None, received.share);
                Ok(received.bytes)
            }
            None => Ok(Vec::new()),
        }
    }

    /// Ends with what was not read of it: whether there is something.
    fn leave(self) -> bool {
        let unread = self.body.filter(|body| !hyper::body::Body::is_end_stream(body));
        let is_unread = unread.is_some();
        if let Some(incoming) = unread {
            body::let_run_out(incoming);
        }
        is_unread
    }
}

/// What a body that was not read is answered with.
fn unread(error: BodyError, most: u64) -> Answer {
    match error {
        BodyError::TooLarge => Answer::TooLarge(most),
        BodyError::TooSlow => Answer::NotNow("the body came too slowly".to_owned()),
        BodyError::Busy => Answer::NotNow("too much is being received; try again".to_owned()),
        BodyError::Broken => Answer::NotNow("the body did not come whole".to_owned()),
    }
}

/// An error with its causes, in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
