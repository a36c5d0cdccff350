//! The double on its port: requests are read, answered as the rest of this room says, and written
//! down. It answers for as long as its future is polled.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Response};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tracing::debug;

use super::answer::{Answer, Caller, answer, count, refuse};
use super::body::Steps;
use super::failure::Refusal;
use super::log::{Entry, Log};
use super::mode::Mode;
use super::request::Request;
use super::responses;

/// What the real service takes at most.
const LARGEST: usize = 32 * 1024 * 1024;

/// How the double is to be.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; port 0 = any that is free.
    pub listen: SocketAddr,
    /// The first line of this file is the mode of requests without a mark; no file, no mode.
    pub control: Option<PathBuf>,
    /// Where requests are written down.
    pub log: Option<PathBuf>,
}

/// Why the double cannot be had.
#[derive(Debug, Error)]
pub enum StandInError {
    /// The port cannot be had.
    #[error("cannot listen on {at}")]
    Listen {
        /// The address.
        at: SocketAddr,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The log cannot be had.
    #[error("cannot open {}", path.display())]
    Log {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// The double, listening.
#[derive(Debug)]
pub struct StandIn {
    listener: TcpListener,
    state: Rc<State>,
}

#[derive(Debug)]
struct State {
    control: Option<PathBuf>,
    log: Log,
    /// Makes the names of messages and calls differ from those of an earlier double.
    started: u64,
    requests: Cell<u64>,
}

impl StandIn {
    /// Begins to listen.
    ///
    /// # Errors
    /// The port or the log cannot be had.
    pub async fn listen(options: Options) -> Result<Self, StandInError> {
        let Options { listen: at, control, log } = options;
        let listener = TcpListener::bind(at).await;
        let listener = listener.map_err(|source| StandInError::Listen { at, source })?;
        let log = Log::open(log.as_deref()).map_err(|source| {
            let path = log.unwrap_or_default();
            StandInError::Log { path, source }
        })?;
        let state = State { control, log, started: now(), requests: Cell::new(0) };
        Ok(Self { listener, state: Rc::new(state) })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The kernel does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers, for ever. Needs a `LocalSet`.
    ///
    /// # Errors
    /// No connection can be accepted any more.
    pub async fn serve(self) -> io::Result<()> {
        loop {
            let (stream, _) = self.listener.accept().await?;
            tokio::task::spawn_local(converse(stream, Rc::clone(&self.state)));
        }
    }
}

/// A caller who says nothing is left alone: it is one of our own agents, and it ends before we do.
async fn converse(stream: TcpStream, state: Rc<State>) {
    let service = service_fn(|request| {
        let state = Rc::clone(&state);
        async move {
            let answer = match read(request).await {
                Ok((parts, body)) => state.answer(&parts, body),
                Err(asked) => return Err(asked),
            };
            match answer {
                Some(answer) => respond(answer),
                // Until the caller has had enough: then this future is dropped.
                None => std::future::pending().await,
            }
        }
    });
    if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await
    {
        debug!(%error, "a connection has ended");
    }
}

type Asked = hyper::Request<Incoming>;
type Gone = Box<dyn std::error::Error + Send + Sync>;

/// A request with its body; without one if that is too large.
async fn read(request: Asked) -> Result<(Parts, Option<Vec<u8>>), Gone> {
    let (parts, body) = request.into_parts();
    match Limited::new(body, LARGEST).collect().await {
        Ok(body) => Ok((parts, Some(body.to_bytes().to_vec()))),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Ok((parts, None)),
        Err(error) => Err(error),
    }
}

fn respond(answer: Answer) -> Result<Response<Steps>, Gone> {
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    Ok(response.body(Steps::new(answer.steps))?)
}

impl State {
    fn answer(&self, parts: &Parts, body: Option<Vec<u8>>) -> Option<Answer> {
        let number = self.requests.get() + 1;
        self.requests.set(number);
        let caller = Caller {
            now: now(),
            subscribes: parts.headers.contains_key("authorization"),
            id: format!("req_{:08x}{number:06x}", self.started),
            bytes: body.as_ref().map_or(0, Vec::len),
        };
        let path = parts.uri.path();
        if path == RESPONSES {
            return self.answer_responses(parts, body.as_deref(), &caller);
        }
        let asked = understood(parts, body.as_deref());
        let wanted = match &asked {
            Ok(request) => request.wanted(self.standing()),
            Err(_) => "refused".to_owned(),
        };
        self.write_down(parts, asked.as_ref().ok(), &wanted);
        match asked {
            Ok(_) if path == COUNT => Some(count(&caller)),
            Ok(request) => match Mode::parse(&wanted) {
                Ok(mode) => answer(&request, &mode, &caller),
                Err(error) => {
                    Some(refuse(&Refusal::invalid(error.to_string()), &request.model, &caller))
                }
            },
            Err(refusal) => Some(refuse(&refusal, "", &caller)),
        }
    }

    fn answer_responses(
        &self,
        parts: &Parts,
        body: Option<&[u8]>,
        caller: &Caller,
    ) -> Option<Answer> {
        let has_key = parts.headers.contains_key("authorization");
        let asked = match body {
            _ if parts.method != Method::POST => Err(responses::Refusal::no_such_method()),
            _ if !has_key => Err(responses::Refusal::no_credentials()),
            None => Err(responses::Refusal::invalid("the request is too large")),
            Some(body) => responses::Request::read(body),
        };
        let request = asked.as_ref().ok();
        let wanted = request.map(|request| request.wanted(self.standing()));
        let prompt = request.map(responses::Request::prompt).unwrap_or_default();
        self.add(&Entry {
            at: Timestamp::now().to_string(),
            path: parts.uri.path(),
            mode: wanted.as_deref().unwrap_or("refused"),
            conversation: header(parts, "session-id"),
            model: request.map(|request| request.model.as_str()),
            messages: request.map_or(0, responses::Request::length),
            prompt: &prompt,
            newest: &prompt,
            tools: request.is_some_and(responses::Request::offers_tools),
            goes_on: request.is_some_and(|request| request.tool_result().is_some()),
        });
        match &asked {
            Ok(request) => responses::answer(request, &wanted.unwrap_or_default(), caller),
            Err(refusal) => Some(responses::refuse(refusal, caller)),
        }
    }

    fn write_down(&self, parts: &Parts, request: Option<&Request>, mode: &str) {
        self.add(&Entry {
            at: Timestamp::now().to_string(),
            path: parts.uri.path(),
            mode,
            conversation: header(parts, "x-claude-code-session-id"),
            model: request.map(|request| request.model.as_str()),
            messages: request.map_or(0, |request| request.messages.len()),
            prompt: &request.map(Request::prompt).unwrap_or_default(),
            newest: &request.map(Request::newest).unwrap_or_default(),
            tools: request.is_some_and(Request::offers_tools),
            goes_on: request.is_some_and(|request| request.tool_result().is_some()),
        });
    }

    fn add(&self, entry: &Entry<'_>) {
        if let Err(error) = self.log.add(entry) {
            debug!(%error, "a request could not be written down");
        }
    }

    /// The mode for who brings none.
    fn standing(&self) -> Option<String> {
        let text = std::fs::read_to_string(self.control.as_ref()?).ok()?;
        let line = text.lines().next().unwrap_or_default().trim();
        (!line.is_empty()).then(|| line.to_owned())
    }
}

const MESSAGES: &str = "/v1/messages";
const COUNT: &str = "/v1/messages/count_tokens";
const RESPONSES: &str = "/v1/responses";

fn header<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    parts.headers.get(name).and_then(|value| value.to_str().ok())
}

/// The request, or what the real service would say to it.
fn understood(parts: &Parts, body: Option<&[u8]>) -> Result<Request, Refusal> {
    let path = parts.uri.path();
    if ![MESSAGES, COUNT].contains(&path) {
        return Err(Refusal::no_such_path());
    }
    if parts.method != Method::POST {
        return Err(Refusal::no_such_method());
    }
    let has = |name| parts.headers.contains_key(name);
    if !has("x-api-key") && !has("authorization") {
        return Err(Refusal::no_credentials());
    }
    if !has("anthropic-version") {
        return Err(Refusal::invalid("anthropic-version: header is required"));
    }
    let body = body.ok_or_else(Refusal::too_large)?;
    Request::read(body, path == COUNT)
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
