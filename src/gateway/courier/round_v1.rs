//! A round at NanoClaw 1.x: judge what is under way, note it, and give each group that waits for
//! nothing its next letter. Not here: how a letter is judged, and how a row is inserted.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::words::{self, FOLDER, LETTER};
use super::{Addressee, Courier, Round, Work, drop_off};
use crate::gateway::ledger::letters::{self, Delivery, Letter, LetterId};
use crate::gateway::ledger::{LedgerError, State};
use crate::gateway::nanoclaw_v1::fate::{self, Fate, Seen};
use crate::gateway::nanoclaw_v1::{self as v1, IN_CONTAINER, Inserted, Look, Row};
use crate::gateway::processes::{self, Host};
use crate::nanoclaw::{Generation, Unfit, runs, transcripts};

/// A group in which too much is unread is waited for so long; then its letter goes in all the same.
const CROWDED_MAX: Duration = Duration::from_secs(300);

/// NanoClaw looks every two seconds; what it has not taken after so long is told.
const STUCK: Duration = Duration::from_secs(120);

/// What a look has led to.
struct Judged {
    look: Look,
    host: Host,
    fates: Vec<(Letter, Fate)>,
}

/// The letters to which the transcripts showed no answer, and after which good end that was.
pub(super) type Silent = BTreeMap<LetterId, SystemTime>;

/// A letter that was given away.
struct Handed {
    inserted: Inserted,
    /// What went wrong beside it, without harm to the letter.
    besides: Option<Unfit>,
}

impl Courier {
    pub(super) async fn round_v1(
        &mut self,
        work: &[Work],
        round: &mut Round,
    ) -> Result<(), LedgerError> {
        let now = SystemTime::now();
        let directory = self.settings.directory.clone();
        let (all, mut silent) = (work.to_vec(), self.silent.clone());
        let judging = move || {
            let judged = judge(&directory, &all, &mut silent, now)?;
            Ok((judged, silent))
        };
        let judged = match self.at_files(judging).await {
            Ok((judged, silent)) => {
                self.silent = silent;
                judged
            }
            Err(why) => {
                for it in work.iter().filter(|it| it.is_any()) {
                    round.trouble(&it.addressee.name, &why);
                }
                return Ok(());
            }
        };
        self.note(&judged, now).await?;
        for it in work.iter().filter(|it| it.is_any()) {
            if let Some(Err(why)) = judged.look.groups.get(&it.addressee.name) {
                round.trouble(&it.addressee.name, why);
                continue;
            }
            if let Some(why) = stuck(it, &judged.host, now) {
                round.troubles.insert(it.addressee.name.clone(), why.into());
            }
            self.wake(it, &judged, round, now).await?;
            if is_free(it, &judged) {
                self.give_next(it, &judged.host, round).await?;
            }
        }
        Ok(())
    }

    /// Notes what has become of the letters.
    async fn note(&self, judged: &Judged, now: SystemTime) -> Result<(), LedgerError> {
        let changed = |fate: &Fate| !matches!(fate, Fate::Stays | Fate::Wake);
        let fates: Vec<_> = judged.fates.iter().filter(|it| changed(&it.1)).cloned().collect();
        if fates.is_empty() {
            return Ok(());
        }
        let noted = self.ledger.write(move |transaction| {
            for (letter, fate) in &fates {
                let id = letter.id;
                let Some(last) = &letter.last else { continue };
                match fate {
                    Fate::Stays | Fate::Wake => {}
                    Fate::Moves(host) => {
                        letters::confirmed(transaction, id, &last.row, &last.row_time, host)?;
                    }
                    Fate::Taken(host) => {
                        letters::confirmed(transaction, id, &last.row, &last.row_time, host)?;
                        letters::taken(transaction, id, now)?;
                    }
                    Fate::GivenBack => letters::given_back(transaction, id, now)?,
                    Fate::Done => {
                        let why = "its agent answered and its container ended well";
                        letters::end(transaction, id, State::Done, why, now)?;
                    }
                    Fate::Dead(why) => letters::end(transaction, id, State::Dead, why, now)?,
                    Fate::Again(why) => {
                        tracing::warn!(event = %letter.event, group = letter.group, why, "once more");
                        let (state, due, why) = Self::once_more(letter, why, now);
                        if state == State::Dead {
                            letters::end(transaction, id, state, &why, now)?;
                        } else {
                            letters::again(transaction, id, &why, due, now)?;
                        }
                    }
                }
            }
            Ok(())
        });
        noted.await
    }

