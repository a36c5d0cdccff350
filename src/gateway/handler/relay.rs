//! Messages and acknowledgements. Who writes is decided by the secret or the socket; what the
//! message says of it must agree.

use std::time::SystemTime;

use serde::Deserialize;

use super::{Asked, Handler, Side, unread};
use crate::gateway::answer::Answer;
use crate::gateway::callers::{Speaker, Stranger};
use crate::gateway::clean;
use crate::gateway::ledger::EventId;
use crate::gateway::ledger::said::{self, Acked};
use crate::gateway::relay::message;
use crate::gateway::relay::{self, Posted, Posting};

/// The largest acknowledgement, in bytes.
const ACK_MAX: u64 = 16 * 1024;
/// The header with an agent's secret.
const SECRET: &str = "x-relay-secret";

#[derive(Deserialize)]
struct Ack {
    event: String,
}

/// Why a body acknowledges nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoAck {
    /// It is no acknowledgement.
    Bad,
    /// What it names can be no event of ours.
    NoEvent,
}

/// The event that a body acknowledges.
pub(crate) fn acked(body: &[u8]) -> Result<EventId, NoAck> {
    let Ack { event } = serde_json::from_slice(body).map_err(|_| NoAck::Bad)?;
    EventId::parse(event.trim()).ok_or(NoAck::NoEvent)
}

impl Handler {
    pub(super) async fn relay(&self, side: &Side, asked: &mut Asked) -> Answer {
        let speaker = match self.speaker(side, asked) {
            Ok(speaker) => speaker,
            Err(answer) => return answer,
        };
        let most = self.config.relay.max_body;
        let body = match asked.read(most, &self.budget).await {
            Ok(body) => body,
            Err(error) => return unread(error, most),
        };
        let query = asked.parts.uri.query().unwrap_or_default();
        let message = match message::parse(asked.content_type(), query, &body) {
            Ok(message) => message,
            Err(why) => return Answer::Bad(why),
        };
        drop(body);
        let from = match (speaker, message.from.clone()) {
            (Speaker::Agent(name), None) => name,
            (Speaker::Agent(name), Some(from)) if from == name => name,
            (Speaker::Agent(name), Some(_)) => {
                return Answer::Forbidden(format!("`from` is not {name}, who has this secret"));
            }
            (Speaker::Shared, Some(from)) => from,
            (Speaker::Shared, None) => {
                return Answer::Bad("it does not say who it is `from`".to_owned());
            }
        };
        if !self.config.relay.allows(&from, &message.to) {
            let (from, to) = (clean::reference(&from), clean::reference(&message.to));
            return Answer::Forbidden(format!("there is no route {from}->{to}"));
        }
        let to = message.to.clone();
        let now = SystemTime::now();
        let posting = Posting::new(&from, message, now);
        let posted = self.ledger.write(move |it| relay::post(it, posting, now)).await;
        match posted {
            Ok(Posted::Sent(event)) => {
                tracing::info!(%event, %from, %to, "a message is stored");
                Answer::Sent { id: event.to_string(), duplicate: false }
            }
            Ok(Posted::Duplicate(event)) => {
                self.counters.duplicate();
                Answer::Sent { id: event.to_string(), duplicate: true }
            }
            Ok(Posted::Held { event, thread, news }) => {
                if let Some(why) = news {
                    tracing::error!(
                        %thread, %event,
                        "a thread of messages is held: {why}. Read it with `supervisor gateway show`, \
                         then `supervisor relay release {thread}` or `supervisor relay drop {thread}`"
                    );
                }
                let why = format!("the thread {thread} is held until a person has looked at it");
                Answer::TooMuch { why, held: Some(event.to_string()), later: None }
            }
            Ok(Posted::Later(later)) => {
                let why = format!("too many messages from {from} to {to}; try again later");
                Answer::TooMuch { why, held: None, later: Some(later) }
            }
            Err(error) => self.not_stored(&error),
        }
    }

    pub(super) async fn ack(&self, side: &Side, asked: &mut Asked) -> Answer {
        // An agent that is not known learns no more than one that asks for another's letter.
        let denied = || Answer::Forbidden("it is no letter of yours".to_owned());
        let speaker = match self.speaker(side, asked) {
            Ok(Speaker::Agent(name)) => name,
            Ok(Speaker::Shared) | Err(Answer::Stranger) => return denied(),
            Err(answer) => return answer,
        };
        let body = match asked.read(ACK_MAX, &self.budget).await {
            Ok(body) => body,
            Err(error) => return unread(error, ACK_MAX),
        };
        let event = match acked(&body) {
            Ok(event) => event,
            Err(NoAck::Bad) => {
                return Answer::Bad("the body is no {\"event\":\"…\"}".to_owned());
            }
            Err(NoAck::NoEvent) => return denied(),
        };
        let now = SystemTime::now();
        let group = speaker.clone();
        match self.ledger.write(move |it| said::ack(it, &event, &group, now)).await {
            Ok(Acked::Done | Acked::Already) => Answer::Acked,
            Ok(Acked::NotYours) => denied(),
            Err(error) => self.not_stored(&error),
        }
    }

    fn speaker(&self, side: &Side, asked: &Asked) -> Result<Speaker, Answer> {
        if let Some(name) = &side.agent {
            return Ok(Speaker::Agent(name.clone()));
        }
        self.callers.agent(asked.header(SECRET)).map_err(|stranger| match stranger {
            Stranger::Wrong => Answer::Stranger,
            Stranger::Unknown => {
                Answer::NotNow("a secret cannot be read here; try again".to_owned())
            }
        })
    }
}
