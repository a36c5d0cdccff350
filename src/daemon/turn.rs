//! The loop, turn by turn.

use std::os::unix::net::UnixListener;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::agents::{self, Opening};
use super::control::Call;
use super::hands::Hands;
use super::reexec::Reexec;
use super::shared::Shared;
use super::signals::{Signal, Signals};
use super::telling::Pulse;
use super::told::chain;
use super::waiters::{Sender, Waiter};
use super::{RunError, publish};
use crate::decide::{Action, Entry, Event, Mono, Notice, Now, Watchdog, Weight};
use crate::protocol::{DaemonStatus, RebootStatus, Status};
use crate::world::boot::Boot;
use crate::world::clock::{self, rfc3339};
use crate::world::files::FileError;
use crate::world::hook_spool::HookSpool;
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
    pub(super) senders: Vec<Sender>,
    /// The hooks are heard once every unit has been looked at: what they say is of living ones.
    pub(super) hooks: Option<HookSpool>,
    /// What state.json holds, or is to hold.
    pub(super) saved: Saved,
    /// Why it could not be written, and when that is tried again.
    pub(super) unsaved: Option<(String, Mono)>,
    /// All that a drain stops is still to come down.
    pub(super) draining: bool,
    pub(super) drained: bool,
    pub(super) ready: bool,
    /// This boot was not seen before.
    pub(super) is_new_boot: bool,
    /// The dead-man's switch.
    pub(super) pulse: Option<Pulse>,
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
                Some(reexec) = self.reexecs.recv() => {
                    self.shared.save_usage();
                    return Ok(Ending::Reexec(reexec));
                }
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
        let mut handled = 1;
        while let Ok(event) = self.events.try_recv() {
            self.handle(event);
            handled += 1;
        }
        self.shared.handled.send_modify(|all| *all += handled);
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
                self.shared.agents.set_conversations(&saved.conversations);
                self.saved.conversations = saved.conversations;
                self.saved.remedies = saved.remedies;
                self.saved.because = saved.because;
                self.saved.messages = saved.messages;
                self.shared.plan.set_phase(saved.plan.phase.as_ref());
                self.saved.plan = saved.plan;
                self.save();
            }
            Action::Record { unit, record } => {
                let anchor = self.shared.anchor(&unit);
                self.shared.write(&unit, &record, &anchor);
            }
            Action::Forget { unit } => self.shared.forget(&unit),
            Action::Look { unit, ticket } => self.hands.look(&unit, ticket),
            Action::Start { unit, ticket, record, conversation, by_name, because } => {
                self.unclean();
                let opening =
                    conversation.map(|conversation| Opening { conversation, by_name, because });
                self.hands.start(&unit, ticket, record, opening);
            }
            Action::Stop { unit, ticket, grace } => self.hands.stop(&unit, ticket, grace),
            Action::Await { dependency } => self.hands.wait_for(dependency),
            Action::Lease { unit, process, conversation } => {
                self.hands.lease(&unit, process, &conversation);
            }
            Action::ReadScreen { unit, ticket } => self.hands.read_screen(&unit, ticket),
            Action::Type { unit, ticket, message, suspected } => {
                self.hands.type_message(&unit, ticket, message, suspected);
            }
            Action::Answer { unit, ticket, dialog, answer } => {
                self.hands.answer(&unit, ticket, dialog, answer);
            }
            Action::Kickoff { unit, because } => self.hands.say_kickoff(&unit, because),
            Action::Journal(entry) => self.shared.journal(entry),
            Action::Notify(notice) => self.shared.notify(notice),
        }
    }

    fn save(&mut self) {
        let folders = &self.shared.config.supervisor;
        // What lies aside is never older than what is in its place, whenever we are killed.
        let was_aside = self.unsaved.is_some();
        if was_aside {
            self.save_aside();
        }
        let saved = saved::save(&folders.state_dir, &self.saved);
        let failed = saved.err().map(|error| chain(&error));
        match &failed {
            None if was_aside => saved::forget_aside(&folders.runtime_dir),
            Some(_) if !was_aside => self.save_aside(),
            None | Some(_) => {}
        }
        let before = self.unsaved.take().map(|(why, _)| why);
        match &failed {
            Some(why) if before.as_ref() != Some(why) => {
                tracing::error!("the wishes cannot be saved, and are kept aside: {why}");
            }
            None if before.is_some() => {
                tracing::info!("the wishes are saved again");
                self.shared.journal.borrow_mut().catch_up(clock::now().wall);
            }
            Some(_) | None => {}
        }
        self.unsaved = failed.map(|why| (why, clock::now().mono + SAVE_AGAIN));
    }

    fn save_aside(&self) {
        let aside = saved::save_aside(&self.shared.config.supervisor.runtime_dir, &self.saved);
        said("the wishes are kept in memory alone", aside);
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
        let senders = std::mem::take(&mut self.senders);
        self.senders =
            senders.into_iter().filter_map(|it| it.settle(&self.watchdog, now.mono)).collect();
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
        if self.ready
            && let Some(mut pulse) = self.pulse.take()
        {
            pulse.beat(now.mono, || self.status(now).is_well());
            self.pulse = Some(pulse);
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
        if let Some(spool) = self.hooks.take() {
            tokio::task::spawn_local(agents::listen(Rc::clone(&self.shared), spool));
        }
        let units = self.watchdog.names().count();
        let pid = std::process::id();
        tracing::info!(units, pid, "ready");
        self.shared.journal(Entry {
            unit: None,
            event: "ready",
            why: format!("pid {pid}, units: {units}"),
        });
        self.tell_online();
        said_to_systemd(self.notifier.status(&format!("watching {units} units")));
        said_to_systemd(self.notifier.ready());
        // The image before us may have said so last when its interval began.
        said_to_systemd(self.notifier.watchdog());
    }

    /// The operator hears of each boot once.
    fn tell_online(&self) {
        if !self.is_new_boot {
            return;
        }
        let plan = self.watchdog.plan_view();
        let phase = plan.phase.map_or_else(String::new, |phase| format!("phase {phase}, "));
        let (units, reboots) = (self.watchdog.names().count(), self.reboots.count);
        let after = self.boot.after().as_str();
        self.shared.notify(Notice {
            key: format!("online {}", self.boot_id),
            title: "The supervisor is online".to_owned(),
            text: format!("{phase}{units} units, boot {reboots} of this machine (after={after})"),
            weight: Weight::Info,
        });
    }

    /// Once a minute.
    fn tick(&mut self, now: Now) {
        self.shared.journal.borrow_mut().catch_up(now.wall);
        said("the minute cannot be noted", self.boot.touch(now));
        self.shared.mind_disk();
        self.shared.look_at_gateway(&self.watchdog);
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
        let senders = self.senders.iter().map(Sender::deadline);
        let pulse = self.pulse.as_ref().filter(|_| self.ready).map(|pulse| pulse.due);
        let senders = senders.chain(pulse);
        let next =
            waiters.chain(senders).chain(wake).chain(save).chain([tick]).min().unwrap_or(tick);
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
        let units = self.watchdog.view(now).into_iter().map(|view| {
            let limits = self.shared.limits_of(&view.name);
            let spent = self.shared.spent_today(&view.name, now);
            publish::unit_status(view, now.wall, limits, spent)
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
            plan: publish::plan_status(self.watchdog.plan_view()),
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
        self.shared.save_usage();
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
