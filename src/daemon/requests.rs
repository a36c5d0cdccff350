//! What the verbs of the control socket lead to.

use std::collections::BTreeMap;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::control::Call;
use super::reexec::{self, Reexec};
use super::session::Session;
use super::told::chain;
use super::turn::Daemon;
use super::waiters::{Sender, Waiter};
use crate::decide::{Entry, Event, Goal, MessageId, Outcome, PhaseRequest, Request, UnitName};
use crate::protocol::{Answer, Units, Verb};
use crate::world::{clock, random};

/// An operator is told "not yet" after this time; what was asked goes on.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);
/// An operator's message is of no use after this time, unless the operator says otherwise.
const TOLD_FOR: Duration = Duration::from_secs(60 * 60);
/// The longest text that is typed, in bytes: an input line is no place for a file.
const TEXT_MAX: usize = 32 * 1024;

impl Daemon {
    /// Answers a call now, or sees to it that it is answered.
    pub(super) fn call(&mut self, call: Call) {
        let Call { verb, peer, answer } = call;
        let by = peer.map_or("an unknown user".to_owned(), |uid| format!("uid {uid}"));
        match verb {
            Verb::Status { .. } => {
                let status = self.status(clock::now());
                reply(answer, Answer::Status(Box::new(status)));
            }
            Verb::Start(units) => {
                self.bring(&units, Goal::Up, "start", &by, answer, Request::Start)
            }
            Verb::Stop(units) => self.bring(&units, Goal::Down, "stop", &by, answer, Request::Stop),
            Verb::Restart { units, fresh } => {
                self.bring(&units, Goal::Up, "restart", &by, answer, |units| Request::Restart {
                    units,
                    fresh,
                });
            }
            Verb::Drain => {
                self.draining = true;
                let all = Units { units: Vec::new(), all: true };
                self.bring(&all, Goal::Down, "drain", &by, answer, |_| Request::Drain);
            }
            Verb::Reload { binary, config } => self.reload(binary, config, peer, answer),
            Verb::Pane { unit } => {
                if let Some((session, answer)) = self.session(&unit, answer) {
                    let found = session.server().map(|server| Answer::Pane {
                        socket: server.socket().to_string_lossy().into_owned(),
                        pane: server.pane().to_string(),
                    });
                    reply(answer, found.unwrap_or_else(|| not_up(&unit)));
                }
            }
            Verb::Tell { unit, text, expires_s, id } => {
                let expires_in = expires_s.map_or(TOLD_FOR, Duration::from_secs);
                let id = id.and_then(|id| MessageId::parse(&id));
                let id = id.unwrap_or_else(|| MessageId::new(random::short()));
                self.tell(&unit, (id, text), expires_in, &by, answer);
            }
            Verb::Phase { name } => {
                let asked = name.map_or(PhaseRequest::Next, PhaseRequest::Set);
                let began = self.watchdog.phase_meant(&asked).map(|name| {
                    self.note("operator", format!("phase {name}, by {by}"));
                    self.handle(Event::Asked(Request::Phase(name.clone())));
                    BTreeMap::from([("phase".to_owned(), name)])
                });
                let done = |notes| Answer::Done { notes };
                reply(answer, began.map_or_else(|why| Answer::Failed { why }, done));
            }
            Verb::Screen { unit, history } => {
                if let Some((session, answer)) = self.session(&unit, answer) {
                    tokio::task::spawn_local(async move {
                        reply(answer, screen(&session, &unit, history).await);
                    });
                }
            }
        }
    }

    /// Has units brought to a goal, and answers when they are there.
    fn bring(
        &mut self,
        units: &Units,
        goal: Goal,
        verb: &'static str,
        by: &str,
        answer: oneshot::Sender<Answer>,
        request: impl FnOnce(Vec<UnitName>) -> Request,
    ) {
        let names = match self.resolve(units, goal) {
            Ok(names) => names,
            Err(refusal) => return reply(answer, refusal),
        };
        let listed: Vec<_> = names.iter().map(UnitName::as_str).collect();
        self.note("operator", format!("{verb} {}, by {by}", listed.join(" ")));
        self.handle(Event::Asked(request(names.clone())));
        let deadline = clock::now().mono + ANSWER_WITHIN;
        self.waiters.push(Waiter::new(names, goal, deadline, answer));
    }

    fn resolve(&self, units: &Units, goal: Goal) -> Result<Vec<UnitName>, Answer> {
        let names = match units.all {
            true => self.watchdog.names().cloned().collect(),
            false => {
                units.units.iter().map(|unit| self.known(unit)).collect::<Result<Vec<_>, _>>()?
            }
        };
        if goal == Goal::Down {
            return Ok(names);
        }
        let (retired, there): (Vec<_>, Vec<_>) =
            names.into_iter().partition(|name| self.watchdog.is_retired(name));
        match retired.first() {
            Some(name) if !units.all => Err(Answer::Failed {
                why: format!("{name} is in the config no longer: it can only be stopped"),
            }),
            Some(_) | None => Ok(there),
        }
    }

