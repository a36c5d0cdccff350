//! The caller's end of the control socket: one request, one answer, each a line of JSON. Blocking,
//! and never for longer than it is told.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::failure::Failure;
use super::render::clean;
use crate::protocol::{Answer, Reply, Request, Status, VERSION, Verb};

/// For what the daemon answers out of its head.
pub(super) const AT_ONCE: Duration = Duration::from_secs(5);

/// For what the daemon answers when it is so: it has limits of its own, and this is beyond them.
const WHEN_SO: Duration = Duration::from_secs(600);

/// A person who has waited for so long is told for what.
const HINT_AFTER: Duration = Duration::from_secs(2);

/// What a read says that ended before anything came: by its time-out, or by a signal.
const NOTHING_YET: [ErrorKind; 3] =
    [ErrorKind::WouldBlock, ErrorKind::TimedOut, ErrorKind::Interrupted];

/// No honest answer is longer than this, in bytes.
const ANSWER_MAX: usize = 64 << 20;

/// Where the daemon of a configuration listens.
#[derive(Clone, Debug)]
pub(super) struct Client {
    /// The configuration, to name it.
    pub(super) config: PathBuf,
    /// Its control socket.
    pub(super) socket: PathBuf,
}

impl Client {
    /// Asks and waits for the answer, for at most `limit`; `what` tells a person for what.
    ///
    /// # Errors
    /// No daemon, no answer in time, or one that is no success: [`Answer::NoSuchUnit`] and
    /// [`Answer::Failed`] come as failures.
    fn ask(&self, verb: Verb, limit: Duration, what: &str) -> Result<Answer, Failure> {
        let mut line = self.send(verb, limit)?;
        let mut hint = Hint::new(what);
        let answer = line.next(limit, &mut || hint.show())?;
        drop(hint);
        success(answer)
    }

    /// The snapshot as it stands.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub(super) fn status(&self, limit: Duration) -> Result<Status, Failure> {
        snapshot(self.ask(Verb::Status { watch: false }, limit, "the supervisor")?)
    }

    /// Asks for something to be so; what became of each unit, once it is.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub(super) fn wish(&self, verb: Verb, what: &str) -> Result<BTreeMap<String, String>, Failure> {
        let answer = self.ask(verb, WHEN_SO, what)?;
        if let Answer::Done { notes } = answer { Ok(notes) } else { Err(out_of_place(&answer)) }
    }

    /// The pane of a session: the socket of its tmux server, and its id there.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub(super) fn pane(&self, unit: &str) -> Result<(String, String), Failure> {
        let verb = Verb::Pane { unit: unit.to_owned() };
        let answer = self.ask(verb, AT_ONCE, "the supervisor")?;
        if let Answer::Pane { socket, pane } = answer {
            Ok((socket, pane))
        } else {
            Err(out_of_place(&answer))
        }
    }

    /// What a session shows, and with `history` what has scrolled away.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub(super) fn screen(&self, unit: &str, history: bool) -> Result<String, Failure> {
        let verb = Verb::Screen { unit: unit.to_owned(), history };
        let answer = self.ask(verb, AT_ONCE, "the supervisor")?;
        if let Answer::Screen { text } = answer { Ok(text) } else { Err(out_of_place(&answer)) }
    }

    /// Sends a request; the answers are then taken from what comes back.
    ///
    /// # Errors
    /// No daemon, one that may not be spoken to, or one that does not listen within `limit`.
    pub(super) fn send(&self, verb: Verb, limit: Duration) -> Result<Answers, Failure> {
        let mut stream =
            connect(&self.socket, limit).map_err(|error| self.refused(error, limit))?;
        let mut line = serde_json::to_vec(&Request { v: VERSION, verb })
            .context("cannot write the request as JSON")?;
        line.push(b'\n');
        // A daemon that hangs up while we still write may have answered why.
        if let Err(error) = stream.write_all(&line)
            && error.kind() != ErrorKind::BrokenPipe
        {
            return Err(self.io(error, limit));
        }
        Ok(Answers { client: self.clone(), stream, read: Vec::new() })
    }

    /// The user that the daemon runs as, for somebody who is neither that user nor root.
    pub(super) fn of_another_user(&self) -> Option<String> {
        let us = nix::unistd::geteuid();
        let owner = std::fs::metadata(&self.socket).ok()?.uid();
        (!us.is_root() && us.as_raw() != owner).then(|| user(owner))
    }

    fn refused(&self, error: io::Error, limit: Duration) -> Failure {
        let kind = error.kind();
        if [ErrorKind::NotFound, ErrorKind::ConnectionRefused, ErrorKind::NotADirectory]
            .contains(&kind)
        {
            return Failure::NoDaemon { config: self.config.clone(), socket: self.socket.clone() };
        }
        if kind == ErrorKind::PermissionDenied {
            return Failure::failed(format!(
                "may not speak to the supervisor at {}: {}",
                self.socket.display(),
                who_may(&self.socket)
            ));
        }
        self.io(error, limit)
    }

    fn io(&self, error: io::Error, limit: Duration) -> Failure {
        let socket = self.socket.display();
        if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) {
            return Failure::failed(format!(
                "the supervisor at {socket} did not answer within {} s: look at `supervisor logs` \
                 for what it is doing",
                limit.as_secs_f64()
            ));
        }
        let context = format!("cannot speak to the supervisor at {socket}");
        Failure::Failed(anyhow::Error::new(error).context(context))
    }
}

