//! One request through a socket of the gateway.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

use crate::cli::failure::Failure;
use crate::config::Endpoint;
use crate::world::local_http::{Ask, ask};

/// The gateway answers when it has stored; it gives up sooner than this.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// Posts `body` to `target`; the body of the answer, if that is a good one.
pub(in crate::cli) fn post(
    socket: &Path,
    target: &str,
    content_type: &str,
    body: &[u8],
) -> Result<String, Failure> {
    let headers = [("Content-Type", content_type)];
    let asked = Ask { method: "POST", target, headers: &headers, body, within: ANSWER_WITHIN };
    let answer = ask(&Endpoint::Unix(socket.to_owned()), &asked)
        .with_context(|| format!("cannot ask the gateway at {}", socket.display()))?;
    match answer.status {
        200 | 202 => Ok(answer.body),
        status => Err(Failure::failed(format!("the gateway answers {status}: {}", answer.body))),
    }
}
