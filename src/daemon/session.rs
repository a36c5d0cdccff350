//! A session in tmux: looked at, started, stopped, watched, typed into.

mod ending;
mod link;
mod terminal;

use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;

use super::agents::{self, Opening};
use super::environment::Environment;
use super::shared::{KILL_CEILING, LeafSpawner, Shared, TOLD_CEILING};
use super::told::chain;
use super::watched::{Slot, Watched};
use crate::agents::Profile;
use crate::config::Unit;
use crate::decide::{Event, Exit, Look, NoStart, Process, Record, Ticket};
use crate::world::launch::LaunchFile;
use crate::world::pidfd;
use crate::world::records::Anchor;
use crate::world::tmux::{
    ControlError, PaneProgram, ReconnectError, Server, ServerSpec, Size, Tmux,
};

/// tmux says within this time how a program ended, and shows its last screen; else it hangs, and
/// the exit is told without.
const LAST_WORDS_CEILING: Duration = Duration::from_secs(3);

/// This part of the grace is for the hang-up, the rest for SIGTERM.
const HANG_UP_PART: u32 = 4;

/// The hands of one session.
pub(super) struct Session {
    shared: Rc<Shared>,
    unit: Unit,
    argv: Vec<String>,
    /// What its program is, if it is an agent that we know.
    profile: Option<&'static dyn Profile>,
    server: RefCell<Option<Rc<Server>>>,
    /// Held by whoever connects: two clients of ours that arrive at once could end the server.
    /// It is not held for long, for every step of connecting has its ceiling.
    connecting: tokio::sync::Mutex<()>,
    action: Slot,
    /// Whoever types or looks at the screen; a start or a stop ends that.
    pen: Slot,
    /// Held while text is typed into a program without channels.
    typing: tokio::sync::Mutex<()>,
    watched: Rc<Watched>,
    /// Held while a last screen is on its way: whoever ends the server waits for it.
    keeping: Arc<tokio::sync::Mutex<()>>,
    link: Slot,
}

impl Session {
    /// `argv` is the program with its first arguments; a profile adds its own.
    pub(super) fn new(
        shared: Rc<Shared>,
        unit: Unit,
        argv: Vec<String>,
        profile: Option<&'static dyn Profile>,
    ) -> Rc<Self> {
        Rc::new(Self {
            shared,
            unit,
            argv,
            profile,
            server: RefCell::default(),
            connecting: tokio::sync::Mutex::default(),
            action: Slot::default(),
            pen: Slot::default(),
            typing: tokio::sync::Mutex::default(),
            watched: Rc::default(),
            keeping: Arc::default(),
            link: Slot::default(),
        })
    }

    /// The living connection to the session's tmux server.
    pub(super) fn server(&self) -> Option<Rc<Server>> {
        self.server.borrow().clone().filter(|server| !server.is_disconnected())
    }

    pub(super) fn look(self: &Rc<Self>, ticket: Ticket) {
        let this = Rc::clone(self);
        self.action.run(async move {
            let look = this.look_now().await;
            let found = match &look {
                Look::Alive { process, .. } => Some(*process),
                Look::Absent { .. } | Look::Failed(_) => None,
            };
            if found.is_some() {
                this.know().await;
            }
            this.shared.post(Event::Looked { unit: this.unit.name.clone(), ticket, look });
            if let Some(process) = found {
                this.listen(process);
            }
        });
    }

    pub(super) fn start(self: &Rc<Self>, ticket: Ticket, record: Record, opening: Option<Opening>) {
        let this = Rc::clone(self);
        self.pen.stop();
        self.action.run(async move {
            let unit = this.unit.name.clone();
            match this.start_now(record, opening).await {
                Ok((process, handle)) => {
                    this.shared.post(Event::Started { unit, ticket, outcome: Ok(process) });
                    this.watch(process, handle);
                    this.listen(process);
                }
                Err(why) => {
                    this.shared.post(Event::Started { unit, ticket, outcome: Err(why) });
                }
            }
        });
    }

    pub(super) fn stop(self: &Rc<Self>, ticket: Ticket, grace: Duration) {
        let this = Rc::clone(self);
        self.pen.stop();
        self.action.run(async move {
            let outcome = this.stop_now(grace).await;
            this.shared.post(Event::Stopped { unit: this.unit.name.clone(), ticket, outcome });
        });
    }

