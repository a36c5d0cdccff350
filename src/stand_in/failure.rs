//! The errors of the real service: status, headers and body of each, word for word where an agent
//! looks at the words.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::json;

use super::limits::{Usage, Window};

const INVALID: &str = "invalid_request_error";
const AUTHENTICATION: &str = "authentication_error";
const PERMISSION: &str = "permission_error";
const RATE_LIMIT: &str = "rate_limit_error";
const NOT_FOUND: &str = "not_found_error";

/// Name, status, type and message. `MODEL` in a message is the model that was asked for.
const NAMED: &[(&str, u16, &str, &str)] = &[
    (
        "err400_thinking",
        400,
        INVALID,
        "messages.1.content.0: `thinking` or `redacted_thinking` blocks in the latest assistant \
         message cannot be modified. These blocks must remain as they were in the original response.",
    ),
    (
        "err400_tooluse",
        400,
        INVALID,
        "messages.2: `tool_use` ids were found without `tool_result` blocks immediately after: \
         toolu_01. Each `tool_use` block must have a corresponding `tool_result` block in the next \
         message.",
    ),
    ("err400_toolong", 400, INVALID, "prompt is too long: 205342 tokens > 200000 maximum"),
    (
        "err400_credit",
        400,
        INVALID,
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to \
         upgrade or purchase credits.",
    ),
    (
        "err400_image",
        400,
        INVALID,
        "messages.0.content.1.image.source.base64.data: image exceeds 5 MB maximum: 5346321 bytes > \
         5242880 bytes",
    ),
    ("err401_key", 401, AUTHENTICATION, "invalid x-api-key"),
    (
        "err401_oauth",
        401,
        AUTHENTICATION,
        "OAuth token has expired. Please obtain a new token or refresh your existing token.",
    ),
    (
        "err403",
        403,
        PERMISSION,
        "Your account does not have permission to use the specified resource.",
    ),
    ("err403_revoked", 403, PERMISSION, "OAuth token has been revoked. Please obtain a new token."),
    ("err404_model", 404, NOT_FOUND, "model: MODEL"),
    ("err413", 413, "request_too_large", "Request exceeds the maximum size"),
    (
        "err429",
        429,
        RATE_LIMIT,
        "This request would exceed your organization's rate limit of 50 requests per minute.",
    ),
    ("err500", 500, "api_error", "Internal server error"),
    ("err529", 529, "overloaded_error", "Overloaded"),
];

/// What somebody in between says.
const BAD_GATEWAY: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
     <center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n\
     </html>\r\n";

/// One error.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Refusal {
    status: u16,
    kind: &'static str,
    message: Cow<'static, str>,
    with: With,
}

/// What comes with an error.
#[derive(Clone, Copy, Debug, PartialEq)]
enum With {
    Nothing,
    /// A header that says when to come back, in seconds.
    RetryAfter(u64),
    /// The headers of a subscription whose limit is reached, for so long.
    Limit(Window, Duration),
    /// A page instead of JSON.
    Page,
}

/// An answer that is an error.
#[derive(Debug, PartialEq)]
pub(super) struct Refused {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

impl Refusal {
    /// The error that is called so in a mark.
    pub(super) fn named(word: &str) -> Option<Self> {
        let with = |name: &str, with| Self::named(name).map(|refusal| Self { with, ..refusal });
        match word {
            "err429_ra" => with("err429", With::RetryAfter(2)),
            "err429_ra_long" => with("err429", With::RetryAfter(7200)),
            "err429_unified" => Some(Self::limit(Window::FiveHours, None)),
            "err429_unified7" => Some(Self::limit(Window::SevenDays, None)),
            "err502html" => Some(Self { with: With::Page, ..Self::new(502, "", "") }),
            _ => NAMED
                .iter()
                .find(|(name, ..)| *name == word)
                .map(|(_, status, kind, message)| Self::new(*status, kind, *message)),
        }
    }

    /// A subscription's limit, over in so long.
    pub(super) fn limit(window: Window, resets_in: Option<Duration>) -> Self {
        let with = With::Limit(window, resets_in.unwrap_or(window.usually_left()));
        let message =
            "This request would exceed your account's rate limit. Please try again later.";
        Self { with, ..Self::new(429, RATE_LIMIT, message) }
    }

    /// The request is none that the real service would take.
    pub(super) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, INVALID, message)
    }

    /// Nobody says who asks.
    pub(super) fn no_credentials() -> Self {
        Self::new(401, AUTHENTICATION, "x-api-key header is required")
    }

    /// Nothing is there.
    pub(super) fn no_such_path() -> Self {
        Self::new(404, NOT_FOUND, "Not found")
    }

    /// Something is there, for those who post.
    pub(super) fn no_such_method() -> Self {
        Self::new(405, INVALID, "Method Not Allowed")
    }

    /// More than anybody may send.
    pub(super) fn too_large() -> Self {
        Self::new(413, "request_too_large", "Request exceeds the maximum size")
    }

    fn new(status: u16, kind: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, kind, message: message.into(), with: With::Nothing }
    }

    /// The answer. `now` is in seconds since 1970.
    pub(super) fn refused(&self, now: u64, model: &str, request_id: &str) -> Refused {
        let status = self.status;
        let mut headers = vec![("content-type", "application/json".to_owned())];
        match self.with {
            With::Nothing => {}
            With::RetryAfter(seconds) => headers.push(("retry-after", seconds.to_string())),
            With::Limit(window, resets_in) => {
                headers.push(("retry-after", resets_in.as_secs().to_string()));
                headers.extend(Usage::reached(window, now + resets_in.as_secs()).headers(now));
            }
            With::Page => {
                let headers = vec![("content-type", "text/html".to_owned())];
                return Refused { status, headers, body: BAD_GATEWAY.to_owned() };
            }
        }
        let body = json!({
            "type": "error",
            "error": { "type": self.kind, "message": self.message.replace("MODEL", model) },
            "request_id": request_id,
        });
        Refused { status, headers, body: body.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::Value;

    use super::super::limits::Window;
    use super::Refusal;

    #[test]
    fn an_error_says_in_json_what_and_whose_it_is() {
        let refused = Refusal::named("err404_model").expect("known").refused(0, "m-1", "req_7");
        let body: Value = serde_json::from_str(&refused.body).expect("JSON");
        assert_eq!(refused.status, 404);
        assert_eq!(body["error"]["type"], "not_found_error");
        assert_eq!(body["error"]["message"], "model: m-1");
        assert_eq!(body["request_id"], "req_7");
    }

    #[test]
    fn a_limit_says_when_it_is_over() {
        let limit = Refusal::limit(Window::SevenDays, Some(Duration::from_secs(90)));
        let headers = limit.refused(1_000, "m", "r").headers;
        for (name, value) in [
            ("retry-after", "90"),
            ("anthropic-ratelimit-unified-status", "rejected"),
            ("anthropic-ratelimit-unified-reset", "1090"),
            ("anthropic-ratelimit-unified-representative-claim", "seven_day"),
            ("anthropic-ratelimit-unified-7d-status", "rejected"),
            ("anthropic-ratelimit-unified-5h-status", "allowed"),
        ] {
            assert!(headers.contains(&(name, value.to_owned())), "{name}: {headers:?}");
        }
    }

    #[test]
    fn a_gateway_in_between_speaks_html() {
        let refused = Refusal::named("err502html").expect("known").refused(0, "m", "r");
        assert_eq!((refused.status, &*refused.headers[0].1), (502, "text/html"));
    }
}
