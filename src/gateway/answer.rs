//! What a caller is answered. The caller sees the phrase, the log the detail. Azure DevOps silences
//! a hook for hours after any answer but success or a passing trouble, so an authenticated one gets
//! no other (and 413). Not here: how an answer is come by.

use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A notification is stored.
    Stored(String),
    /// It was stored before.
    Duplicate(String),
    /// It is understood and of no interest.
    Ignored(&'static str),
    /// A message is stored; or it was before.
    Sent {
        /// Its event.
        id: String,
        /// Whether it was there already.
        duplicate: bool,
    },
    /// A letter is done.
    Acked,
    /// What was sent cannot be understood.
    Bad(String),
    /// The secret is wrong.
    Stranger,
    /// Known, and not allowed to.
    Forbidden(String),
    /// There is nothing here.
    NotFound,
    /// The body is too large.
    TooLarge(u64),
    /// Too much talk.
    TooMuch {
        /// Why.
        why: String,
        /// The event, if it is kept until a person lets it go on.
        held: Option<String>,
        /// When it may be tried again.
        later: Option<Duration>,
    },
    /// Not now.
    NotNow(String),
    /// A text for a machine that looks after us.
    Text(String),
    /// What the supervisor reads of us.
    Json(Value),
}

impl Answer {
    /// Its status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Stored(_) => StatusCode::ACCEPTED,
            Self::Duplicate(_)
            | Self::Ignored(_)
            | Self::Sent { .. }
            | Self::Acked
            | Self::Text(_)
            | Self::Json(_) => StatusCode::OK,
            Self::Bad(_) => StatusCode::BAD_REQUEST,
            Self::Stranger => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooMuch { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::NotNow(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The answer's text; `ok` comes first, for whoever looks no further.
    fn json(&self) -> String {
        let (ok, rest): (bool, Vec<(&str, Value)>) = match self {
            Self::Json(value) => return format!("{value}\n"),
            Self::Stored(event) => (true, vec![("event", json!(event))]),
            Self::Duplicate(event) => {
                (true, vec![("duplicate", json!(true)), ("event", json!(event))])
            }
            Self::Ignored(what) => (true, vec![("ignored", json!(what))]),
            Self::Sent { id, duplicate: false } => (true, vec![("id", json!(id))]),
            Self::Sent { id, duplicate: true } => {
                (true, vec![("id", json!(id)), ("duplicate", json!(true))])
            }
            Self::Acked => (true, Vec::new()),
            Self::Bad(why) | Self::Forbidden(why) | Self::NotNow(why) | Self::Text(why) => {
                (false, vec![("error", json!(why))])
            }
            Self::Stranger => (false, vec![("error", json!("the secret is wrong"))]),
            Self::NotFound => (false, vec![("error", json!("there is nothing here"))]),
            Self::TooLarge(most) => {
                let why = format!("the body is larger than {most} bytes");
                (false, vec![("error", json!(why))])
            }
            Self::TooMuch { why, held: Some(id), .. } => {
                (false, vec![("error", json!(why)), ("held", json!(true)), ("id", json!(id))])
            }
            Self::TooMuch { why, held: None, .. } => (false, vec![("error", json!(why))]),
        };
        let rest = rest.iter().map(|(name, value)| format!(",\"{name}\":{value}"));
        format!("{{\"ok\":{ok}{}}}\n", rest.collect::<String>())
    }

    /// The whole response. `close` = nothing more is read from this caller.
    pub fn response(self, close: bool) -> Response<Full<Bytes>> {
        let (kind, body) = match &self {
            Self::Text(text) => ("text/plain; version=0.0.4; charset=utf-8", text.clone()),
            Self::Stored(_)
            | Self::Duplicate(_)
            | Self::Ignored(_)
            | Self::Sent { .. }
            | Self::Acked
            | Self::Json(_)
            | Self::Bad(_)
            | Self::Stranger
            | Self::Forbidden(_)
            | Self::NotFound
            | Self::TooLarge(_)
            | Self::TooMuch { .. }
            | Self::NotNow(_) => ("application/json", self.json()),
        };
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if let Self::TooMuch { later: Some(later), .. } = self {
            headers.insert(RETRY_AFTER, HeaderValue::from(later.as_secs() + 1));
        }
        response
    }
}