    async fn look_now(self: &Rc<Self>) -> Look {
        let record = self.shared.record(&self.unit.name);
        let recorded = record.and_then(|record| record.process);
        let handle = match recorded.map(pidfd::open) {
            Some(Err(error)) => return Look::Failed(format!("pidfd: {error}")),
            Some(Ok(handle)) => handle.filter(|handle| !pidfd::gone(handle)),
            None => None,
        };
        let Some(tmux) = &self.shared.tmux else {
            // Nothing of it lives, and so it is held with the reason why none can be started.
            return match self.shared.group(&self.unit.name).members().is_empty() {
                true => Look::Absent { exit: None },
                false => Look::Failed("no tmux to look with".to_owned()),
            };
        };
        match (self.connect(tmux).await, recorded, handle) {
            (Ok(program), _, _) if self.is_living(program) => {
                let Some(process) = program.process else {
                    return Look::Absent { exit: None };
                };
                match pidfd::open(process) {
                    Ok(Some(handle)) => {
                        self.watch(process, handle);
                        Look::Alive { process, ready: true }
                    }
                    Ok(None) => Look::Absent { exit: None },
                    Err(error) => Look::Failed(format!("pidfd of {}: {error}", process.pid)),
                }
            }
            // The server waits for a respawn; its program has ended, and nobody has told yet how.
            (Ok(program), Some(process), _) if program.pid == process.pid => {
                let words = self.last_words(process.pid).await;
                self.keep(process.pid, &words);
                Look::Absent { exit: Some(words.exit).filter(|exit| *exit != Exit::Unknown) }
            }
            (Ok(_), Some(_), _) => Look::Absent { exit: None },
            (Ok(_), None, _) => Look::Absent { exit: None },
            // A program whose terminal is gone can be neither seen nor spoken to: it is ended, so
            // that nothing is left of what is called absent.
            (Err(ReconnectError::Gone { .. }), _, _) => {
                match self.shared.end_leftovers(&self.unit.name, &[]).await {
                    Ok(()) => Look::Absent { exit: None },
                    Err(why) => Look::Failed(why),
                }
            }
            // A server that does not answer over a dead program is of no use, and no loss.
            (Err(_), Some(_), None) => Look::Absent { exit: None },
            (Err(error), _, _) => Look::Failed(chain(&error)),
        }
    }

    fn is_living(&self, program: PaneProgram) -> bool {
        program.process.is_some_and(crate::world::procs::is_alive)
    }

    async fn start_now(
        self: &Rc<Self>,
        mut record: Record,
        opening: Option<Opening>,
    ) -> Result<(Process, OwnedFd), NoStart> {
        let name = &self.unit.name;
        self.shared.clear_limits(name);
        let tmux = self.shared.tmux.as_ref().ok_or_else(|| "tmux is missing".to_owned())?;
        let (launch, claim) = match self.profile.zip(opening) {
            None => (self.launch_file(&self.argv, None).await?, None),
            Some((profile, opening)) => {
                self.end_last_life(tmux).await?;
                let prepared =
                    agents::prepare(&self.shared, &self.unit, profile, &self.argv, opening).await?;
                prepared.notes.into_iter().for_each(|note| self.shared.limit(name, note));
                let launch = self.launch_file(&prepared.argv, Some(prepared.environment)).await?;
                (launch, Some(prepared.claim))
            }
        };
        let argv: Vec<OsString> =
            vec![self.shared.binary().into(), "exec-unit".into(), launch.into()];
        // No gate can be put before a program that tmux starts: the start is on record before it
        // happens, and who takes over from us finds the program in the pane.
        self.shared.write(name, &record, &self.shared.anchor(name));
        let program = match self.respawn(tmux, &argv).await? {
            Some(program) => program,
            None => {
                // Who watches over the old server must not take the new one for its leftovers.
                self.link.stop();
                self.server.borrow_mut().take();
                self.shared.end_leftovers(name, &[]).await?;
                self.start_server(tmux, argv).await?
            }
        };
        let process = match program.process {
            Some(process) => process,
            None => return Err(self.ended_at_once(program.pid).await.into()),
        };
        if let Some(claim) = claim {
            self.sign(claim, process);
        }
        record.process = Some(process);
        let server = self.server().map(|server| server.process());
        let pids: Vec<i32> = server.iter().chain([&process]).map(|it| it.pid).collect();
        let capped = self.shared.cap_memory(&self.unit, &pids).await;
        let leaf = self.shared.leaf(name).filter(|_| !capped);
        let anchor = Anchor {
            cgroup: leaf.map(|leaf| leaf.path().to_owned()),
            log_offset: None,
            tmux_server: server,
            pane: self.server().map(|server| server.pane().to_string()),
            ..Anchor::default()
        };
        self.shared.write(name, &record, &anchor);
        match pidfd::open(process) {
            Ok(Some(handle)) => Ok((process, handle)),
            Ok(None) => Err(self.ended_at_once(process.pid).await.into()),
            Err(error) => Err(format!("pidfd of {}: {error}", process.pid).into()),
        }
    }

