//! One request of HTTP to somebody outside, with an end. Not here: what is said, and when it is said
//! again.
//!
//! A URL and a token are secrets: an error shows the host, and nothing else of either.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Once, OnceLock};
use std::time::{Duration, SystemTime};

use thiserror::Error;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::clock;
use crate::config::{SecretUrl, UrlSource};

/// The whole request, from the name to the status: who needs longer does not answer.
const WITHIN: Duration = Duration::from_secs(15);
/// A server that asks for more patience than this is asked again all the same.
const PATIENCE: Duration = Duration::from_secs(6 * 60 * 60);
/// A secret's file is a line; more than this is another file.
const SECRET_MAX: usize = 16 * 1024;

/// What is sent.
#[derive(Debug)]
pub struct Request<'r> {
    /// Where to.
    pub url: &'r SecretUrl,
    /// Sent as `Authorization: Bearer …`.
    pub token: Option<String>,
    /// Further headers; their values are visible ASCII.
    pub headers: Vec<(&'static str, String)>,
    /// With one it is a POST, without it a GET.
    pub body: Option<Vec<u8>>,
}

/// What came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// For how long it asks to be left alone.
    pub retry_after: Option<Duration>,
}

impl Answer {
    /// Whether it took what was sent.
    pub fn is_good(self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Why nothing was answered.
#[derive(Debug, Error)]
pub enum HttpError {
    /// A name, a route, a connection, a certificate.
    #[error("{host}: {what}")]
    NoAnswer {
        /// Who did not answer.
        host: String,
        /// Why, in words that hold no secret.
        what: String,
    },
    /// The file with the secret cannot be used.
    #[error("cannot read the secret in {path}")]
    Secret {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What the file holds is no URL.
    #[error("{path} {what}")]
    Url {
        /// Which.
        path: PathBuf,
        /// What is wrong, and what would be right.
        what: &'static str,
    },
}

/// Sends it and waits for the status. It blocks for at most 15 s, unless the resolver hangs: for a
/// thread of its own.
///
/// # Errors
/// [`HttpError::NoAnswer`]. A status that refuses is none.
pub fn send(request: Request<'_>) -> Result<Answer, HttpError> {
    let host = request.url.host().to_owned();
    let failed =
        |error: ureq::Error| HttpError::NoAnswer { host: host.clone(), what: told(error, WITHIN) };
    let url = request.url.whole();
    let agent = agent(url, WITHIN);
    let token = request.token.map(|token| ("Authorization", format!("Bearer {token}")));
    let headers = request.headers.into_iter().chain(token);
    let answer = match request.body {
        Some(body) => headers
            .fold(agent.post(url), |call, (name, value)| call.header(name, value))
            .send(&body[..]),
        None => headers.fold(agent.get(url), |call, (name, value)| call.header(name, value)).call(),
    };
    let answer = answer.map_err(failed)?;
    let after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok());
    let retry_after = after.and_then(|text| patience(text, SystemTime::now()));
    Ok(Answer { status: answer.status().as_u16(), retry_after })
}

/// The URL that the configuration means. It may block as a file does.
///
/// # Errors
/// Its file cannot be read, or holds none.
pub fn url(source: &UrlSource) -> Result<SecretUrl, HttpError> {
    match source {
        UrlSource::Written(url) => Ok(url.clone()),
        UrlSource::File(path) => SecretUrl::parse(&secret(path)?)
            .map_err(|what| HttpError::Url { path: path.clone(), what }),
    }
}

/// The first line of a file that holds a secret.
///
/// # Errors
/// It cannot be read, or is nothing that a header may hold.
pub fn secret(path: &Path) -> Result<String, HttpError> {
    let fail = |source| HttpError::Secret { path: path.to_owned(), source };
    let odd = |what: &str| fail(io::Error::new(io::ErrorKind::InvalidData, what.to_owned()));
    let bytes = std::fs::read(path).map_err(fail)?;
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii();
    if line.is_empty() {
        return Err(odd("its first line is empty"));
    }
    if line.len() > SECRET_MAX || !line.iter().all(u8::is_ascii_graphic) {
        return Err(odd("its first line is no secret: it must be one word of plain characters"));
    }
    Ok(String::from_utf8_lossy(line).into_owned())
}

/// What asks whoever `url` names, each request within this time. A connection is not kept: what is
/// asked is rare, and one that was kept may be dead. Errors of it are told by [`told`].
pub fn agent(url: &str, within: Duration) -> Agent {
    let config = Agent::config_builder()
        .timeout_global(Some(within))
        .http_status_as_error(false)
        // A redirect would carry the secret elsewhere, or leads to a page to log in at.
        .max_redirects(0)
        .user_agent(concat!("agent-supervisor/", env!("CARGO_PKG_VERSION")))
        .max_idle_connections(0);
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    // What a proxy is for lies outside of this machine.
    let config = if is_here(rest) { config.proxy(None) } else { config };
    let config = if scheme == "https" { config.tls_config(tls()) } else { config };
    config.build().new_agent()
}

fn is_here(host: &str) -> bool {
    ["127.", "localhost", "[::1]"].iter().any(|here| host.starts_with(here))
}

/// The certificates that this machine trusts, those of the operator's own included.
fn tls() -> TlsConfig {
    static ROOTS: OnceLock<RootCerts> = OnceLock::new();
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // It fails only if there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    let roots = ROOTS.get_or_init(|| {
        let found = rustls_native_certs::load_native_certs();
        found.certs.iter().map(|cert| Certificate::from_der(cert).to_owned()).into()
    });
    TlsConfig::builder().root_certs(roots.clone()).build()
}

/// An error without what may hold a URL.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library adds to its errors, and a new one must not show a secret"
)]
pub fn told(error: ureq::Error, within: Duration) -> String {
    match error {
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::Timeout(_) => format!("no answer within {} s", within.as_secs()),
        ureq::Error::HostNotFound => "there is no such host".to_owned(),
        ureq::Error::ConnectionFailed => "it cannot be connected to".to_owned(),
        ureq::Error::Rustls(error) => format!("TLS: {error}"),
        ureq::Error::Tls(what) => format!("TLS: {what}"),
        ureq::Error::InvalidProxyUrl => "the proxy of the environment is no URL".to_owned(),
        ureq::Error::ConnectProxyFailed(_) => "the proxy refuses to connect to it".to_owned(),
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => "the request cannot be made".to_owned(),
        // The rest is of the protocol, or of what we do not use.
        _ => "what it answers is no HTTP".to_owned(),
    }
}

/// `Retry-After`: seconds, or a date.
pub(crate) fn patience(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    let asked = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => clock::parse_http_date(text)?.duration_since(now).unwrap_or_default(),
    };
    Some(asked.min(PATIENCE))
}

#[cfg(test)]
mod tests;
