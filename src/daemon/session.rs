//! A session in tmux: looked at, started, stopped, watched, typed into.

use std::cell::RefCell;
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use rustix::process::Signal;

use super::shared::{KILL_CEILING, LeafSpawner, Shared, Slot, TOLD_CEILING, Watched, chain};
use crate::config::Unit;
use crate::decide::{Entry, Event, Exit, Look, Process, Record, Ticket};
use crate::world::clock;
use crate::world::launch::LaunchFile;
use crate::world::pidfd;
use crate::world::records::Anchor;
use crate::world::screens;
use crate::world::tmux::{
    Notifications, PaneProgram, ReconnectError, Server, ServerSpec, Size, Tmux, Up,
};

/// tmux says within this time how a program ended, and shows its last screen; else it hangs, and
/// the exit is told without.
const LAST_WORDS_CEILING: Duration = Duration::from_secs(3);

/// The hands of one session.
pub(super) struct Session {
    shared: Rc<Shared>,
    unit: Unit,
    argv: Vec<String>,
    server: RefCell<Option<Rc<Server>>>,
    action: Slot,
    watched: Rc<Watched>,
    link: Slot,
}

impl Session {
    pub(super) fn new(shared: Rc<Shared>, unit: Unit, argv: Vec<String>) -> Rc<Self> {
        Rc::new(Self {
            shared,
            unit,
            argv,
            server: RefCell::default(),
            action: Slot::default(),
            watched: Rc::default(),
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
            this.shared.post(Event::Looked { unit: this.unit.name.clone(), ticket, look });
        });
    }

    pub(super) fn start(self: &Rc<Self>, ticket: Ticket, record: Record) {
        let this = Rc::clone(self);
        self.action.run(async move {
            let unit = this.unit.name.clone();
            match this.start_now(record).await {
                Ok((process, handle)) => {
                    this.shared.post(Event::Started { unit, ticket, outcome: Ok(process) });
                    this.watch(process, handle);
                }
                Err(why) => {
                    this.shared.post(Event::Started { unit, ticket, outcome: Err(why) });
                }
            }
        });
    }

