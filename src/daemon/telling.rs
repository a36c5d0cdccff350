//! The operator is told what matters, once; and a dead-man's switch, that all is well. Not here: what
//! matters ([`crate::decide`]), and how it gets there ([`crate::world::outbox`]).

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::rc::Rc;

use super::environment;
use super::gateway::GatewayWatch;
use super::shared::Shared;
use super::told::chain;
use crate::config::{Config, Heartbeat};
use crate::decide::{Entry, Exit, Mono, Notice, Process, Weight, notice};
use crate::world::children::Children;
use crate::world::clock;
use crate::world::heartbeat::beat;
use crate::world::outbox::{self, Hands, Outbox, Report, Severity};
use crate::world::reaper::Reaper;
use crate::world::spawn::{Launch, LaunchError, Running};
use crate::world::told::Told;

/// Stands before the mark of what lasted while no target was configured.
const NOBODY_TOLD: &str = "nobody was told: ";

/// Below this part of a disk, and below this many bytes, it is nearly full.
const NEARLY_FULL: (u64, u64) = (20, 1 << 30);

/// How the operator is told.
pub(super) struct Telling {
    outbox: Rc<Outbox>,
    told: Rc<RefCell<Told>>,
    pub(super) gateway: GatewayWatch,
}

/// Something that lasts, and of which the operator is told once for as long as it does.
pub(super) struct Lasting {
    entry: Entry,
    notice: Notice,
    /// Which time of it this is; empty where nobody can tell one from the next.
    mark: String,
}

impl Lasting {
    /// What an entry of the journal says to last, told from others of its kind by `key`; `None` if
    /// the operator is told of no such thing.
    pub(super) fn new(entry: Entry, key: &str, mark: &str) -> Option<Self> {
        let notice = Notice { key: key.to_owned(), ..notice(&entry)? };
        Some(Self { entry, notice, mark: mark.to_owned() })
    }
}

impl Telling {
    /// Opens the outbox, and has what is in it sent from here on.
    pub(super) fn begin(config: &Config, reaper: &Rc<RefCell<Reaper>>) -> Self {
        let folders = &config.supervisor;
        let children: Rc<dyn Children> = Rc::new(Reaped(Rc::clone(reaper)));
        let hands = Hands { children, environment: passed_on() };
        let targets = &config.notify.targets;
        let outbox = Outbox::open(&folders.state_dir, &folders.runtime_dir, targets, hands);
        if outbox.has_targets() {
            let report: Rc<dyn Fn(Report)> = Rc::new(|report| match &report {
                Report::Works { .. } => tracing::info!("{report}"),
                Report::Failing { .. } | Report::Refused { .. } | Report::Unnoted { .. } => {
                    tracing::warn!("{report}");
                }
            });
            tokio::task::spawn_local(Rc::clone(&outbox).run(report));
        }
        let told = Rc::new(RefCell::new(Told::open(&folders.state_dir)));
        Self { outbox, told, gateway: GatewayWatch::default() }
    }

    /// Targets that have failed for long.
    pub(super) fn trouble(&self) -> Option<String> {
        self.outbox.trouble()
    }
}

impl Shared {
    /// Has the operator told, unless that was done lately in the same words. Does not wait for it.
    pub(super) fn notify(&self, notice: Notice) {
        let Telling { outbox, told, .. } = &self.telling;
        if !outbox.has_targets() {
            return;
        }
        if !told.borrow_mut().is_news(&notice.key, &notice.text, clock::now().wall) {
            return;
        }
        let posted = to_post(notice);
        let (outbox, told) = (Rc::clone(outbox), Rc::clone(told));
        tokio::task::spawn_local(async move {
            if let Err(error) = outbox.post(posted).await {
                tracing::error!("the operator cannot be told: {}", chain(&error));
                return;
            }
            // Only now: rather told twice than never.
            if let Err(error) = told.borrow().save() {
                tracing::debug!("what was told cannot be noted: {}", chain(&error));
            }
        });
    }

