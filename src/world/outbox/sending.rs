//! The sending: a task for each target, and one that waits for what others put on the shelf. Not
//! here: what is next for a target, and how it is told.

use std::fs::File;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::{JoinSet, spawn_blocking};

use super::line::Next;
use super::shelf::{self, Entry, Taken};
use super::target::{self, Refusal};
use super::words::Message;
use super::{Delivery, Outbox, Posted, Report};
use crate::config::Target;
use crate::world::inotify::{AsyncWatcher, WatchMask};

/// The kernel tells of notices that others put here; should it not, they are found this much later.
const NET: Duration = Duration::from_secs(10 * 60);
/// Where the kernel cannot tell, for want of inotify instances.
const UNTOLD: Duration = Duration::from_secs(60);
/// A verb that sends goes on for some 20 s; then the lock is ours.
const SENDER_AGAIN: Duration = Duration::from_secs(1);
/// A server may be wrong about a message once; after so many times it will not take it.
const TRIES_OF_A_REFUSED: u32 = 3;
/// A verb that sends by itself gives up for now when its target has failed so often.
const TRIES_OF_A_VERB: u32 = 3;

/// To send, as long as this lives.
#[derive(Debug)]
struct Right(#[expect(dead_code, reason = "the lock ends when it is dropped")] Option<File>);

impl Outbox {
    /// Tells the targets whatever waits, for ever, as soon as no other process does. Dropped at any
    /// time it loses nothing. It must run in a `LocalSet`.
    pub async fn run(self: Rc<Self>, report: Rc<dyn Fn(Report)>) {
        if !self.has_targets() {
            return std::future::pending().await;
        }
        let _sender = loop {
            if let Some(lock) = self.become_sender().await {
                break lock;
            }
            if self.not_our_turn_since.get().is_none() {
                self.not_our_turn_since.set(Some(Instant::now()));
            }
            tokio::time::sleep(SENDER_AGAIN).await;
        };
        self.not_our_turn_since.set(None);
        let mut tasks = self.lines(&report);
        tasks.spawn_local(Rc::clone(&self).watch());
        // None of them ends.
        while tasks.join_next().await.is_some() {}
    }

    /// Tells the targets of one notice, and of what waits before it, unless another process sends.
    /// For a verb: it comes to an end.
    pub async fn deliver(
        self: Rc<Self>,
        posted: &Posted,
        within: Duration,
        report: Rc<dyn Fn(Report)>,
    ) -> Delivery {
        let deadline = tokio::time::Instant::now() + within;
        loop {
            let Some(sender) = self.become_sender().await else {
                return Delivery::LeftToTheSender;
            };
            let tasks = self.lines(&report);
            let settled = tokio::time::timeout_at(deadline, self.until_settled()).await;
            drop(tasks);
            drop(sender);
            let waiting = self.unsettled().await;
            if waiting.contains(&posted.name) {
                return Delivery::Waits(self.why_it_waits());
            }
            // What was posted while we had the lock was left to us.
            if settled != Ok(true) || waiting.is_empty() || deadline <= tokio::time::Instant::now()
            {
                return Delivery::Told;
            }
        }
    }

    fn lines(self: &Rc<Self>, report: &Rc<dyn Fn(Report)>) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        for index in 0..self.targets.len() {
            tasks.spawn_local(Rc::clone(self).line(index, Rc::clone(report)));
        }
        tasks
    }

    /// Tells one target, for ever.
    async fn line(self: Rc<Self>, index: usize, report: Rc<dyn Fn(Report)>) {
        let (Some(line), Some(id)) = (self.lines.get(index), self.ids.get(index)) else { return };
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // From here on nothing is missed.
            changed.as_mut().enable();
            let entries = self.look().await;
            let now = Instant::now();
            if self.falls_back(index) && line.borrow().rests(now) {
                let waiting = line.borrow().waiting(id, &entries);
                self.note(index, waiting, &report).await;
            }
            let next = line.borrow_mut().next(id, &entries, now);
            match next {
                Next::Nothing => changed.await,
                Next::At(at) => {
                    tokio::select! {
                        () = changed => {}
                        () = tokio::time::sleep_until(at.into()) => {}
                    }
                }
                Next::Tell(batch) => self.tell(index, batch, &report).await,
            }
        }
    }

    /// One message to one target, and what follows from its answer.
    async fn tell(&self, index: usize, batch: Vec<Entry>, report: &Rc<dyn Fn(Report)>) {
        let (Some(line), Some(target)) = (self.lines.get(index), self.targets.get(index)) else {
            return;
        };
        let Some(message) = Message::of(&batch) else { return };
        let name = target::name(target);
        let failing =
            |why: &str| report(Report::Failing { target: name.clone(), why: why.to_owned() });
        let hanging = |why: &str| {
            if line.borrow_mut().hangs(why, Instant::now()) {
                failing(why);
            }
        };
        let answer = target::tell(target, &message, &self.hands, &hanging).await;
        let now = Instant::now();
        match answer {
            Ok(()) => {
                if line.borrow_mut().took(now) {
                    report(Report::Works { target: name.clone() });
                }
                self.note(index, batch, report).await;
            }
            Err(refusal) => {
                let (why, patience) = match &refusal {
                    Refusal::Later { why, patience } => (why.clone(), *patience),
                    Refusal::Never { why } | Refusal::Down { why } => (why.clone(), None),
                };
                let first = line.borrow_mut().failed(why.clone(), patience, now);
                if first {
                    failing(&why);
                }
                let tries = line.borrow().failures();
                match refusal {
                    Refusal::Never { .. } if tries >= TRIES_OF_A_REFUSED => {
                        report(Report::Refused { target: name, title: message.title, why });
                        line.borrow_mut().took(now);
                        self.note(index, batch, report).await;
                    }
                    Refusal::Down { .. } if self.falls_back(index) => {
                        self.note(index, batch, report).await;
                    }
                    Refusal::Later { .. } | Refusal::Never { .. } | Refusal::Down { .. } => {}
                }
                self.changed.notify_waiters();
            }
        }
    }

    /// A chat that is down is no reason to keep a notice that others take: it is old news there when
    /// the chat is back.
    fn falls_back(&self, index: usize) -> bool {
        let chat = |target: &Target| matches!(target, Target::Nanoclaw { .. });
        self.targets.get(index).is_some_and(chat) && !self.targets.iter().all(chat)
    }

    /// Notes that this target needs to be told these no more.
    async fn note(&self, index: usize, batch: Vec<Entry>, report: &Rc<dyn Fn(Report)>) {
        let (Some(line), Some(id)) = (self.lines.get(index), self.ids.get(index)) else { return };
        if batch.is_empty() {
            return;
        }
        // Should the file not take it, we at least do not tell it again and again.
        line.borrow_mut().done(&batch);
        let (shelf, id, all) = (self.shelf.clone(), id.clone(), self.ids.clone());
        let noted = spawn_blocking(move || shelf.told(&batch, &id, &all)).await;
        if let (Ok(Err(error)), Some(target)) = (noted, self.targets.get(index)) {
            let (target, why) = (target::name(target), error.to_string());
            report(Report::Unnoted { target, why });
        }
        self.changed.notify_waiters();
    }

    /// `true` when nothing waits for anybody, `false` when those who lack something have failed
    /// often.
    async fn until_settled(&self) -> bool {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let entries = self.look().await;
            let mut waits = false;
            let mut hope = false;
            for (line, id) in self.lines.iter().zip(&self.ids) {
                let line = line.borrow();
                if !line.waiting(id, &entries).is_empty() {
                    waits = true;
                    hope |= line.failures() < TRIES_OF_A_VERB;
                }
            }
            if !waits || !hope {
                return !waits;
            }
            changed.await;
        }
    }

    /// The names of the notices that some target has not been told of.
    async fn unsettled(&self) -> Vec<String> {
        let entries = self.look().await;
        let waits = |entry: &&Entry| {
            let one = std::slice::from_ref(*entry);
            let mut lines = self.lines.iter().zip(&self.ids);
            lines.any(|(line, id)| !line.borrow().waiting(id, one).is_empty())
        };
        entries.iter().filter(waits).map(|entry| entry.name.clone()).collect()
    }

    fn why_it_waits(&self) -> String {
        let lines = self.lines.iter().zip(&self.targets);
        let failing = lines.filter_map(|(line, target)| {
            let line = line.borrow();
            Some(format!("{}: {}", target::name(target), line.failing()?.why))
        });
        let words = failing.collect::<Vec<_>>().join("; ");
        if words.is_empty() { "no answer yet".to_owned() } else { words }
    }

    async fn look(&self) -> Vec<Entry> {
        let shelf = self.shelf.clone();
        self.looking_since.set(Some(Instant::now()));
        let entries = spawn_blocking(move || shelf.waiting()).await;
        self.looking_since.set(None);
        entries.unwrap_or_default()
    }

    /// The right to send, which ends when it is dropped; `None` while another process has it. Where
    /// no lock is to be had, telling twice is better than not telling.
    async fn become_sender(&self) -> Option<Right> {
        let shelf = self.shelf.clone();
        let taken = spawn_blocking(move || {
            shelf.make();
            for folder in shelf.folders() {
                match shelf::take(&folder.join("sender"), Duration::ZERO) {
                    Taken::Ours(file) => return Some(Right(Some(file))),
                    Taken::Held => return None,
                    // A full disk, say: the next folder is another one.
                    Taken::NoFile => {}
                }
            }
            Some(Right(None))
        });
        taken.await.ok().flatten()
    }

    /// Wakes the lines when somebody else has put something here.
    async fn watch(self: Rc<Self>) {
        loop {
            let watcher = AsyncWatcher::new().and_then(|mut watcher| {
                for folder in self.shelf.folders() {
                    watcher.add(folder, WatchMask::MOVED_TO)?;
                }
                Ok(watcher)
            });
            match watcher {
                Ok(mut watcher) => {
                    while let Ok(told) = tokio::time::timeout(NET, watcher.changed()).await {
                        if told.is_err() {
                            break;
                        }
                        self.changed.notify_waiters();
                    }
                }
                Err(_) => tokio::time::sleep(UNTOLD).await,
            }
            self.changed.notify_waiters();
        }
    }
}