    /// Ends what is left of the last life but for the tmux server: an agent that lives still has
    /// its conversation open.
    async fn end_last_life(self: &Rc<Self>, tmux: &Tmux) -> Result<(), String> {
        // Without a server there is nothing to spare.
        let _ = self.connect(tmux).await;
        let server = self.server().map(|server| server.process());
        self.shared.end_leftovers(&self.unit.name, server.as_slice()).await
    }

    /// Has the server there is begin a new life in its pane, once the last one is gone altogether.
    /// `None` if there is no server that does: one that is lost, or hangs, or without its pane.
    async fn respawn(
        self: &Rc<Self>,
        tmux: &Tmux,
        argv: &[OsString],
    ) -> Result<Option<PaneProgram>, String> {
        // A connection shows that it has ended only when it is used.
        for _ in 0..2 {
            if self.connect(tmux).await.is_err() {
                return Ok(None);
            }
            let Some(server) = self.server() else { continue };
            self.shared.end_leftovers(&self.unit.name, &[server.process()]).await?;
            match server.respawn(argv, self.unit.directory.as_deref()).await {
                Ok(program) => return Ok(Some(program)),
                Err(ControlError::Closed) => {}
                Err(error) => {
                    tracing::warn!(
                        unit = %self.unit.name, error = chain(&error),
                        "the tmux server is replaced",
                    );
                    return Ok(None);
                }
            }
        }
        Ok(None)
    }

    async fn start_server(
        self: &Rc<Self>,
        tmux: &Tmux,
        argv: Vec<OsString>,
    ) -> Result<PaneProgram, String> {
        let member = LeafSpawner { leaf: self.shared.leaf(&self.unit.name) };
        let helper = LeafSpawner { leaf: None };
        let spec = ServerSpec {
            socket: self.socket(),
            size: Size::default(),
            argv,
            environment: self.shared.marked(&self.unit.name),
        };
        let up =
            Server::start(tmux, &member, &helper, spec).await.map_err(|error| chain(&error))?;
        Ok(self.hold(up).program())
    }

    async fn launch_file<W: AsRef<OsStr>>(
        &self,
        argv: &[W],
        environment: Option<Environment>,
    ) -> Result<PathBuf, String> {
        let environment = match environment {
            Some(environment) => environment,
            None => self.shared.environment(&self.unit).await?,
        };
        let file = LaunchFile {
            argv: argv.iter().map(Into::into).collect(),
            environment: environment.into_iter().collect(),
            directory: self.unit.directory.clone(),
        };
        file.check().map_err(|error| chain(&error))?;
        let folder = self.shared.config.supervisor.runtime_dir.join("launch");
        file.write(&folder, &self.unit.name).map_err(|error| chain(&error))
    }

    async fn stop_now(self: &Rc<Self>, grace: Duration) -> Result<Option<Exit>, String> {
        if self.server().is_none()
            && let Some(tmux) = &self.shared.tmux
        {
            // Only to end it gently and to keep its screen; without it the group is ended anyway.
            let _ = self.connect(tmux).await;
        }
        let mut group = self.shared.group(&self.unit.name);
        let server = self.server();
        group.spare = server.iter().map(|server| server.process()).collect();
        // A shell at its prompt is deaf to SIGTERM; a terminal that hangs up ends it. An editor
        // that gets the one while it heeds the other asks a question that nobody answers.
        if !group.ask(Signal::HUP, grace / HANG_UP_PART).await {
            let rest = grace - grace / HANG_UP_PART;
            group.end(rest, KILL_CEILING).await.map_err(|error| error.to_string())?;
        }
        let _ = tokio::time::timeout(TOLD_CEILING, self.watched.told()).await;
        let _ = tokio::time::timeout(LAST_WORDS_CEILING, self.keeping.lock()).await;
        self.link.stop();
        self.server.borrow_mut().take();
        group.spare.clear();
        group.end_now(KILL_CEILING).await.map_err(|error| error.to_string())?;
        Ok(None)
    }

    /// What the pane shows; with `history` all that its program has shown, which for a dead one is
    /// in the log.
    pub(super) async fn screen(&self, history: bool) -> Option<Result<String, ControlError>> {
        let server = self.server()?;
        if history && !self.is_living(server.program()) {
            return Some(Ok(String::new()));
        }
        Some(server.capture(history, false).await)
    }

    fn socket(&self) -> PathBuf {
        let folder = self.shared.config.supervisor.runtime_dir.join("tmux");
        folder.join(format!("{}.sock", self.unit.name))
    }
}
