//! A round at NanoClaw 2.x: look for what was sent in the databases of its sessions, and send each
//! group that waits for nothing its next letter. What is in such a database NanoClaw itself keeps
//! over restarts and dead containers until it is noted as completed, and that is no proof: what has
//! become of it then is in the transcripts. Not here: the socket, and the databases.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::round_v1::put_files;
use super::words::{self, FOLDER};
use super::{Addressee, Courier, Round, Work};
use crate::gateway::ledger::letters::{self, Delivery, Letter};
use crate::gateway::ledger::{LedgerError, State};
use crate::gateway::nanoclaw_v2::{self as v2_hand, IN_CONTAINER};
use crate::gateway::processes::{self, Host, Processes};
use crate::nanoclaw::transcripts::{self, Transcripts};
use crate::nanoclaw::v2::{self, Found, Progress, Wiring};
use crate::nanoclaw::{Generation, Unfit};

/// NanoClaw writes down at once what it takes, and says nothing of what it drops.
const NOT_WRITTEN_DOWN: Duration = Duration::from_secs(10);

/// What a look has shown of one group.
struct Looked {
    wiring: Result<Wiring, Unfit>,
    seen: Vec<(Letter, Result<Option<Seen>, Unfit>)>,
}

/// A letter that NanoClaw has.
struct Seen {
    found: Found,
    turn: Turn,
}

/// The turn of an agent that was given a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// It may still come to its end, or nothing is known.
    Open,
    /// It has come to its end.
    Ended,
    /// Its container is gone, and NanoClaw gives the letter to no other one.
    Lost,
}

/// Why a letter goes once more.
const DROPPED: &str = "NanoClaw has not written it down";
const FAILED: &str = "NanoClaw has given it up";
const LOST: &str = "its agent's container is gone before the agent was done with it";

/// What is to be noted of a letter.
enum Note {
    Confirmed { row: String, time: String },
    Taken,
    Done,
    Again(&'static str),
}

impl Courier {
    pub(super) async fn round_v2(
        &self,
        work: &[Work],
        round: &mut Round,
    ) -> Result<(), LedgerError> {
        for it in work.iter().filter(|it| it.is_any()) {
            let name = &it.addressee.name;
            let directory = self.settings.directory.clone();
            let one = it.clone();
            match self.at_files(move || Ok(look(&directory, &one))).await {
                Ok(looked) => {
                    if let Some(why) = self.note_seen(&looked, SystemTime::now()).await? {
                        round.troubles.insert(name.clone(), why);
                    }
                    match looked.wiring {
                        Ok(wiring) if !is_outstanding(it) => {
                            self.send_next(it, wiring, round).await?;
                        }
                        Ok(_) => round.look_again(super::NOT_TAKEN),
                        Err(why) => round.trouble(name, &why),
                    }
                }
                Err(why) => round.trouble(name, &why),
            }
        }
        Ok(())
    }