    /// Wakes a group for what it has already: once, however many letters want it.
    async fn wake(
        &self,
        work: &Work,
        judged: &Judged,
        round: &mut Round,
        now: SystemTime,
    ) -> Result<(), LedgerError> {
        let wants = |(letter, fate): &&(Letter, Fate)| {
            *fate == Fate::Wake && letter.group == work.addressee.name
        };
        let wanting: Vec<Letter> =
            judged.fates.iter().filter(wants).map(|it| it.0.clone()).collect();
        let Some(first) = wanting.first() else { return Ok(()) };
        let Some(last) = &first.last else { return Ok(()) };
        let row = Row {
            id: format!("gw-{}-{}-wake-{}", first.event, last.number, last.wakes + 1),
            content: format!(
                "{} A message was given to you that you have not read yet. If it is not here, it \
                 comes with this one.",
                words::mark(&first.event, last.number)
            ),
            wake: true,
            crowds: false,
        };
        let directory = self.settings.directory.clone();
        let addressee = work.addressee.clone();
        let waking = move || v1::insert(&directory, &addressee, &row, now);
        match self.at_files(waking).await {
            Ok(Inserted::Row { .. }) => {
                tracing::info!(group = work.addressee.name, "woken for what it has not read");
                let noted = self.ledger.write(move |transaction| {
                    wanting.iter().try_for_each(|it| letters::woken(transaction, it.id, now))
                });
                noted.await
            }
            Ok(Inserted::Outstanding | Inserted::Crowded | Inserted::Soon(_)) => Ok(()),
            Err(why) => {
                round.trouble(&work.addressee.name, &why);
                Ok(())
            }
        }
    }

    /// Gives a group its next letter.
    async fn give_next(
        &mut self,
        work: &Work,
        host: &Host,
        round: &mut Round,
    ) -> Result<(), LedgerError> {
        let Some(letter) = work.next.clone() else { return Ok(()) };
        let name = work.addressee.name.clone();
        let number = letter.deliveries + 1;
        let row = format!("gw-{}-{number}", letter.event);
        let id = letter.id;
        let attachments = self.ledger.read(move |connection| {
            let all = letters::attachments(connection, id)?;
            let whole = all
                .into_iter()
                .map(|(number, name)| Ok((name, letters::attachment(connection, number)?)));
            whole.collect::<rusqlite::Result<Vec<_>>>()
        });
        let attachments = attachments.await?;
        let crowds = self.crowded.get(&name).is_some_and(|since| since.elapsed() >= CROWDED_MAX);
        let directory = self.settings.directory.clone();
        let (addressee, row_id) = (work.addressee.clone(), row.clone());
        let handing =
            move || hand_over(&directory, &addressee, &letter, row_id, &attachments, crowds);
        let handed = match self.at_files(handing).await {
            Ok(handed) => handed,
            Err(why) => {
                round.trouble(&name, &why);
                return Ok(());
            }
        };
        if let Some(why) = &handed.besides {
            tracing::warn!(group = name, why = %why, "a letter is delivered, and not all about it");
        }
        match handed.inserted {
            Inserted::Row { time, chat } => {
                self.crowded.remove(&name);
                let delivery = Delivery {
                    number,
                    row,
                    chat,
                    row_time: time,
                    host: match host {
                        Host::Alive(life) => life.clone(),
                        Host::Absent | Host::Unknown => String::new(),
                    },
                    at: SystemTime::now(),
                    taken: None,
                    wakes: 0,
                    woken: None,
                };
                let noted = self
                    .ledger
                    .write(move |transaction| letters::delivered(transaction, id, &delivery));
                noted.await?;
                round.look_again(super::NOT_TAKEN);
            }
            Inserted::Outstanding => round.look_again(super::NOT_TAKEN),
            Inserted::Soon(soon) => round.look_again(soon),
            Inserted::Crowded => {
                self.crowded.entry(name.clone()).or_insert_with(Instant::now);
                round.look_again(super::NOT_TAKEN);
                let why = "more messages are unread in its chat than NanoClaw reads at once";
                round.troubles.insert(name, why.into());
            }
        }
        Ok(())
    }
}

/// What is to be told of letters that NanoClaw has and does not take.
fn stuck(work: &Work, host: &Host, now: SystemTime) -> Option<&'static str> {
    let old = |letter: &Letter| now.duration_since(letter.since).is_ok_and(|age| age >= STUCK);
    let mut waiting = work.under_way.iter().filter(|letter| letter.state == State::Delivered);
    waiting.any(old).then_some(match host {
        Host::Absent => "NanoClaw does not run: what was given to it waits in its database",
        Host::Alive(_) | Host::Unknown => {
            "NanoClaw has not taken what it was given: is there room for another container?"
        }
    })
}

/// Whether a group's next letter may go in: nothing before it is untaken, or is to go once more.
fn is_free(work: &Work, judged: &Judged) -> bool {
    let ours = judged.fates.iter().filter(|(letter, _)| letter.group == work.addressee.name);
    ours.fold(true, |free, (letter, fate)| {
        free && match fate {
            Fate::Taken(_) | Fate::Done | Fate::Dead(_) => true,
            Fate::Again(_) | Fate::GivenBack | Fate::Moves(_) => false,
            Fate::Stays | Fate::Wake => letter.state == State::Taken,
        }
    })
}

