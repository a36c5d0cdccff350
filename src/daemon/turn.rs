//! The loop, turn by turn.

use std::collections::BTreeMap;
use std::os::unix::net::UnixListener;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::control::Call;
use super::hands::Hands;
use super::reexec::Reexec;
use super::shared::Shared;
use super::signals::{Signal, Signals};
use super::told::chain;
use super::waiters::Waiter;
use super::{RunError, publish};
use crate::decide::{Action, Entry, Event, Mono, Now, Watchdog};
use crate::protocol::{DaemonStatus, PlanStatus, RebootStatus, Status};
use crate::world::boot::Boot;
use crate::world::clock::{self, rfc3339};
use crate::world::files::FileError;
use crate::world::lock::Lock;
use crate::world::notify_socket::Notifier;
use crate::world::reaper::{ChildSignals, Swept};
use crate::world::saved::{self, Saved};

/// The one shared tick: everything that is done once in a while is done then, so that an idle
/// daemon wakes no more often, unless systemd wants to hear from it sooner.
pub(super) const TICK: Duration = Duration::from_secs(60);
/// State that could not be saved is tried again so often.
const SAVE_AGAIN: Duration = Duration::from_secs(5);
/// The first look at every unit counts as done after this time, even if some could not be looked
/// at: nobody is to wait for a machine that hangs.
const FIRST_LOOK_CEILING: Duration = Duration::from_secs(20);

/// How the loop ends.
pub(super) enum Ending {
    /// Asked to leave.
    Leave,
    /// Asked to become another binary.
    Reexec(Reexec),
}

/// The daemon, once everything is open.
pub(super) struct Daemon {
    pub(super) shared: Rc<Shared>,
    pub(super) watchdog: Watchdog,
    pub(super) hands: Hands,
    pub(super) boot: Boot,
    pub(super) boot_id: String,
    pub(super) reboots: RebootStatus,
    pub(super) lock: Lock,
    pub(super) listener: UnixListener,
    pub(super) notifier: Notifier,
    pub(super) signals: Signals,
    pub(super) children: ChildSignals,
    pub(super) events: mpsc::UnboundedReceiver<Event>,
    pub(super) calls: mpsc::Receiver<Call>,
    pub(super) reexecs: mpsc::Receiver<Reexec>,
    pub(super) ask_reexec: mpsc::Sender<Reexec>,
    pub(super) snapshots: watch::Sender<Option<Rc<Status>>>,
    pub(super) waiters: Vec<Waiter>,
    /// What state.json holds, or is to hold.
    pub(super) saved: Saved,
    /// Why it could not be written, and when that is tried again.
    pub(super) unsaved: Option<(String, Mono)>,
    /// All that a drain stops is still to come down.
    pub(super) draining: bool,
    pub(super) drained: bool,
    pub(super) ready: bool,
    pub(super) since: Now,
    pub(super) last_tick: Mono,
    /// How often the tick is: [`TICK`], or sooner.
    pub(super) every: Duration,
}

impl Daemon {
    /// Runs until a signal or a reload ends it.
    pub(super) async fn run(mut self) -> Result<Ending, RunError> {
        self.handle(Event::Tick);
        loop {
            self.end_turn();
            let wait = self.wait();
            let fail = |what| move |source| RunError::Loop { what, source };
            // Every arm may be dropped without losing anything, and no arm's body waits.
            tokio::select! {
                biased;
                Some(event) = self.events.recv() => self.handle_all(event),
                signal = self.signals.next() => {
                    match signal.map_err(fail("the signals are lost"))? {
                        Signal::Leave => return Ok(self.leave()),
                        Signal::Reexec => self.reload_as_started(),
                    }
                }
                Some(reexec) = self.reexecs.recv() => return Ok(Ending::Reexec(reexec)),
                child = self.children.next() => {
                    child.map_err(fail("the notices of dead children are lost"))?;
                    self.reap();
                }
                Some(call) = self.calls.recv() => self.call(call),
                () = tokio::time::sleep(wait) => self.handle(Event::Tick),
            }
        }
    }

    /// Handles one event and those that came with it.
    fn handle_all(&mut self, first: Event) {
        self.handle(first);
        while let Ok(event) = self.events.try_recv() {
            self.handle(event);
        }
    }

    pub(super) fn handle(&mut self, event: Event) {
        let actions = self.watchdog.handle(clock::now(), event);
        for action in actions {
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Save(saved) => {
                self.saved.wishes = saved.wishes;
                self.saved.drained_boot = (!saved.drained.is_empty()).then(|| self.boot_id.clone());
                self.saved.drained = saved.drained;
                self.save();
            }
            Action::Record { unit, record } => {
                let anchor = self.shared.anchor(&unit);
                self.shared.write(&unit, &record, &anchor);
            }
            Action::Forget { unit } => self.shared.forget(&unit),
            Action::Look { unit, ticket } => self.hands.look(&unit, ticket),
            Action::Start { unit, ticket, record, fresh: _ } => {
                self.unclean();
                self.hands.start(&unit, ticket, record);
            }
            Action::Stop { unit, ticket, grace } => self.hands.stop(&unit, ticket, grace),
            Action::Await { dependency } => self.hands.wait_for(dependency),
            Action::Journal(entry) => self.shared.journal(entry),
        }
    }

