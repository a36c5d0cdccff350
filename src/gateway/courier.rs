//! The courier takes letters out of the ledger and gives them to NanoClaw, one at a time for each
//! group, and watches over each until it is done. It is woken by the ledger and by the kernel's word
//! on NanoClaw's files. Whatever is wrong with NanoClaw, letters stay queued and it is said why. Not
//! here: how NanoClaw is written to.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::Instant;

use super::ledger::letters::{self, Letter};
use super::ledger::{Ledger, LedgerError, State};
use crate::config::Gateway;
use crate::nanoclaw::{self, Generation, Unfit};

mod check;
pub(super) mod drop_off;
mod round_v1;
mod round_v2;
mod throw_away;
mod watches;
pub(crate) mod words;

pub use check::check;
use watches::Watches;

/// Between two rounds in any case: of many events in a row, each would ask for one.
const REST: Duration = Duration::from_millis(25);

/// Between two rounds if nothing is under way: only what the kernel cannot tell waits for it.
const IDLE: Duration = Duration::from_secs(60);

/// Between two looks at a letter that NanoClaw has not taken yet. Its cursors are in a file, which
/// the kernel tells of.
const NOT_TAKEN: Duration = Duration::from_secs(1);

/// Between two looks at letters that agents work on: the end of a process that is not ours.
const TAKEN: Duration = Duration::from_secs(5);

/// After something was wrong with NanoClaw; it doubles up to the second.
const AFTER_TROUBLE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// How long NanoClaw's files may take to answer: a network's file system may never.
const FILES_WITHIN: Duration = Duration::from_secs(30);

/// Between two looks at whether letters could be delivered, while there are none.
const CHECK_EVERY: Duration = Duration::from_secs(60);

/// How often a letter is given to NanoClaw before it is dead.
pub const DELIVERIES_MAX: u32 = 6;

/// How long a letter waits before it is given once more, by how often it was: NanoClaw has tried
/// several times by itself by then. Seconds.
const AGAIN_AFTER: [u64; 6] = [0, 0, 60, 300, 900, 3600];

/// A group that letters are addressed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addressee {
    /// Its name in `[gateway.groups]`.
    pub name: String,
    /// Its folder in NanoClaw.
    pub folder: String,
    /// NanoClaw's id of its chat, if the configuration names it.
    pub chat: Option<String>,
}

/// Where letters go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `[gateway.nanoclaw] directory`.
    pub directory: PathBuf,
    /// `[gateway.groups]`.
    pub addressees: Vec<Addressee>,
}

impl Settings {
    /// Those of a configuration; `None` if it names no NanoClaw.
    pub fn of(config: &Gateway) -> Option<Self> {
        let directory = config.nanoclaw.clone()?;
        let addressees = config.groups.iter().map(|(name, group)| Addressee {
            name: name.clone(),
            folder: group.folder.clone(),
            chat: group.jid.clone(),
        });
        Some(Self { directory, addressees: addressees.collect() })
    }
}

/// How it goes, for whoever shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Which NanoClaw was found last.
    pub generation: Option<Generation>,
    /// What keeps the letters of a group waiting, by the group's name.
    pub troubles: BTreeMap<String, String>,
    /// When the last round ended; a courier that hangs has an old date.
    pub last_round: Option<SystemTime>,
    /// The ledger could not be read or written in the last round.
    pub ledger_fails: bool,
}

/// The courier.
#[derive(Debug)]
pub struct Courier {
    ledger: Ledger,
    settings: Settings,
    watches: Watches,
    report: watch::Sender<Report>,
    /// A closure at NanoClaw's files that has not come back.
    at_work: Arc<AtomicBool>,
    /// The next wait after trouble.
    patience: Duration,
    /// Since when a group's letter is kept back because too much is unread there.
    crowded: BTreeMap<String, Instant>,
    swept: Option<Instant>,
    silent: round_v1::Silent,
    /// What was wrong with groups when they were looked at without a letter, and when that was.
    unfit: BTreeMap<String, String>,
    checked: Option<Instant>,
}