/// What comes back on one connection.
#[derive(Debug)]
pub(super) struct Answers {
    client: Client,
    stream: UnixStream,
    read: Vec<u8>,
}

/// What a wait for the next answer of a stream came to.
#[derive(Debug)]
pub(super) enum Next {
    /// An answer.
    Answer(Answer),
    /// Nothing yet.
    Nothing,
    /// The daemon hung up.
    Over,
}

impl Answers {
    /// The next answer, waited for at most `limit`; `hint` is called once the wait is long.
    fn next(&mut self, limit: Duration, hint: &mut dyn FnMut()) -> Result<Answer, Failure> {
        let deadline = Instant::now() + limit;
        let mut wait = limit.min(HINT_AFTER);
        loop {
            match self.wait(wait)? {
                Next::Answer(answer) => return Ok(answer),
                Next::Over => {
                    return Err(Failure::HungUp { socket: self.client.socket.clone() });
                }
                Next::Nothing => {
                    wait = deadline.saturating_duration_since(Instant::now());
                    if wait.is_zero() {
                        return Err(self.client.io(ErrorKind::TimedOut.into(), limit));
                    }
                    hint();
                }
            }
        }
    }

    /// The next answer, if one comes within `limit`; a signal ends the wait early.
    ///
    /// # Errors
    /// The connection broke, or what came is no answer.
    pub(super) fn wait(&mut self, limit: Duration) -> Result<Next, Failure> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                return self.parse(&line).map(Next::Answer);
            }
            if self.read.len() > ANSWER_MAX {
                return Err(self.nonsense("it does not end"));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Next::Nothing);
            }
            let mut part = [0; 16 << 10];
            let read =
                self.stream.set_read_timeout(Some(left)).and_then(|()| self.stream.read(&mut part));
            match read {
                Ok(0) if self.read.is_empty() => return Ok(Next::Over),
                Ok(0) => return Err(self.nonsense("it breaks off")),
                Ok(n) => self.read.extend(part.iter().take(n)),
                Err(error) if NOTHING_YET.contains(&error.kind()) => return Ok(Next::Nothing),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(Next::Over),
                Err(error) => return Err(self.client.io(error, limit)),
            }
        }
    }

    fn parse(&self, line: &[u8]) -> Result<Answer, Failure> {
        let error = match serde_json::from_slice::<Reply>(line) {
            Ok(reply) => return Ok(reply.answer),
            Err(error) => error,
        };
        let version = serde_json::from_slice::<serde_json::Value>(line)
            .ok()
            .and_then(|value| value.get("v").and_then(serde_json::Value::as_u64));
        match version {
            Some(v) if v > u64::from(VERSION) => Err(Failure::failed(format!(
                "the supervisor at {} speaks version {v} of the protocol, this `supervisor` only \
                 {VERSION}: use the binary that the daemon runs, or `supervisor reload` to make it \
                 run this one",
                self.client.socket.display()
            ))),
            Some(_) | None => Err(self.nonsense(&error.to_string())),
        }
    }

    fn nonsense(&self, why: &str) -> Failure {
        Failure::failed(format!(
            "the answer of the supervisor at {} makes no sense ({}): is it of another version? \
             `supervisor reload` makes it run this binary",
            self.client.socket.display(),
            clean(why)
        ))
    }
}

