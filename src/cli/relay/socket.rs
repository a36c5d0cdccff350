//! One request through a socket of the gateway.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

use crate::cli::failure::Failure;

/// The gateway answers when it has stored; it gives up sooner than this.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// The longest answer, in bytes.
const ANSWER_MAX: u64 = 64 * 1024;

/// Posts `body` to `target`; the body of the answer, if that is a good one.
pub(in crate::cli) fn post(
    socket: &Path,
    target: &str,
    content_type: &str,
    body: &[u8],
) -> Result<String, Failure> {
    let said = exchange(socket, target, content_type, body)
        .with_context(|| format!("cannot ask the gateway at {}", socket.display()))?;
    let (head, body) = said.split_once("\r\n\r\n").unwrap_or((&said, ""));
    let status = head.split_ascii_whitespace().nth(1).unwrap_or("nothing");
    match status {
        "200" | "202" => Ok(body.trim().to_owned()),
        status => Err(Failure::failed(format!("the gateway answers {status}: {}", body.trim()))),
    }
}

fn exchange(
    socket: &Path,
    target: &str,
    content_type: &str,
    body: &[u8],
) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    stream.set_write_timeout(Some(ANSWER_WITHIN))?;
    let length = body.len();
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: gateway\r\nContent-Type: {content_type}\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    // Whoever refuses it unread answers all the same.
    let sent = stream.write_all(body);
    let mut said = Vec::new();
    stream.take(ANSWER_MAX).read_to_end(&mut said)?;
    match sent {
        Err(error) if said.is_empty() => Err(error),
        Ok(()) | Err(_) => Ok(String::from_utf8_lossy(&said).into_owned()),
    }
}
