//! A systemd unit that we command instead of forking: its start, its readiness and its log are
//! systemd's; its wish and its restarts are ours.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::shared::Shared;
use super::told::chain;
use super::watched::Slot;
use crate::decide::{Event, Exit, Look, NoStart, Process, Record, Ticket, UnitName};
use crate::world::records::Anchor;
use crate::world::systemd::{Active, Systemd, SystemdError, UnitLook};

/// A bus that was lost is connected to again after this pause; systemd re-executes in less.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);

/// The hands of one systemd unit.
pub(super) struct Commanded {
    shared: Rc<Shared>,
    name: UnitName,
    unit: String,
    bus: RefCell<Option<Rc<Systemd>>>,
    action: Slot,
    watch: Slot,
}

impl Commanded {
    pub(super) fn new(shared: Rc<Shared>, name: UnitName, unit: String) -> Rc<Self> {
        Rc::new(Self {
            shared,
            name,
            unit,
            bus: RefCell::default(),
            action: Slot::default(),
            watch: Slot::default(),
        })
    }

    pub(super) fn look(self: &Rc<Self>, ticket: Ticket) {
        let this = Rc::clone(self);
        self.action.run(async move {
            let look = match this.look_now().await {
                Ok(look) => look,
                Err(error) => Look::Failed(this.failed(&error)),
            };
            this.shared.post(Event::Looked { unit: this.name.clone(), ticket, look });
        });
    }

    pub(super) fn start(self: &Rc<Self>, ticket: Ticket, record: Record) {
        let this = Rc::clone(self);
        self.action.run(async move {
            let outcome = this.start_now(record).await;
            let process = outcome.as_ref().ok().copied();
            let outcome = outcome.map_err(NoStart::Failed);
            this.shared.post(Event::Started { unit: this.name.clone(), ticket, outcome });
            if let Some(process) = process {
                this.watch_on(process);
            }
        });
    }

    pub(super) fn stop(self: &Rc<Self>, ticket: Ticket) {
        let this = Rc::clone(self);
        self.action.run(async move {
            this.watch.stop();
            let outcome = match this.stop_now().await {
                Ok(exit) => Ok(Some(exit)),
                Err(error) => Err(this.failed(&error)),
            };
            this.shared.post(Event::Stopped { unit: this.name.clone(), ticket, outcome });
        });
    }

    async fn look_now(self: &Rc<Self>) -> Result<Look, SystemdError> {
        let look = self.systemd().await?.look(&self.unit).await?;
        Ok(match (state(&look), look.main) {
            (State::Up, Some(process)) => {
                self.watch_on(process);
                Look::Alive { process, ready: true }
            }
            (State::Up, None) => Look::Failed(format!("{} has no main process", self.unit)),
            (State::Between, _) => Look::Failed(format!("{} is {:?}", self.unit, look.active)),
            (State::Down, _) => {
                Look::Absent { exit: Some(look.result).filter(|exit| *exit != Exit::Unknown) }
            }
        })
    }

    async fn start_now(self: &Rc<Self>, mut record: Record) -> Result<Process, String> {
        self.shared.clear_limits(&self.name);
        if self.shared.anchor(&self.name).systemd_unit.is_none() {
            // The config has changed: what we forked under this name must not run beside it.
            self.shared.end_leftovers(&self.name, &[]).await?;
        }
        let started = async {
            let systemd = self.systemd().await?;
            systemd.start(&self.unit).await?;
            systemd.look(&self.unit).await
        };
        let look = started.await.map_err(|error| self.failed(&error))?;
        let Some(process) = look.main else {
            return Err(format!(
                "{} has started and has no main process: only services that stay can be watched; \
                 see `systemctl status {}`",
                self.unit, self.unit
            ));
        };
        record.process = Some(process);
        let anchor = Anchor { systemd_unit: Some(self.unit.clone()), ..Anchor::default() };
        self.shared.write(&self.name, &record, &anchor);
        Ok(process)
    }

    async fn stop_now(&self) -> Result<Exit, SystemdError> {
        let systemd = self.systemd().await?;
        systemd.stop(&self.unit).await?;
        Ok(systemd.look(&self.unit).await?.result)
    }

    /// Tells of the end of `process`, or that systemd runs another one in its place.
    fn watch_on(self: &Rc<Self>, process: Process) {
        let this = Rc::clone(self);
        self.watch.run(async move {
            let exit = this.ended(process).await;
            this.shared.post(Event::Exited { unit: this.name.clone(), process, exit });
        });
    }

    async fn ended(&self, process: Process) -> Exit {
        let mut seen = None;
        loop {
            match self.next_look(seen.as_ref()).await {
                Ok(look) if look.main == Some(process) => seen = Some(look),
                // It ended between systemd's answer and our look at it: the next answer says how.
                Ok(look)
                    if look.main.is_none()
                        && look.active == Active::Active
                        && look.result == Exit::Unknown =>
                {
                    seen = Some(look);
                }
                Ok(look) => return look.result,
                Err(error) => {
                    tracing::warn!(unit = %self.name, error = chain(&error), "lost sight of it");
                    self.bus.take();
                    seen = None;
                    tokio::time::sleep(RECONNECT_PAUSE).await;
                }
            }
        }
    }

    async fn next_look(&self, seen: Option<&UnitLook>) -> Result<UnitLook, SystemdError> {
        let systemd = self.systemd().await?;
        match seen {
            Some(seen) => systemd.changed(&self.unit, seen).await,
            None => systemd.look(&self.unit).await,
        }
    }

    async fn systemd(&self) -> Result<Rc<Systemd>, SystemdError> {
        if let Some(systemd) = self.bus.borrow().clone() {
            return Ok(systemd);
        }
        let systemd = Rc::new(Systemd::connect_for(&self.unit).await?);
        self.bus.replace(Some(Rc::clone(&systemd)));
        Ok(systemd)
    }

    fn failed(&self, error: &SystemdError) -> String {
        // The next action connects anew: the connection itself may be what failed.
        self.bus.take();
        chain(error)
    }
}

enum State {
    Up,
    Between,
    Down,
}

fn state(look: &UnitLook) -> State {
    match look.active {
        Active::Active | Active::Reloading => State::Up,
        Active::Activating | Active::Deactivating | Active::Unknown => State::Between,
        Active::Inactive | Active::Failed => State::Down,
    }
}