/// An answer that is no success is a failure.
fn success(answer: Answer) -> Result<Answer, Failure> {
    match answer {
        Answer::NoSuchUnit { unit, known } => Err(Failure::NoSuchUnit { unit, known }),
        Answer::Failed { why } => Err(Failure::failed(clean(&why))),
        answer @ (Answer::Done { .. }
        | Answer::Status(_)
        | Answer::Pane { .. }
        | Answer::Screen { .. }) => Ok(answer),
    }
}

/// The snapshot in an answer.
///
/// # Errors
/// The answer is something else.
pub(super) fn snapshot(answer: Answer) -> Result<Status, Failure> {
    let answer = success(answer)?;
    if let Answer::Status(status) = answer { Ok(*status) } else { Err(out_of_place(&answer)) }
}

/// An answer to another question than the one that was asked.
fn out_of_place(answer: &Answer) -> Failure {
    let kind = match answer {
        Answer::Done { .. } => "done",
        Answer::Status(_) => "a status",
        Answer::Pane { .. } => "a pane",
        Answer::Screen { .. } => "a screen",
        Answer::NoSuchUnit { .. } => "no such unit",
        Answer::Failed { .. } => "a failure",
    };
    Failure::failed(format!(
        "the supervisor answered another question ({kind}): is it of another version? \
         `supervisor reload` makes it run this binary"
    ))
}

/// A connected socket. The kernel makes a caller wait where the daemon does not accept; the time-out
/// for sending bounds that wait too.
fn connect(socket: &Path, limit: Duration) -> io::Result<UnixStream> {
    let address = SocketAddrUnix::new(socket)?;
    let fd = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    set_socket_timeout(&fd, Timeout::Send, Some(limit))?;
    rustix::net::connect(&fd, &address)?;
    Ok(UnixStream::from(fd))
}

/// Who owns the socket, for somebody who may not use it.
fn who_may(socket: &Path) -> String {
    match std::fs::metadata(socket) {
        Ok(found) => format!(
            "it belongs to user {} and group {}: be one of them",
            user(found.uid()),
            group(found.gid())
        ),
        Err(_) => {
            let folder = socket.parent().unwrap_or(socket);
            match std::fs::metadata(folder) {
                Ok(found) => format!(
                    "{} belongs to user {} and group {}: be one of them",
                    folder.display(),
                    user(found.uid()),
                    group(found.gid())
                ),
                Err(_) => "become the user it runs as".to_owned(),
            }
        }
    }
}

fn user(uid: u32) -> String {
    nix::unistd::User::from_uid(uid.into())
        .ok()
        .flatten()
        .map_or_else(|| uid.to_string(), |user| user.name)
}

fn group(gid: u32) -> String {
    nix::unistd::Group::from_gid(gid.into())
        .ok()
        .flatten()
        .map_or_else(|| gid.to_string(), |group| group.name)
}

/// One line on a terminal that says what is being waited for, gone when it is over.
struct Hint<'a> {
    what: &'a str,
    shown: bool,
}

impl<'a> Hint<'a> {
    fn new(what: &'a str) -> Self {
        Self { what, shown: false }
    }

    fn show(&mut self) {
        let mut err = io::stderr();
        if !self.shown && err.is_terminal() {
            // A terminal that takes no hint must not fail the verb.
            self.shown = write!(err, "waiting for {} …", self.what).is_ok();
        }
    }
}

impl Drop for Hint<'_> {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests;