/// What is to be done for one group.
#[derive(Clone, Debug)]
struct Work {
    addressee: Addressee,
    under_way: Vec<Letter>,
    next: Option<Letter>,
    next_due: Option<SystemTime>,
}

/// What a round has come to for one group.
#[derive(Debug, Default)]
struct Round {
    troubles: BTreeMap<String, String>,
    /// It is to be looked at again after this time at the latest.
    again: Option<Duration>,
}

impl Round {
    fn trouble(&mut self, group: &str, why: &Unfit) {
        self.troubles.insert(group.to_owned(), why.to_string());
    }

    fn look_again(&mut self, after: Duration) {
        self.again = Some(self.again.map_or(after, |other| other.min(after)));
    }
}

impl Courier {
    /// A courier, and where its reports can be read. To be called on the loop: it watches files.
    pub fn new(ledger: Ledger, settings: Settings) -> (Self, watch::Receiver<Report>) {
        let (report, reports) = watch::channel(Report::default());
        let courier = Self {
            ledger,
            settings,
            watches: Watches::new(),
            report,
            at_work: Arc::new(AtomicBool::new(false)),
            patience: AFTER_TROUBLE.0,
            crowded: BTreeMap::new(),
            swept: None,
            silent: round_v1::Silent::new(),
            unfit: BTreeMap::new(),
            checked: None,
        };
        (courier, reports)
    }

