//! From a notification to the ledger: stored once, with a letter for each whom it wakes, in one
//! transaction. Not here: reading the notification (see [`super::azure`], [`super::github`]).

use std::time::SystemTime;

use rusqlite::{Connection, Transaction};

use super::clean;
use super::ledger::{Ledger, LedgerError, NewEvent, NewLetter, Stored, events};
use super::letter::{self, Letter};
use super::news::{Build, News, Outcome, PullState, Wakes, What};

/// What stands between the key of a meaning and when it came to be. The next character of the
/// alphabet ends the range of all such keys.
const AT: char = '@';
const AFTER_AT: char = 'A';
/// How much of a date is compared: two subscriptions may write its fractions differently.
const SECONDS: usize = "2026-03-02T10:00:00".len();

/// A notification that is ready to be stored.
#[derive(Clone, Debug)]
pub struct Arrival {
    event: NewEvent,
    notification: Option<String>,
    meaning: Option<String>,
    /// The meaning with its date, where that is known.
    dated: Option<String>,
    /// The group that hears of it in any case.
    owner: Option<String>,
    /// The branch whose waits it ends.
    ends_waits_for: Option<String>,
    plain: Option<Letter>,
    /// What whoever waited for it is told is written only if there is somebody.
    news: News,
    /// Its letters are not delivered before somebody lets them go.
    held: bool,
}

impl Arrival {
    /// What is to be stored of `news`, which came as `body`; `deliver_to` is the group that the
    /// source's events are for.
    pub fn new(news: &News, body: Vec<u8>, deliver_to: Option<&str>) -> Self {
        let (build, finished) = match &news.what {
            What::Build(Build { id, number, finished, .. }) => {
                (id.map(|id| id.to_string()).or_else(|| number.clone()), finished.as_deref())
            }
            What::PullRequest(_)
            | What::Progress(_)
            | What::Test
            | What::Ping
            | What::Unknown
            | What::Unreadable(_) => (None, None),
        };
        let finished = finished.and_then(|date| date.get(..SECONDS));
        let dated = news.meaning.as_ref().zip(finished);
        let owner = deliver_to.filter(|_| news.wakes() == Wakes::Owner);
        let plain = owner.and_then(|_| letter::of(news, false));
        let title =
            plain.as_ref().map_or_else(|| letter::title(news), |letter| letter.subject.clone());
        Self {
            notification: news.notification.clone(),
            meaning: news.meaning.clone(),
            dated: dated.map(|(meaning, date)| format!("{meaning}{AT}{date}")),
            owner: owner.map(str::to_owned),
            ends_waits_for: news.branch().filter(|_| is_conclusive(news)).map(str::to_owned),
            plain,
            news: news.clone(),
            held: false,
            event: NewEvent {
                source: news.source.as_str().to_owned(),
                kind: clean::line(&news.kind, 80),
                title,
                build: build.map(|build| clean::line(&build, 50)),
                branch: news.branch().map(clean::reference),
                link: letter::link(news),
                test: news.what == What::Test,
                body,
                ..NewEvent::default()
            },
        }
    }

    /// The same with letters that wait for something that is to go with them.
    pub fn held(self) -> Self {
        Self { held: true, ..self }
    }

    /// What a list says of it.
    pub fn title(&self) -> &str {
        &self.event.title
    }
}

/// Stores a notification; answers when it is durable.
///
/// # Errors
/// [`LedgerError`]: it is not stored, as far as we know.
pub async fn take(ledger: &Ledger, arrival: Arrival) -> Result<Stored, LedgerError> {
    ledger.write(move |transaction| store(transaction, arrival, SystemTime::now())).await
}

/// The same within a transaction.
///
/// # Errors
/// As SQLite has them.
pub fn store(
    transaction: &Transaction<'_>,
    arrival: Arrival,
    now: SystemTime,
) -> rusqlite::Result<Stored> {
    let Arrival {
        mut event,
        notification,
        meaning,
        dated,
        owner,
        ends_waits_for,
        plain,
        news,
        held,
    } = arrival;
    if is_repeated(transaction, &notification, &meaning, &dated)? {
        event.keys = [notification, dated, meaning].into_iter().flatten().collect();
        return events::store(transaction, &event, now);
    }
    if let Some((letter, group)) = plain.zip(owner) {
        event.letters.push(addressed(letter, group));
    }
    if let Some(branch) = ends_waits_for {
        for wait in events::take_waits(transaction, &branch, now)? {
            let others = || event.letters.iter().all(|letter| letter.group != wait.group);
            if let Some(letter) = letter::of(&news, true).filter(|_| others()) {
                event.letters.push(addressed(letter, wait.group));
            }
        }
    }
    event.letters.iter_mut().for_each(|letter| letter.held = held);
    // A build that was tried again is told by its date alone: its meaning is the first one's.
    let again = match &meaning {
        Some(meaning) => knows(transaction, meaning)?,
        None => false,
    };
    event.keys = [notification, meaning.filter(|_| !again), dated].into_iter().flatten().collect();
    events::store(transaction, &event, now)
}

/// Whether an event is there that says the same. The same end of the same build is one, unless both
/// say when it was and it was another time: then the build was tried again.
fn is_repeated(
    connection: &Connection,
    notification: &Option<String>,
    meaning: &Option<String>,
    dated: &Option<String>,
) -> rusqlite::Result<bool> {
    for exact in notification.iter().chain(dated) {
        if knows(connection, exact)? {
            return Ok(true);
        }
    }
    let Some(meaning) = meaning else { return Ok(false) };
    let another_time = dated.is_some() && has_a_date(connection, meaning)?;
    Ok(!another_time && knows(connection, meaning)?)
}

fn knows(connection: &Connection, key: &String) -> rusqlite::Result<bool> {
    Ok(events::with_key(connection, std::slice::from_ref(key))?.is_some())
}

fn has_a_date(connection: &Connection, meaning: &str) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM event_keys WHERE key > ?1 AND key < ?2")?
        .exists([format!("{meaning}{AT}"), format!("{meaning}{AFTER_AT}")])
}

fn addressed(letter: Letter, group: String) -> NewLetter {
    let Letter { subject, text } = letter;
    NewLetter { group, subject, text, ..NewLetter::default() }
}

/// Whether it is what somebody waits for: a build that was stopped is not.
fn is_conclusive(news: &News) -> bool {
    match &news.what {
        What::Build(build) => match build.outcome {
            Outcome::Succeeded | Outcome::PartiallySucceeded | Outcome::Failed => true,
            Outcome::Canceled | Outcome::Unsaid => false,
        },
        What::PullRequest(pull) => matches!(pull.state, PullState::Merged | PullState::Abandoned),
        What::Progress(_) | What::Test | What::Ping | What::Unknown | What::Unreadable(_) => false,
    }
}

#[cfg(test)]
mod tests;