    fn known(&self, unit: &str) -> Result<UnitName, Answer> {
        self.watchdog.names().find(|name| name.as_str() == unit).cloned().ok_or_else(|| {
            Answer::NoSuchUnit {
                unit: unit.to_owned(),
                known: self.watchdog.names().map(ToString::to_string).collect(),
            }
        })
    }

    /// The session of that name, or else the caller is told why there is none.
    fn session(
        &self,
        unit: &str,
        answer: oneshot::Sender<Answer>,
    ) -> Option<(Rc<Session>, oneshot::Sender<Answer>)> {
        let name = match self.known(unit) {
            Ok(name) => name,
            Err(refusal) => {
                reply(answer, refusal);
                return None;
            }
        };
        match self.hands.session(&name) {
            Some(session) => Some((session, answer)),
            None => {
                let why = format!("{unit} is no session in tmux: it has no screen");
                reply(answer, Answer::Failed { why });
                None
            }
        }
    }

    /// Puts a message into a session's queue, and answers when it has arrived.
    fn tell(
        &mut self,
        unit: &str,
        (id, text): (MessageId, String),
        expires_in: Duration,
        by: &str,
        answer: oneshot::Sender<Answer>,
    ) {
        let Some((_, answer)) = self.session(unit, answer) else { return };
        let Ok(unit) = UnitName::new(unit) else { return };
        if text.len() > TEXT_MAX {
            let why = format!(
                "{unit}: the text has {} bytes, and {TEXT_MAX} is the most: put it into a file and name that",
                text.len()
            );
            return reply(answer, Answer::Failed { why });
        }
        if let Some(Outcome::Reached) = self.watchdog.outcome(&unit, Goal::Down) {
            let why = format!("{unit} is down: `supervisor start {unit}` first");
            return reply(answer, Answer::Failed { why });
        }
        if self.watchdog.delivery(&unit, id).is_none() {
            self.note("operator", format!("tell {unit}, by {by}"));
            let expires_in = Some(expires_in);
            let request = Request::Tell { unit: unit.clone(), id, text, expires_in };
            self.handle(Event::Asked(request));
        }
        let deadline = clock::now().mono + ANSWER_WITHIN;
        self.senders.push(Sender::new(unit, id, deadline, answer));
    }

    fn reload(
        &mut self,
        binary: Option<String>,
        config: Option<String>,
        peer: Option<u32>,
        answer: oneshot::Sender<Answer>,
    ) {
        let ours = nix::unistd::geteuid().as_raw();
        if peer != Some(0) && peer != Some(ours) {
            let why = format!(
                "only root or uid {ours} may reload the supervisor: it becomes the caller's binary"
            );
            return reply(answer, Answer::Failed { why });
        }
        let mut reexec = self.reexec_as_started();
        if let Some(binary) = binary {
            reexec.binary = PathBuf::from(binary);
        }
        if let Some(config) = config {
            reexec.config = Some(PathBuf::from(config));
        }
        self.note("operator", format!("reload with {}", reexec.binary.display()));
        self.reexec(reexec, answer);
    }

    /// Reloads by a signal, which nobody waits for.
    pub(super) fn reload_as_started(&mut self) {
        let reexec = self.reexec_as_started();
        self.note("operator", format!("reload with {}, by SIGHUP", reexec.binary.display()));
        let (answer, _) = oneshot::channel();
        self.reexec(reexec, answer);
    }

    /// Becomes the other binary, unless that binary refuses its config: then the daemon goes on as
    /// it is, and says why.
    fn reexec(&self, reexec: Reexec, answer: oneshot::Sender<Answer>) {
        let ask = self.ask_reexec.clone();
        tokio::task::spawn_local(async move {
            match reexec::check(&reexec).await {
                Ok(()) => {
                    reply(answer, Answer::Done { notes: BTreeMap::new() });
                    // The answer is on its way before we are gone.
                    tokio::task::yield_now().await;
                    let _ = ask.send(reexec).await;
                }
                Err(why) => {
                    tracing::error!("{why}");
                    reply(answer, Answer::Failed { why });
                }
            }
        });
    }

    /// What a re-exec with the binary and config of our own start needs.
    fn reexec_as_started(&self) -> Reexec {
        self.shared.write_journal();
        Reexec {
            binary: self.shared.binary(),
            config: self.shared.config.file.clone(),
            lock: self.lock.as_fd().try_clone_to_owned().ok(),
            listener: self.listener.as_fd().try_clone_to_owned().ok(),
        }
    }

    fn note(&self, event: &'static str, why: String) {
        self.shared.journal(Entry { unit: None, event, why });
    }
}

async fn screen(session: &Session, unit: &str, history: bool) -> Answer {
    match session.screen(history).await {
        None => not_up(unit),
        Some(Ok(text)) => Answer::Screen { text },
        Some(Err(error)) => Answer::Failed { why: format!("{unit}: {}", chain(&error)) },
    }
}

fn not_up(unit: &str) -> Answer {
    Answer::Failed { why: format!("{unit} has no terminal now: see `supervisor status {unit}`") }
}

fn reply(answer: oneshot::Sender<Answer>, what: Answer) {
    // A caller that has hung up wants no answer.
    let _ = answer.send(what);
}