fn judge(
    directory: &Path,
    work: &[Work],
    silent: &mut Silent,
    now: SystemTime,
) -> Result<Judged, Unfit> {
    let addressees: Vec<Addressee> = work.iter().map(|it| it.addressee.clone()).collect();
    let under_way = || work.iter().flat_map(|it| &it.under_way);
    let last = || under_way().filter_map(|letter| letter.last.as_ref());
    let rows: Vec<_> = last().map(|last| (last.row.clone(), last.chat.clone())).collect();
    let look = v1::look(directory, &addressees, &rows)?;
    let processes = processes::look(directory);
    silent.retain(|id, _| under_way().any(|letter| letter.id == *id));
    let mut fates = Vec::new();
    for it in work {
        let folder = it.addressee.folder.as_str();
        let stranded = v1::stranded(directory, folder);
        let container = processes.has_container(Generation::V1, folder);
        let taken = it.under_way.iter().filter(|letter| letter.state == State::Taken);
        let first = taken.filter_map(|letter| Some(letter.last.as_ref()?.at)).min();
        let all_runs = first.map(|first| runs::since(directory, folder, first)).unwrap_or_default();
        for letter in &it.under_way {
            let Some(last) = &letter.last else { continue };
            let begin = all_runs.partition_point(|run| run.ended < last.at);
            let runs = &all_runs[begin..];
            let seen = Seen {
                now,
                row: look.rows.get(&last.row).copied().unwrap_or(false),
                global: &look.cursors.global,
                chat: look.cursors.chats.get(&last.chat).map_or("", String::as_str),
                host: &processes.host,
                container,
                stranded,
                answered: is_answered(directory, folder, letter, last, runs, silent),
                runs,
            };
            fates.push((letter.clone(), fate::judge(letter, last, &seen)));
        }
    }
    Ok(Judged { look, host: processes.host, fates })
}

/// Whether the transcripts show an answer to a letter. They are long, and without a good end they
/// prove nothing: they are read once for each good end.
fn is_answered(
    directory: &Path,
    folder: &str,
    letter: &Letter,
    last: &Delivery,
    runs: &[runs::Run],
    silent: &mut Silent,
) -> bool {
    let Some(end) = runs.iter().rfind(|run| run.is_good()).map(|run| run.ended) else {
        return false;
    };
    if letter.state != State::Taken || silent.get(&letter.id) == Some(&end) {
        return false;
    }
    let mark = words::mark(&letter.event, last.number);
    let written = transcripts::folder(directory, Generation::V1, folder);
    let answered = transcripts::read(&written, last.at).answer(&mark);
    if !answered {
        silent.insert(letter.id, end);
    }
    answered
}

/// Puts a letter's files, inserts its row and shows it. Each step can be done again: after a death
/// in between the next try finds what is there.
fn hand_over(
    directory: &Path,
    addressee: &Addressee,
    letter: &Letter,
    row: String,
    attachments: &[(String, Vec<u8>)],
    crowds: bool,
) -> Result<Handed, Unfit> {
    let number = letter.deliveries + 1;
    let names = words::file_names(attachments.iter().map(|(name, _)| name.as_str()));
    let put = put_files(directory, &addressee.folder, letter, attachments, &names);
    // A letter whose text is all there is can do without its file.
    let mut besides = None;
    let folder = match put {
        Ok(()) => Some(format!("{IN_CONTAINER}/{FOLDER}/{}", letter.event)),
        Err(why) if attachments.is_empty() => {
            besides = Some(why);
            None
        }
        Err(why) => return Err(why),
    };
    let content = words::message(letter, number, folder.as_deref(), &names);
    let row = Row { id: row, content, wake: false, crowds };
    let inserted = v1::insert(directory, addressee, &row, SystemTime::now())?;
    if let Inserted::Row { chat, .. } = &inserted {
        let short = words::short(letter, number);
        if let Err(error) = v1::show(directory, &addressee.folder, chat, &row.id, &short) {
            let path = directory.join("data/ipc").join(&addressee.folder).join("messages");
            besides = Some(Unfit::file(&path, &error));
        }
    }
    Ok(Handed { inserted, besides })
}

/// The letter and what is attached, in the folder of the group.
pub(super) fn put_files(
    directory: &Path,
    folder: &str,
    letter: &Letter,
    attachments: &[(String, Vec<u8>)],
    names: &[String],
) -> Result<(), Unfit> {
    let base = directory.join("groups").join(folder);
    let below = [FOLDER, letter.event.as_str()];
    let put = |name: &str, bytes: &[u8], durable| {
        drop_off::put(&base, &below, name, bytes, durable)
            .map_err(|error| Unfit::file(&base.join(FOLDER), &error))
    };
    // The text is in the message too; what is attached is nowhere else.
    put(LETTER, letter.text.as_bytes(), false)?;
    names.iter().zip(attachments).try_for_each(|(name, (_, bytes))| put(name, bytes, true))
}
