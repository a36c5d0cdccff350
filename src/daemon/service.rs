//! A service that we fork: looked at, started, stopped, watched.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use super::shared::{KILL_CEILING, Shared, TOLD_CEILING, fork};
use super::told::chain;
use super::watched::{Slot, Watched};
use crate::config::{Ready, Unit};
use crate::decide::{Event, Exit, Look, NoStart, Process, Record, Ticket};
use crate::world::logs;
use crate::world::pidfd;
use crate::world::ready::ReadyWatch;
use crate::world::records::Anchor;
use crate::world::spawn::{Launch, Stream};

/// The hands of one service.
pub(super) struct Service {
    shared: Rc<Shared>,
    unit: Unit,
    argv: Vec<String>,
    action: Slot,
    watched: Rc<Watched>,
    readiness: Slot,
}

impl Service {
    pub(super) fn new(shared: Rc<Shared>, unit: Unit, argv: Vec<String>) -> Rc<Self> {
        Rc::new(Self {
            shared,
            unit,
            argv,
            action: Slot::default(),
            watched: Rc::default(),
            readiness: Slot::default(),
        })
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
                Ok((process, handle, log_offset)) => {
                    this.shared.post(Event::Started { unit, ticket, outcome: Ok(process) });
                    this.watch(process, handle);
                    this.watch_readiness(process, log_offset);
                }
                Err(why) => {
                    let outcome = Err(NoStart::Failed(why));
                    this.shared.post(Event::Started { unit, ticket, outcome });
                }
            }
        });
    }

    pub(super) fn stop(self: &Rc<Self>, ticket: Ticket, grace: Duration) {
        let this = Rc::clone(self);
        self.action.run(async move {
            this.readiness.stop();
            let ended = this.shared.group(&this.unit.name).end(grace, KILL_CEILING).await;
            let outcome = match ended {
                Ok(()) => {
                    // The exit itself comes by its own event, before this answer.
                    let _ = tokio::time::timeout(TOLD_CEILING, this.watched.told()).await;
                    Ok(None)
                }
                Err(error) => Err(error.to_string()),
            };
            this.shared.post(Event::Stopped { unit: this.unit.name.clone(), ticket, outcome });
        });
    }

    async fn look_now(self: &Rc<Self>) -> Look {
        let record = self.shared.record(&self.unit.name);
        let recorded = record.as_ref().and_then(|record| record.process);
        let process = match recorded {
            Some(process) => process,
            None => match self.find_by_marks().await {
                Ok(Some(process)) => process,
                Ok(None) => return Look::Absent { exit: None },
                Err(why) => return Look::Failed(why),
            },
        };
        self.shared.reaper.borrow_mut().expect(process);
        match pidfd::open(process) {
            Err(error) => Look::Failed(format!("pidfd of {}: {error}", process.pid)),
            Ok(None) => Look::Absent { exit: self.exit_if_known(process) },
            Ok(Some(handle)) if pidfd::gone(&handle) => {
                let exit = self.shared.reaper.borrow_mut().exit_of(process, Some(&handle));
                Look::Absent { exit: Some(exit).filter(|exit| *exit != Exit::Unknown) }
            }
            Ok(Some(handle)) => {
                self.watch(process, handle);
                self.shared.logs.watch(&self.shared.log_path(&self.unit.name));
                let ready = record.is_some_and(|record| record.ready) || self.is_ready(process);
                Look::Alive { process, ready }
            }
        }
    }

    fn exit_if_known(&self, process: Process) -> Option<Exit> {
        let exit = self.shared.reaper.borrow_mut().exit_of(process, None);
        Some(exit).filter(|exit| *exit != Exit::Unknown)
    }

    /// A unit without a record that lives all the same: the record could not be written, or was
    /// lost. Its main process leads a session, as every child of ours does.
    async fn find_by_marks(&self) -> Result<Option<Process>, String> {
        let leaders = self.shared.census.leaders(&self.shared.instance).await?;
        Ok(leaders.get(&self.unit.name).copied())
    }

    async fn start_now(
        self: &Rc<Self>,
        mut record: Record,
    ) -> Result<(Process, OwnedFd, u64), String> {
        let name = &self.unit.name;
        self.shared.clear_limits(name);
        self.shared.end_leftovers(name, &[]).await?;
        let environment = self.shared.environment(&self.unit).await?;
        let log = self.shared.log_path(name);
        self.shared.logs.before_start(&log);
        let offset = logs::end(&log);
        let (output, errors) = self.open_log(&log);
        let leaf = self.shared.leaf(name);
        let launch = Launch {
            argv: self.argv.iter().map(Into::into).collect(),
            env: environment.into_iter().collect(),
            directory: self.unit.directory.clone(),
            stdin: Stream::Null,
            stdout: output,
            stderr: errors,
            cgroup: None,
        };
        let gated = fork(launch, leaf.as_ref()).map_err(|error| chain(&error))?;
        let process = gated.process;
        self.shared.reaper.borrow_mut().expect_child(process);
        record.process = Some(process);
        let capped = self.shared.cap_memory(&self.unit, &[process.pid]).await;
        let anchor = Anchor {
            // A capped unit has left the leaf for a scope; it is known by its marks.
            cgroup: leaf.filter(|_| !capped).map(|leaf| leaf.path().to_owned()),
            log_offset: Some(offset),
            ..Anchor::default()
        };
        self.shared.write(name, &record, &anchor);
        let running = gated.open();
        running.exec.result().await.map_err(|error| chain(&error))?;
        Ok((process, running.pidfd, offset))
    }

    /// Where its output and its errors go. A service whose log cannot be had runs without one.
    fn open_log(&self, log: &Path) -> (Stream, Stream) {
        let opened = logs::open_for_child(log).map_err(|error| chain(&error));
        let both = opened.and_then(|output| {
            let errors = output.try_clone().map_err(|error| error.to_string())?;
            Ok((Stream::Fd(output), Stream::Fd(errors)))
        });
        match both {
            Ok(both) => {
                self.shared.logs.watch(log);
                both
            }
            Err(why) => {
                self.shared.limit(&self.unit.name, format!("its output is lost: {why}"));
                (Stream::Null, Stream::Null)
            }
        }
    }

    fn watch(self: &Rc<Self>, process: Process, handle: OwnedFd) {
        let this = Rc::clone(self);
        self.watched.watch(process, handle, async move |handle| {
            let exit = this.shared.reaper.borrow_mut().exit_of(process, Some(&handle));
            let exit = this.watched.told_apart(exit);
            this.readiness.stop();
            let unit = this.unit.name.clone();
            this.shared.post(Event::Exited { unit, process, exit });
        });
    }

    /// Whether a living process that is not recorded as ready is so by now; if not, its log is
    /// watched on from where the last look ended.
    fn is_ready(self: &Rc<Self>, process: Process) -> bool {
        let Some(ready) = &self.unit.ready else { return true };
        let offset = self.shared.anchor(&self.unit.name).log_offset.unwrap_or(0);
        let mut watch = self.ready_watch(ready, offset);
        let found = watch.scan_now().is_ok_and(|found| found.is_some());
        if !found {
            self.watch_readiness(process, offset);
        }
        found
    }

    fn watch_readiness(self: &Rc<Self>, process: Process, offset: u64) {
        let Some(ready) = &self.unit.ready else { return };
        let mut watch = self.ready_watch(ready, offset);
        let this = Rc::clone(self);
        self.readiness.run(async move {
            match watch.found().await {
                Ok(_) => {
                    let unit = this.unit.name.clone();
                    this.shared.post(Event::Ready { unit, process });
                }
                Err(error) => {
                    // The confirming look at the deadline scans the log once more.
                    tracing::warn!(unit = %this.unit.name, %error, "cannot watch the log");
                }
            }
        });
    }

    fn ready_watch(&self, ready: &Ready, offset: u64) -> ReadyWatch {
        ReadyWatch::new(&self.shared.log_path(&self.unit.name), offset, &ready.log)
    }
}