    /// Tells the operator of what lasts and was not told of before, over our own deaths; what does not
    /// last any more is forgotten quietly, if `whole` is all that lasts.
    pub(super) async fn tell_lasting(self: &Rc<Self>, all: Vec<Lasting>, whole: bool) {
        let Telling { outbox, told, .. } = &self.telling;
        let keys: BTreeSet<String> = all.iter().map(|it| it.notice.key.clone()).collect();
        for Lasting { entry, notice, mark } in all {
            let (key, text) = (notice.key.clone(), notice.text.clone());
            // What nobody could be told of is told once somebody can.
            let noted =
                if outbox.has_targets() { mark.clone() } else { format!("{NOBODY_TOLD}{mark}") };
            if told.borrow().lasts(&key, &noted) {
                continue;
            }
            // What nobody can tell from the last time is told again after half a day at the earliest.
            let is_known =
                mark.is_empty() && told.borrow().is_known(&key, &text, clock::now().wall);
            if !is_known && let Err(error) = outbox.post(to_post(notice)).await {
                // The next look finds it once more.
                tracing::error!("the operator cannot be told: {}", chain(&error));
                continue;
            }
            self.journal(entry);
            told.borrow_mut().begins(&key, &noted);
            if outbox.has_targets() {
                told.borrow_mut().is_news(&key, &text, clock::now().wall);
            }
            self.note_told();
        }
        let ended = match whole {
            true => told.borrow_mut().ended(|key| keys.contains(key)),
            false => Vec::new(),
        };
        if !ended.is_empty() {
            self.note_told();
        }
        for key in ended {
            self.journal(Entry { unit: None, event: "trouble-over", why: key });
        }
    }

    fn note_told(&self) {
        if let Err(error) = self.telling.told.borrow().save() {
            tracing::debug!("what was told cannot be noted: {}", chain(&error));
        }
    }

    /// Tells the operator when there is little room left where our state is.
    pub(super) fn mind_disk(&self) {
        let folder = &self.config.supervisor.state_dir;
        if is_nearly_full(folder) {
            self.notify(Notice {
                key: "disk".to_owned(),
                title: "The disk is nearly full".to_owned(),
                // The same words for as long as it lasts.
                text: format!("less than 1 GiB and 5 % are left where {} is", folder.display()),
                weight: Weight::Urgent,
            });
        }
    }
}

fn to_post(notice: Notice) -> outbox::Notice {
    let severity = match notice.weight {
        Weight::Info => Severity::Info,
        Weight::Warning => Severity::Warning,
        Weight::Urgent => Severity::Urgent,
    };
    let Notice { key, title, text, .. } = notice;
    outbox::Notice { key, title, text, severity }
}

fn is_nearly_full(folder: &Path) -> bool {
    let Ok(disk) = rustix::fs::statvfs(folder) else { return false };
    let (part, least) = NEARLY_FULL;
    let left = disk.f_bavail.saturating_mul(disk.f_frsize);
    let all = disk.f_blocks.saturating_mul(disk.f_frsize);
    left < least && left < all / part
}

/// When the dead-man's switch is pressed next.
pub(super) struct Pulse {
    heartbeat: Heartbeat,
    pub(super) due: Mono,
    failing: Rc<RefCell<Option<String>>>,
}

impl Pulse {
    pub(super) fn of(config: &Config, now: Mono) -> Option<Self> {
        let heartbeat = config.notify.heartbeat.clone()?;
        Some(Self { heartbeat, due: now, failing: Rc::default() })
    }

    /// Presses it if it is time and all is well.
    pub(super) fn beat(&mut self, now: Mono, is_well: impl FnOnce() -> bool) {
        if now < self.due {
            return;
        }
        self.due = now + self.heartbeat.every;
        if !is_well() {
            return;
        }
        let (url, failing) = (self.heartbeat.url.clone(), Rc::clone(&self.failing));
        tokio::task::spawn_local(async move {
            let why = beat(url).await.err().map(|error| chain(&error));
            let before = failing.replace(why.clone());
            match (before, why) {
                (None, Some(why)) => tracing::warn!("{why}"),
                (Some(_), None) => tracing::info!("the heartbeat is taken again"),
                (None, None) | (Some(_), Some(_)) => {}
            }
        });
    }
}

/// Children for a moment, in a process that has one reaper for all.
pub(super) struct Reaped(pub(super) Rc<RefCell<Reaper>>);

impl Children for Reaped {
    fn start(&self, launch: Launch) -> Result<Running, LaunchError> {
        let gated = launch.fork()?;
        self.0.borrow_mut().expect_child(gated.process);
        Ok(gated.open())
    }

    fn exit_of(&self, process: Process, pidfd: &OwnedFd) -> Exit {
        self.0.borrow_mut().exit_of(process, Some(pidfd))
    }
}

/// What programs of the operator's may have of our own environment.
pub(super) fn passed_on() -> Vec<(OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| !environment::is_ours_alone(name)).collect()
}
