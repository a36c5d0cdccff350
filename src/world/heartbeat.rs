//! The dead-man's switch: a call that says that all is well. Not here: whether all is well, and how
//! often it is said.

use std::time::Duration;

use thiserror::Error;
use tokio::time::timeout;

use super::http::{self, HttpError, Request};
use crate::config::UrlSource;

/// A request has a time of its own; beyond this the resolver or a mount hangs, and its thread with
/// it.
const CEILING: Duration = Duration::from_secs(30);

/// Why the call was not taken. The text names the host and no more.
#[derive(Debug, Error)]
pub enum NoBeat {
    /// Nobody answered.
    #[error("the heartbeat was not taken")]
    Http(#[from] HttpError),
    /// It was refused.
    #[error("the heartbeat was refused: {host} answered with status {status}")]
    Status {
        /// By whom.
        host: String,
        /// With what.
        status: u16,
    },
    /// Something hangs.
    #[error("the heartbeat has come to no end within {} s", CEILING.as_secs())]
    Hangs,
}

/// Calls `url` once. One whose thread hangs is left to it: the caller sees to it that there are few.
///
/// # Errors
/// [`NoBeat`].
pub async fn beat(url: UrlSource) -> Result<(), NoBeat> {
    let call = tokio::task::spawn_blocking(move || {
        let url = http::url(&url)?;
        let answer =
            http::send(Request { url: &url, token: None, headers: Vec::new(), body: None })?;
        if answer.is_good() {
            return Ok(());
        }
        Err(NoBeat::Status { host: url.host().to_owned(), status: answer.status })
    });
    match timeout(CEILING, call).await {
        Ok(Ok(told)) => told,
        Ok(Err(_)) | Err(_) => Err(NoBeat::Hangs),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;
    use crate::config::SecretUrl;

    /// A double that answers each call with the next of these.
    fn double(answers: &'static [&'static str]) -> UrlSource {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/s3cret", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let n = stream.read(&mut [0; 1024]).unwrap();
                assert!(n > 0);
                write!(stream, "HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n").unwrap();
            }
        });
        UrlSource::Written(SecretUrl::parse(&url).unwrap())
    }

    #[tokio::test]
    async fn a_beat_is_taken_or_it_is_said_why_not_and_never_to_which_path() {
        let url = double(&["200 OK", "404 Not Found"]);
        beat(url.clone()).await.unwrap();
        let refused = beat(url.clone()).await.unwrap_err().to_string();
        assert!(refused.ends_with("answered with status 404"), "{refused}");
        // By now nobody listens.
        let gone = format!("{:?}", beat(url).await.unwrap_err());
        assert!(gone.contains("127.0.0.1") && !gone.contains("s3cret"), "{gone}");
    }
}