    fn save(&mut self) {
        let saved = saved::save(&self.shared.config.supervisor.state_dir, &self.saved);
        let failed = saved.err().map(|error| chain(&error));
        let before = self.unsaved.take().map(|(why, _)| why);
        match &failed {
            Some(why) if before.as_ref() != Some(why) => {
                tracing::error!("the wishes cannot be saved, and are kept in memory: {why}");
            }
            None if before.is_some() => tracing::info!("the wishes are saved again"),
            Some(_) | None => {}
        }
        self.unsaved = failed.map(|why| (why, clock::now().mono + SAVE_AGAIN));
    }

    /// Something runs again after a drain: a reboot from here on is no clean one.
    fn unclean(&mut self) {
        if std::mem::take(&mut self.drained) {
            let marked = self.boot.mark_unclean(clock::now());
            said("the boot cannot be marked unclean", marked);
        }
    }

    fn reap(&mut self) {
        while self.shared.reaper.borrow_mut().sweep() == Swept::More {}
    }

    /// What is done at the end of every turn.
    fn end_turn(&mut self) {
        let now = clock::now();
        let waiters = std::mem::take(&mut self.waiters);
        self.waiters =
            waiters.into_iter().filter_map(|it| it.settle(&self.watchdog, now.mono)).collect();
        if self.draining && self.watchdog.is_all_down() {
            self.draining = false;
            self.drained = true;
            said("the boot cannot be marked clean", self.boot.mark_clean(now));
        }
        if !self.ready {
            self.become_ready(now);
        }
        if now.mono.since(self.last_tick) >= self.every {
            self.last_tick = now.mono;
            self.tick(now);
        }
        if self.unsaved.as_ref().is_some_and(|(_, again)| now.mono >= *again) {
            self.save();
        }
        self.publish(now);
    }

    fn become_ready(&mut self, now: Now) {
        let late = now.mono.since(self.since.mono) >= FIRST_LOOK_CEILING;
        if !self.watchdog.has_looked() && !late {
            return;
        }
        self.ready = true;
        self.last_tick = now.mono;
        let units = self.watchdog.names().count();
        let pid = std::process::id();
        tracing::info!(units, pid, "ready");
        self.shared.journal(Entry {
            unit: None,
            event: "ready",
            why: format!("pid {pid}, units: {units}"),
        });
        said_to_systemd(self.notifier.ready());
    }

    /// Once a minute.
    fn tick(&mut self, now: Now) {
        said("the minute cannot be noted", self.boot.touch(now));
        said_to_systemd(self.notifier.watchdog());
    }

    /// How long nothing will have to be done.
    fn wait(&self) -> Duration {
        let now = clock::now().mono;
        let tick =
            if self.ready { self.last_tick + self.every } else { now + Duration::from_secs(1) };
        let wake = self.watchdog.next_wake().map(|(at, _)| at);
        let save = self.unsaved.as_ref().map(|(_, again)| *again);
        let waiters = self.waiters.iter().map(Waiter::deadline);
        let next = waiters.chain(wake).chain(save).chain([tick]).min().unwrap_or(tick);
        next.since(now)
    }

    /// Nothing is built unless somebody watches.
    fn publish(&mut self, now: Now) {
        if self.snapshots.receiver_count() == 0 {
            return;
        }
        let mut status = self.status(now);
        // The time of the last turn alone is no news.
        let alive_at = status.supervisor.alive_at.take();
        self.snapshots.send_if_modified(|shown| {
            let mut old = shown.as_deref().cloned();
            if let Some(old) = &mut old {
                old.supervisor.alive_at = None;
            }
            let news = old.as_ref() != Some(&status);
            if news {
                status.supervisor.alive_at = alive_at;
                *shown = Some(Rc::new(status));
            }
            news
        });
    }

    /// The snapshot.
    pub(super) fn status(&self, now: Now) -> Status {
        let limits: BTreeMap<_, _> = self.shared.limits.borrow().clone();
        let units = self.watchdog.view(now).into_iter().map(|view| {
            let limits = limits.get(&view.name).cloned().unwrap_or_default();
            publish::unit_status(view, now.wall, limits)
        });
        Status {
            supervisor: DaemonStatus {
                pid: std::process::id().cast_signed(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                since: rfc3339(self.since.wall),
                boot_id: self.boot_id.clone(),
                image: self.since.mono.since_boot().as_micros().try_into().unwrap_or(u64::MAX),
                ready: self.ready,
                alive_at: Some(rfc3339(now.wall)),
                troubles: self.troubles(),
            },
            plan: PlanStatus::default(),
            reboots: self.reboots.clone(),
            units: units.collect(),
        }
    }

    fn troubles(&self) -> Vec<String> {
        let unsaved = self.unsaved.iter().map(|(why, _)| format!("cannot save the wishes: {why}"));
        unsaved.chain(self.shared.troubles()).collect()
    }

    fn leave(&self) -> Ending {
        self.shared.write_journal();
        tracing::info!("leaving; the units live on");
        said_to_systemd(self.notifier.stopping());
        Ending::Leave
    }
}

fn said(what: &str, result: Result<(), FileError>) {
    if let Err(error) = result {
        tracing::warn!("{what}: {}", chain(&error));
    }
}

pub(super) fn said_to_systemd(result: Result<(), crate::world::notify_socket::NotifyError>) {
    if let Err(error) = result {
        tracing::warn!("systemd could not be told: {}", chain(&error));
    }
}
