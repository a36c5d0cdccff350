//! Storing a message: judged and kept in one transaction, so that two at the same moment cannot both
//! be the last that is allowed. Used by the server and, with the gateway down, by the verb.

use std::time::{Duration, SystemTime};

use rusqlite::Transaction;

use super::book::{self, Entry};
use super::guard::{self, Verdict};
use super::message::{FIX_PUSHED, Message};
use crate::gateway::clean;
use crate::gateway::ledger::{Attachment, EventId, NewEvent, NewLetter, NewWait, events};

/// The name of the relay among the ledger's sources.
pub const SOURCE: &str = "relay";

/// A longer message travels as a file, in bytes.
const INLINE_MAX: usize = 64 * 1024;
/// How much of a long message is shown beside its file, in characters.
const HEAD_MAX: usize = 2000;
/// How much of a message a list shows, in characters.
const SUBJECT_MAX: usize = 120;
/// How long somebody waits for the next build of a branch.
const WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// How a message was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Posted {
    /// It is stored and will be delivered.
    Sent(EventId),
    /// It was there already, or said already.
    Duplicate(EventId),
    /// It is stored, and held until a person lets its thread go on.
    Held {
        /// Its event.
        event: EventId,
        /// Its thread.
        thread: String,
        /// Why, if the thread was not held before: then it is to be told.
        news: Option<String>,
    },
    /// There is too much on this path: not stored.
    Later(Duration),
}

/// A message that is ready to be stored.
#[derive(Debug)]
pub struct Posting {
    entry: Entry,
    event: NewEvent,
}

impl Posting {
    /// What is to be stored of `message`, which `from` has written at `now`.
    pub fn new(from: &str, message: Message, now: SystemTime) -> Self {
        let day = jiff::Timestamp::try_from(now).unwrap_or_default();
        let day = day.strftime("%Y%m%d").to_string();
        let entry = Entry {
            from: from.to_owned(),
            to: message.to.clone(),
            thread: message.thread(from, &day),
            digest: message.digest(),
        };
        let keys = message.id.as_ref().map(|id| format!("{SOURCE}/{from}/{id}"));
        let waits = message.branch.iter().filter(|_| message.kind == FIX_PUSHED);
        let waits = waits.map(|branch| NewWait {
            branch: branch.clone(),
            group: message.to.clone(),
            lasts: WAIT,
        });
        let letter = letter(&entry, &message);
        // What travels as a file is not kept twice.
        let body =
            if letter.attachments.is_empty() { message.body.text.into_bytes() } else { Vec::new() };
        let event = NewEvent {
            source: SOURCE.to_owned(),
            kind: message.kind.clone(),
            keys: keys.into_iter().collect(),
            title: letter.subject.clone(),
            branch: message.branch.clone(),
            thread: Some(entry.thread.clone()),
            waits: waits.collect(),
            body,
            letters: vec![letter],
            ..NewEvent::default()
        };
        Self { entry, event }
    }
}

/// Judges and stores a message.
///
/// # Errors
/// As SQLite has them.
pub fn post(
    transaction: &Transaction<'_>,
    posting: Posting,
    now: SystemTime,
) -> rusqlite::Result<Posted> {
    let Posting { entry, mut event } = posting;
    if let Some(first) = events::with_key(transaction, &event.keys)? {
        return Ok(Posted::Duplicate(first));
    }
    match guard::judge(&book::past(transaction, &entry, now)?) {
        Verdict::Echo => {
            let first = book::echo_of(transaction, &entry, now)?;
            // It was there in the same transaction, a line above.
            first.map(Posted::Duplicate).ok_or(rusqlite::Error::QueryReturnedNoRows)
        }
        Verdict::Later(wait) => Ok(Posted::Later(wait)),
        Verdict::Pass(hop) => {
            let stored = events::store(transaction, &event, now)?;
            book::note(transaction, &stored.event, &entry, hop, now)?;
            Ok(Posted::Sent(stored.event))
        }
        Verdict::Hold { hop, why, again } => {
            event.letters.iter_mut().for_each(|letter| letter.held = true);
            event.waits.clear();
            let stored = events::store(transaction, &event, now)?;
            book::note(transaction, &stored.event, &entry, hop, now)?;
            book::hold(transaction, &entry.thread, &why, now)?;
            let news = (!again).then_some(why);
            Ok(Posted::Held { event: stored.event, thread: entry.thread, news })
        }
    }
}

fn letter(entry: &Entry, message: &Message) -> NewLetter {
    let (from, thread) = (clean::line(&entry.from, 64), &entry.thread);
    let text = &message.body.text;
    let is_long = text.len() > INLINE_MAX || message.body.bytes.is_some();
    let mut lines = vec![format!("MESSAGE FROM {from} ({}, thread {thread})", message.kind)];
    if let Some(branch) = &message.branch {
        lines.push(format!("Branch: {}", clean::reference(branch)));
    }
    lines.push(String::new());
    let mut attachments = Vec::new();
    if is_long {
        let bytes = message.body.bytes.clone().unwrap_or_else(|| text.clone().into_bytes());
        lines.push(clean::prose(beginning(text), HEAD_MAX));
        let size = bytes.len();
        lines.push(format!(
            "\n[That was its beginning. All {size} bytes are in the attached file.]"
        ));
        attachments.push(Attachment { name: format!("message-from-{}.txt", entry.from), bytes });
    } else {
        lines.push(clean::prose(text, INLINE_MAX));
    }
    lines.push(format!(
        "\n[Written by the agent {from}, not by a person. An answer goes to the gateway with \
         \"thread\":\"{thread}\".]"
    ));
    NewLetter {
        group: entry.to.clone(),
        subject: format!("{from}: {}", clean::line(beginning(text), SUBJECT_MAX)),
        text: lines.join("\n"),
        attachments,
        held: false,
    }
}

/// So much of a long text that, cleaned, it is as long as anything of it that is shown.
fn beginning(text: &str) -> &str {
    let end = text.char_indices().nth(4 * HEAD_MAX).map_or(text.len(), |(at, _)| at);
    &text[..end]
}

#[cfg(test)]
mod tests;