    /// Goes its rounds until `stop`. A round that is under way is ended first, in which nothing waits
    /// for long.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        let ledger = self.ledger.clone();
        loop {
            let wait = self.go_round().await;
            let rested = Instant::now() + REST;
            tokio::select! {
                () = &mut stop => return,
                () = ledger.changed() => {}
                () = self.watches.changed() => {}
                () = tokio::time::sleep(wait) => {}
            }
            tokio::select! {
                () = &mut stop => return,
                () = tokio::time::sleep_until(rested) => {}
            }
        }
    }

    /// One round; answers how long nothing needs to be done, unless somebody says so.
    pub async fn go_round(&mut self) -> Duration {
        let (wait, fails) = match self.round().await {
            Ok(wait) => (wait, false),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the courier's round");
                (AFTER_TROUBLE.1, true)
            }
        };
        self.report.send_modify(|report| {
            report.last_round = Some(SystemTime::now());
            report.ledger_fails = fails;
        });
        wait
    }

    async fn round(&mut self) -> Result<Duration, LedgerError> {
        let now = SystemTime::now();
        self.sweep(now).await?;
        let addressees = self.settings.addressees.clone();
        let work = self.ledger.read(move |connection| {
            addressees.into_iter().map(|it| Work::read(connection, it, now)).collect()
        });
        let work: Vec<Work> = work.await?;
        let mut round = Round::default();
        if self.checked.is_none_or(|last| last.elapsed() >= CHECK_EVERY) {
            self.check_all().await;
        }
        for it in work.iter().filter(|it| !it.is_any()) {
            let name = &it.addressee.name;
            round
                .troubles
                .extend(self.unfit.get_key_value(name).map(|(k, v)| (k.clone(), v.clone())));
        }
        if work.iter().any(Work::is_any) {
            let directory = self.settings.directory.clone();
            match self.at_files(move || nanoclaw::generation(&directory)).await {
                Ok(generation) => {
                    self.report.send_modify(|report| report.generation = Some(generation));
                    self.watches.watch(&self.settings, generation);
                    match generation {
                        Generation::V1 => self.round_v1(&work, &mut round).await?,
                        Generation::V2 => self.round_v2(&work, &mut round).await?,
                    }
                }
                Err(why) => {
                    for it in work.iter().filter(|it| it.is_any()) {
                        round.trouble(&it.addressee.name, &why);
                    }
                }
            }
        }
        self.tell(&round, now).await?;
        Ok(self.wait(&work, &round, now))
    }

    /// What is wrong with a group is told before its first letter comes.
    async fn check_all(&mut self) {
        self.checked = Some(Instant::now());
        let settings = self.settings.clone();
        let all = self.at_files(move || Ok(check(&settings))).await;
        self.unfit = match all {
            Ok(all) => all
                .into_iter()
                .filter_map(|(name, it)| Some((name, it.err()?.to_string())))
                .collect(),
            Err(why) => {
                let names = self.settings.addressees.iter().map(|it| it.name.clone());
                names.map(|name| (name, why.to_string())).collect()
            }
        };
    }

    /// Runs what touches NanoClaw's files, on a thread that may block. One that has not come back is
    /// not followed by another one.
    async fn at_files<T, F>(&self, work: F) -> Result<T, Unfit>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, Unfit> + Send + 'static,
    {
        let silent = || Unfit::File {
            path: self.settings.directory.clone(),
            why: format!("it has not answered for {} s", FILES_WITHIN.as_secs()),
        };
        if self.at_work.swap(true, Ordering::SeqCst) {
            return Err(silent());
        }
        let at_work = Arc::clone(&self.at_work);
        let task = tokio::task::spawn_blocking(move || {
            let result = work();
            at_work.store(false, Ordering::SeqCst);
            result
        });
        match tokio::time::timeout(FILES_WITHIN, task).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) | Err(_) => Err(silent()),
        }
    }

    /// A letter is to be given once more, or is dead.
    fn once_more(letter: &Letter, why: &str, now: SystemTime) -> (State, SystemTime, String) {
        if letter.deliveries >= DELIVERIES_MAX {
            let why = format!("given up after {} deliveries: {why}", letter.deliveries);
            return (State::Dead, now, why);
        }
        let index = usize::try_from(letter.deliveries).unwrap_or(0).min(AGAIN_AFTER.len() - 1);
        (State::Queued, now + Duration::from_secs(AGAIN_AFTER[index]), why.to_owned())
    }

    /// Says what has changed: in the report, in the ledger for the verbs, and in the log.
    async fn tell(&mut self, round: &Round, now: SystemTime) -> Result<(), LedgerError> {
        let before = self.report.borrow().troubles.clone();
        let first = self.report.borrow().last_round.is_none();
        let mut changes: Vec<(String, Option<String>)> = Vec::new();
        for (group, why) in &round.troubles {
            if before.get(group) != Some(why) {
                tracing::warn!(group, why, "letters wait");
                changes.push((group.clone(), Some(why.clone())));
            }
        }
        for addressee in &self.settings.addressees {
            let name = &addressee.name;
            let over = before.contains_key(name) || first;
            if over && !round.troubles.contains_key(name) {
                changes.push((name.clone(), None));
            }
        }
        if changes.is_empty() {
            return Ok(());
        }
        let written = self.ledger.write(move |transaction| {
            for (group, why) in &changes {
                letters::trouble(transaction, group, why.as_deref(), now)?;
            }
            Ok(())
        });
        written.await?;
        self.report.send_modify(|report| report.troubles = round.troubles.clone());
        Ok(())
    }

    fn wait(&mut self, work: &[Work], round: &Round, now: SystemTime) -> Duration {
        let mut wait = round.again.unwrap_or(IDLE);
        if round.troubles.is_empty() {
            self.patience = AFTER_TROUBLE.0;
        } else {
            wait = wait.min(self.patience);
            self.patience = (self.patience * 2).min(AFTER_TROUBLE.1);
        }
        for due in work.iter().filter_map(|it| it.next_due) {
            wait = wait.min(due.duration_since(now).unwrap_or_default());
        }
        let slow = |pace: Duration| if self.watches.are_there() { pace } else { pace / 4 };
        for letter in work.iter().flat_map(|it| &it.under_way) {
            let pace = if letter.state == State::Delivered { NOT_TAKEN } else { TAKEN };
            wait = wait.min(slow(pace));
        }
        wait
    }
}

impl Work {
    fn read(
        connection: &rusqlite::Connection,
        addressee: Addressee,
        now: SystemTime,
    ) -> rusqlite::Result<Self> {
        let name = &addressee.name;
        Ok(Self {
            under_way: letters::under_way(connection, name)?,
            next: letters::next(connection, name, now)?,
            next_due: letters::next_due(connection, name, now)?,
            addressee,
        })
    }

    const fn is_any(&self) -> bool {
        !self.under_way.is_empty() || self.next.is_some()
    }
}

#[cfg(test)]
mod tests;