    pub(super) fn stop(self: &Rc<Self>, ticket: Ticket, grace: Duration) {
        let this = Rc::clone(self);
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
            // The server waits for a respawn; its program has ended.
            (Ok(program), Some(process), _) => {
                let exit = match self.server() {
                    Some(server) if program.pid == process.pid => {
                        server.exit_of(program.pid).await.ok().filter(|it| *it != Exit::Unknown)
                    }
                    Some(_) | None => None,
                };
                Look::Absent { exit }
            }
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

    /// The connection there is, or a new one to a server of old.
    async fn connect(self: &Rc<Self>, tmux: &Tmux) -> Result<PaneProgram, ReconnectError> {
        if let Some(server) = self.server() {
            return Ok(server.program());
        }
        let spawner = LeafSpawner { leaf: None };
        let up = Server::reconnect(tmux, &spawner, self.socket()).await?;
        Ok(self.hold(up).program())
    }

    async fn start_now(self: &Rc<Self>, mut record: Record) -> Result<(Process, OwnedFd), String> {
        let name = &self.unit.name;
        self.shared.clear_limits(name);
        let tmux = self.shared.tmux.as_ref().ok_or("tmux is missing")?;
        let launch = self.launch_file().await?;
        let argv: Vec<OsString> =
            vec![self.shared.binary().into(), "exec-unit".into(), launch.into()];
        let connected = self.connect(tmux).await;
        let program = match (connected, self.server()) {
            (Ok(_), Some(server)) => {
                let spare = [server.process()];
                self.shared.end_leftovers(name, &spare).await?;
                let respawned = server.respawn(&argv, self.unit.directory.as_deref()).await;
                respawned.map_err(|error| chain(&error))?
            }
            (Ok(_) | Err(_), _) => {
                self.shared.end_leftovers(name, &[]).await?;
                self.start_server(tmux, argv).await?
            }
        };
        let process = match program.process {
            Some(process) => process,
            None => return Err(self.ended_at_once(program).await),
        };
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
            systemd_unit: None,
        };
        self.shared.write(name, &record, &anchor);
        match pidfd::open(process) {
            Ok(Some(handle)) => Ok((process, handle)),
            Ok(None) => Err(self.ended_at_once(program).await),
            Err(error) => Err(format!("pidfd of {}: {error}", process.pid)),
        }
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

    async fn ended_at_once(&self, program: PaneProgram) -> String {
        let exit = match self.server() {
            Some(server) => server.exit_of(program.pid).await.unwrap_or(Exit::Unknown),
            None => Exit::Unknown,
        };
        format!("it {exit} at once; `supervisor logs {}` shows its screen", self.unit.name)
    }

    async fn launch_file(&self) -> Result<PathBuf, String> {
        let environment = self.shared.environment(&self.unit).await?;
        let file = LaunchFile {
            argv: self.argv.iter().map(Into::into).collect(),
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
        // A shell at its prompt is deaf to SIGTERM; a terminal that hangs up ends it.
        group.signal(Signal::HUP).await;
        group.end(grace, KILL_CEILING).await.map_err(|error| error.to_string())?;
        let _ = tokio::time::timeout(TOLD_CEILING, self.watched.told()).await;
        self.link.stop();
        self.server.borrow_mut().take();
        group.spare.clear();
        group.end_now(KILL_CEILING).await.map_err(|error| error.to_string())?;
        Ok(None)
    }

    fn watch(self: &Rc<Self>, process: Process, handle: OwnedFd) {
        let this = Rc::clone(self);
        self.watched.watch(process, handle, async move |handle| {
            let (exit, screen) = this.last_words(process, &handle).await;
            let unit = this.unit.name.clone();
            this.shared.post(Event::Exited { unit, process, exit });
            if let Some(screen) = screen {
                this.keep(process, exit, &screen);
            }
        });
    }

    /// How it ended, and everything it showed.
    async fn last_words(&self, process: Process, handle: &OwnedFd) -> (Exit, Option<String>) {
        let server = self.server();
        let asked = async {
            let server = server.as_ref()?;
            let exit = server.exit_of(process.pid).await.ok()?;
            Some((exit, server.take_screen().await.ok()))
        };
        let answer = tokio::time::timeout(LAST_WORDS_CEILING, asked).await.ok().flatten();
        let (exit, screen) = answer.unwrap_or((Exit::Unknown, None));
        if exit != Exit::Unknown {
            return (exit, screen);
        }
        (self.shared.reaper.borrow_mut().exit_of(process, Some(handle)), screen)
    }

    /// Puts the last screen into the session's log, for `logs`.
    fn keep(&self, process: Process, exit: Exit, screen: &str) {
        let at = clock::rfc3339(clock::now().wall);
        let head = format!("--- pid {} {exit} at {at}; its screen was:", process.pid);
        let log = self.shared.log_path(&self.unit.name);
        let limits = &self.shared.config.supervisor;
        if let Err(error) = screens::keep(&log, &head, screen, limits.log_max, limits.log_keep) {
            tracing::warn!(unit = %self.unit.name, error = chain(&error), "the last screen is lost");
        }
    }

    /// Keeps a connection, and sees to it when it ends.
    fn hold(self: &Rc<Self>, up: Up) -> Rc<Server> {
        let server = Rc::new(up.server);
        self.server.replace(Some(Rc::clone(&server)));
        let this = Rc::clone(self);
        let process = server.process();
        self.link.run(async move { this.link_ended(process, up.notifications).await });
        server
    }

    /// When the connection ends, the server is alive, and is connected to again; or it is dead,
    /// and then its program, which may ignore the hang-up, is ended too.
    async fn link_ended(self: Rc<Self>, server: Process, mut notifications: Notifications) {
        while notifications.recv().await.is_some() {}
        let alive = pidfd::open(server).is_ok_and(|it| it.is_some_and(|it| !pidfd::gone(&it)));
        let Some(tmux) = &self.shared.tmux else { return };
        if alive {
            tracing::info!(unit = %self.unit.name, "the tmux client ended; connecting again");
            // A failure shows at the next look or start, which connect for themselves.
            if let Err(error) = self.connect(tmux).await {
                tracing::warn!(unit = %self.unit.name, error = chain(&error), "not connected");
            }
            return;
        }
        let why = "its tmux server died: what is left of it is ended".to_owned();
        tracing::warn!(unit = %self.unit.name, "{why}");
        self.shared.journal(Entry { unit: Some(self.unit.name.clone()), event: "tmux-died", why });
        let ended = self.shared.end_leftovers(&self.unit.name, &[]).await;
        if let Err(why) = ended {
            tracing::error!(unit = %self.unit.name, "{why}");
        }
    }

    fn socket(&self) -> PathBuf {
        let folder = self.shared.config.supervisor.runtime_dir.join("tmux");
        folder.join(format!("{}.sock", self.unit.name))
    }
}