    /// Notes what has become of a group's letters; answers what is to be told about it.
    async fn note_seen(
        &self,
        looked: &Looked,
        now: SystemTime,
    ) -> Result<Option<String>, LedgerError> {
        let mut notes = Vec::new();
        let mut trouble = None;
        for (letter, seen) in &looked.seen {
            match seen {
                Ok(seen) => {
                    let own = notes_on(letter, seen.as_ref(), now);
                    notes.extend(own.into_iter().map(|note| (letter.clone(), note)));
                }
                Err(why) => trouble = Some(why.to_string()),
            }
        }
        if notes.is_empty() {
            return Ok(trouble);
        }
        let dropped = notes.iter().any(|(_, note)| matches!(note, Note::Again(DROPPED | FAILED)));
        let noted = self.ledger.write(move |transaction| {
            for (letter, note) in &notes {
                let id = letter.id;
                match note {
                    Note::Confirmed { row, time } => {
                        letters::confirmed(transaction, id, row, time, "")?;
                    }
                    Note::Taken => letters::taken(transaction, id, now)?,
                    Note::Done => {
                        let why = "its agent ended the turn in which it read it";
                        letters::end(transaction, id, State::Done, why, now)?;
                    }
                    Note::Again(why) => {
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
        noted.await?;
        let why = "NanoClaw dropped or failed what was sent; see ncl dropped-messages-list";
        Ok(trouble.or_else(|| dropped.then(|| why.to_owned())))
    }

    /// Sends a group its next letter. It is noted before it is sent: NanoClaw cannot recognise one
    /// that comes twice, so the second one must bear its mark.
    async fn send_next(
        &self,
        work: &Work,
        wiring: Wiring,
        round: &mut Round,
    ) -> Result<(), LedgerError> {
        let Some(letter) = work.next.clone() else { return Ok(()) };
        let name = work.addressee.name.clone();
        let number = letter.deliveries + 1;
        let id = letter.id;
        let attachments = self.ledger.read(move |connection| {
            let all = letters::attachments(connection, id)?;
            let whole = all
                .into_iter()
                .map(|(number, name)| Ok((name, letters::attachment(connection, number)?)));
            whole.collect::<rusqlite::Result<Vec<_>>>()
        });
        let attachments = attachments.await?;
        let (directory, addressee) = (self.settings.directory.clone(), work.addressee.clone());
        let preparing = move || prepare(&directory, &addressee, &letter, number, &attachments);
        let (line, text) = match self.at_files(preparing).await {
            Ok(prepared) => prepared,
            Err(why) => {
                round.trouble(&name, &why);
                return Ok(());
            }
        };
        let delivery = Delivery {
            number,
            row: String::new(),
            chat: wiring.platform_id.clone(),
            row_time: String::new(),
            host: String::new(),
            at: SystemTime::now(),
            taken: None,
            wakes: 0,
            woken: None,
        };
        self.ledger
            .write(move |transaction| letters::delivered(transaction, id, &delivery))
            .await?;
        let path = v2::socket(&self.settings.directory);
        let sending = move || line.send(&wiring, &text).map_err(|error| Unfit::file(&path, &error));
        if let Err(why) = self.at_files(sending).await {
            // It may have arrived: the next look says so.
            round.trouble(&name, &why);
        }
        round.look_again(super::NOT_TAKEN / 4);
        Ok(())
    }
}

/// Whether it is not known yet what has become of one that was sent. What NanoClaw has written down
/// is in a queue that loses nothing: the next may follow.
fn is_outstanding(work: &Work) -> bool {
    let unknown = |letter: &Letter| letter.last.as_ref().is_some_and(|last| last.row.is_empty());
    work.under_way.iter().any(unknown)
}

fn look(directory: &Path, work: &Work) -> Looked {
    let addressee = &work.addressee;
    let wiring = v2::wiring(directory, &addressee.folder, addressee.chat.as_deref());
    let mut seen = Vec::new();
    if let Ok(wiring) = &wiring {
        let turns = Turns::new(directory, work, wiring);
        for letter in &work.under_way {
            let mark = words::mark(&letter.event, letter.deliveries);
            let one = v2::find(directory, &wiring.group, &mark);
            if let Ok(Some(it)) = &one
                && letter.last.as_ref().is_some_and(|last| last.row.is_empty())
            {
                show(letter, it, wiring);
            }
            let one = one.map(|found| {
                found.map(|found| {
                    let turn = turns.of(directory, &mark, &found);
                    Seen { found, turn }
                })
            });
            seen.push((letter.clone(), one));
        }
    }
    Looked { wiring, seen }
}

/// What bears on the turns of a group's agent; each is looked at once, and only if it is asked for.
struct Turns<'a> {
    folder: &'a str,
    transcripts: PathBuf,
    /// When the oldest letter that is under way was given.
    since: SystemTime,
    read: OnceCell<Transcripts>,
    /// With the transcripts as they were after that: a turn may have ended well in between.
    processes: OnceCell<(Processes, Transcripts)>,
}

impl<'a> Turns<'a> {
    fn new(directory: &Path, work: &'a Work, wiring: &Wiring) -> Self {
        let given = work.under_way.iter().filter_map(|letter| Some(letter.last.as_ref()?.at));
        Self {
            folder: &work.addressee.folder,
            transcripts: transcripts::folder(directory, Generation::V2, &wiring.group),
            since: given.min().unwrap_or(SystemTime::UNIX_EPOCH),
            read: OnceCell::new(),
            processes: OnceCell::new(),
        }
    }

    /// What has become of a letter that NanoClaw has done its part for.
    fn of(&self, directory: &Path, mark: &str, found: &Found) -> Turn {
        if found.progress != Progress::Completed {
            return Turn::Open;
        }
        let read = || transcripts::read(&self.transcripts, self.since);
        if self.read.get_or_init(read).end_turn(mark) {
            return Turn::Ended;
        }
        let look = || (processes::look(directory), read());
        let (processes, after) = self.processes.get_or_init(look);
        let time = found.since.unwrap_or_else(SystemTime::now) + Duration::from_secs(1);
        let lives = processes.has_container_since(Generation::V2, self.folder, time);
        match processes.host {
            Host::Alive(_) if !lives && !after.end_turn(mark) => Turn::Lost,
            Host::Alive(_) if !lives => Turn::Ended,
            Host::Alive(_) | Host::Absent | Host::Unknown => Turn::Open,
        }
    }
}

/// The chat is told once the message is there. It is only for people: the letter does not wait for
/// it.
fn show(letter: &Letter, found: &Found, wiring: &Wiring) {
    let id = format!("gw-{}-{}", letter.event, letter.deliveries);
    let short = words::short(letter, letter.deliveries);
    if let Err(error) = v2_hand::show(found, wiring, &id, &short, SystemTime::now()) {
        tracing::warn!(group = letter.group, %error, "a letter is delivered and not shown in its chat");
    }
}

fn notes_on(letter: &Letter, seen: Option<&Seen>, now: SystemTime) -> Vec<Note> {
    let Some(last) = &letter.last else { return Vec::new() };
    let Some(Seen { found, turn }) = seen else {
        let old = now.duration_since(last.at).is_ok_and(|age| age >= NOT_WRITTEN_DOWN);
        let again = Note::Again(DROPPED);
        return if old && letter.state == State::Delivered { vec![again] } else { Vec::new() };
    };
    let mut notes = Vec::new();
    if last.row.is_empty() {
        notes.push(Note::Confirmed { row: found.id.clone(), time: found.timestamp.clone() });
    }
    match found.progress {
        Progress::Processing | Progress::Completed if letter.state == State::Delivered => {
            notes.push(Note::Taken);
        }
        Progress::Pending | Progress::Processing | Progress::Completed => {}
        Progress::Failed => notes.push(Note::Again(FAILED)),
    }
    match turn {
        Turn::Open => {}
        Turn::Ended => notes.push(Note::Done),
        Turn::Lost => notes.push(Note::Again(LOST)),
    }
    notes
}

fn prepare(
    directory: &Path,
    addressee: &Addressee,
    letter: &Letter,
    number: u32,
    attachments: &[(String, Vec<u8>)],
) -> Result<(v2_hand::Line, String), Unfit> {
    // First: a NanoClaw that is not there is the most likely reason why nothing comes of this.
    let line = v2_hand::connect(directory)?;
    let names = words::file_names(attachments.iter().map(|(name, _)| name.as_str()));
    let folder = match put_files(directory, &addressee.folder, letter, attachments, &names) {
        Ok(()) => Some(format!("{IN_CONTAINER}/{FOLDER}/{}", letter.event)),
        Err(_) if attachments.is_empty() => None,
        Err(why) => return Err(why),
    };
    Ok((line, words::message(letter, number, folder.as_deref(), &names)))
}
