//! What comes to the gateway by HTTP, and what it writes of it.

use std::cell::RefCell;
use std::sync::LazyLock;

use regex::Regex;
use rusqlite::{Connection, Transaction};
use serde_json::Value;

use super::{head, is_a_line, is_harmless, now};
use crate::gateway::courier::words as courier;
use crate::gateway::handler::relay::{NoAck, acked};
use crate::gateway::inbox::{self, Arrival};
use crate::gateway::ledger::letters::{Letter, LetterId};
use crate::gateway::ledger::{EventId, State, schema};
use crate::gateway::news::{News, Wakes, What};
use crate::gateway::reconcile::{logs, subscriptions};
use crate::gateway::relay::message::{self, Message};
use crate::gateway::relay::{self as posting, Posted, Posting};
use crate::gateway::{azure as ado, clean as cleaning, github as hub, letter, secrets as kept};

/// A subject is a few fields of some hundred characters at most.
const SUBJECT_MAX: usize = 600;
/// A letter of a source has some ten lines, each with one field.
const LETTER_MAX: usize = 4000;

/// A body of an authenticated Azure DevOps: whatever it is, it is stored.
pub fn azure(body: &[u8]) {
    for organization in [None, Some("devgem")] {
        is_told_and_stored(&ado::parse(body, organization), body);
    }
}

/// A body of GitHub, after a line with its event and one with its delivery.
pub fn github(data: &[u8]) {
    let (event, rest) = head(data);
    let (delivery, body) = head(rest);
    is_told_and_stored(&hub::parse(&event, Some(&delivery), body), body);
}

/// The header with GitHub's signature: `sha256=` and 64 hexadecimal digits, and nothing else.
pub fn signature(data: &[u8]) {
    let header = String::from_utf8_lossy(data);
    let digits = header.trim().strip_prefix("sha256=");
    let is_one =
        digits.is_some_and(|it| it.len() == 64 && it.bytes().all(|b| b.is_ascii_hexdigit()));
    let read = hub::Signature::parse(&header);
    assert_eq!(read.is_some(), is_one, "{header:?}");
    let made = hub::sign(data, data).expect("a key of any length");
    let read = hub::Signature::parse(&made).expect("what we write");
    assert!(read.fits(data, data) && !read.fits(b"another", data));
}

/// What Azure DevOps' REST interface answers: builds, a timeline, subscriptions.
pub fn rest(data: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(data) else { return };
    let builds = value["value"].as_array().into_iter().flatten();
    for build in builds.chain([&value["resource"], &value]) {
        let news = ado::listed(build, "devgem");
        assert!(matches!(news.what, What::Build(_)), "{news:?}");
        is_told_and_stored(&news, build.to_string().as_bytes());
    }
    let steps = logs::failed(&value);
    assert!(steps.len() <= 3, "{steps:?}");
    for (name, _) in steps {
        let name = cleaning::line(&name, 80);
        is_harmless(&name);
        let file = logs::file_name(7, &name);
        assert!(!file.contains('/') && file.len() < 255, "{file:?}");
    }
    for it in subscriptions::ours(&value) {
        for text in [it.id, it.state, it.event] {
            is_harmless(&text);
            is_a_line(&text, 80);
        }
    }
}

/// A message of one agent to another: a line with its content type, one with its query, the body.
pub fn relay(data: &[u8]) {
    let (kind, rest) = head(data);
    let (query, body) = head(rest);
    let is_text = kind.split(';').next().unwrap_or_default().trim();
    let is_text = is_text.eq_ignore_ascii_case("text/plain");
    let Ok(message) = message::parse(&kind, &query, body) else { return };
    if is_text {
        static BAD: LazyLock<Regex> =
            LazyLock::new(|| Regex::new("%([^0-9A-Fa-f]|.[^0-9A-Fa-f]|.?$)").expect("a pattern"));
        assert!(!BAD.is_match(&query), "a bad escape is read: {query:?}");
    }
    let is_name = |name: &str| !name.is_empty() && name.len() <= 64;
    assert!(is_name(&message.to) && message.from.as_deref().is_none_or(is_name), "{message:?}");
    assert!(!message.body.text.trim().is_empty(), "{message:?}");
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    assert!(!message.kind.is_empty() && message.kind.bytes().all(word), "{message:?}");
    if let Some(bytes) = &message.body.bytes {
        assert_eq!(bytes, body, "the very bytes");
    }
    is_posted_once(&message);
}

fn is_posted_once(message: &Message) {
    let from = message.from.as_deref().unwrap_or("ryan");
    let thread = message.thread(from, "20261121");
    let reversed = Message { to: from.to_owned(), ..message.clone() };
    assert_eq!(thread, reversed.thread(&message.to, "20261121"), "the same in either direction");
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._/-+#%".contains(&b);
    assert!(thread.trim_end_matches('…').bytes().all(plain), "{thread:?}");
    in_a_ledger(|transaction| {
        let post = || Posting::new(from, message.clone(), now());
        let first = posting::post(transaction, post(), now()).expect("it is stored");
        let Posted::Sent(event) = first else { panic!("{first:?}") };
        let again = posting::post(transaction, post(), now()).expect("it is known");
        assert_eq!(again, Posted::Duplicate(event));
        let letters = letters(transaction);
        let [(subject, text)] = &letters[..] else { panic!("{letters:?}") };
        is_harmless(subject);
        is_a_line(subject, 64 + 2 + 120);
        is_harmless(text);
        has_no_frames(text);
        assert!(text.chars().count() < 64 * 1024 + 2000, "too long: {}", text.len());
    });
}

/// Strangers' words made harmless.
pub fn clean(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for most in [7, 200] {
        let line = cleaning::line(&text, most);
        is_harmless(&line);
        is_a_line(&line, most);
        assert!(!line.contains(['<', '>', '@', '`']), "{line:?}");
        if !line.ends_with('…') {
            assert_eq!(cleaning::line(&line, most), line, "once is enough");
        }
    }
    for most in [100, 64 * 1024] {
        let prose = cleaning::prose(&text, most);
        is_harmless(&prose);
        has_no_frames(&prose);
        assert!(prose.chars().count() <= most);
        if !prose.ends_with('…') {
            assert_eq!(cleaning::prose(&prose, most), prose, "once is enough");
        }
    }
    let reference = cleaning::reference(&text);
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._/-+#%".contains(&b);
    let shown = reference.strip_suffix('…').unwrap_or(&reference);
    assert!(shown.bytes().all(plain) && reference.chars().count() <= 200, "{reference:?}");
    if let Some(commit) = cleaning::commit(&text) {
        assert!((7..=64).contains(&commit.len()) && commit.bytes().all(|b| b.is_ascii_hexdigit()));
    }
    if let Some(link) = cleaning::link(&text) {
        leads_where_we_know(&link);
    }
    let redacted = cleaning::redact(&text);
    assert_eq!(cleaning::redact(&redacted), redacted, "once is enough");
}

/// What a letter is around its text: names of files, one a line, and the text after an empty line.
pub fn words(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (names, text) = text.split_once("\n\n").unwrap_or((&text, ""));
    let names: Vec<&str> = names.lines().take(20).collect();
    let files = courier::file_names(names.iter().copied());
    assert_eq!(files.len(), names.len());
    for (at, file) in files.iter().enumerate() {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        assert!(file.bytes().all(plain) && !file.starts_with('.'), "{file:?}");
        assert!(!file.is_empty() && file.len() <= 80 + 3, "{file:?}");
        assert!(file != courier::LETTER && !files[..at].contains(file), "{files:?}");
    }
    let event = EventId::parse("0123abcd").expect("an id");
    let letter = Letter {
        id: LetterId::of_a_test(),
        event,
        received: now(),
        group: "ryan".to_owned(),
        subject: text.to_owned(),
        text: text.to_owned(),
        state: State::Queued,
        since: now(),
        deliveries: 2,
        last: None,
    };
    let message = courier::message(&letter, 2, Some("/mail"), &files);
    assert!(message.starts_with("[evt 0123abcd, delivery 2]"));
    assert!(message.len() < 64 * 1024 + 4000, "too long: {}", message.len());
    assert!(!courier::short(&letter, 1).contains('\n'));
}

/// An acknowledgement.
pub fn ack(data: &[u8]) {
    match acked(data) {
        Ok(event) => {
            assert_eq!(EventId::parse(event.as_str()).as_ref(), Some(&event));
            let text = String::from_utf8_lossy(data);
            assert!(text.contains(event.as_str()) || text.contains('\\'), "{event} of {text:?}");
        }
        Err(NoAck::Bad | NoAck::NoEvent) => {}
    }
}

/// A file of secrets.
pub fn secrets(data: &[u8]) {
    for secret in kept::parse(data) {
        let text = secret.text();
        assert!(!text.is_empty() && !text.contains(&b'\n'), "{secret:?}");
        assert_eq!(text, text.trim_ascii());
    }
}

fn is_told_and_stored(news: &News, body: &[u8]) {
    for told in [letter::of(news, false), letter::of(news, true)].into_iter().flatten() {
        is_harmless(&told.subject);
        is_a_line(&told.subject, SUBJECT_MAX);
        is_harmless(&told.text);
        has_no_frames(&told.text);
        assert!(told.text.chars().count() < LETTER_MAX, "{told:?}");
        // Each field is in a line of its own, and none can begin another one.
        let ends = told.text.lines().filter(|line| line.starts_with("The names and values above"));
        assert_eq!(ends.count(), 1, "{told:?}");
    }
    let title = letter::title(news);
    is_harmless(&title);
    is_a_line(&title, SUBJECT_MAX);
    if let Some(link) = letter::link(news) {
        leads_where_we_know(&link);
    }
    in_a_ledger(|transaction| {
        let arrival = || Arrival::new(news, body.to_vec(), Some("ryan"));
        let first = inbox::store(transaction, arrival(), now()).expect("it is stored");
        assert!(!first.duplicate);
        let letters = letters(transaction);
        assert_eq!(letters.len(), usize::from(news.wakes() == Wakes::Owner), "{news:?}");
        let again = inbox::store(transaction, arrival(), now()).expect("it is known");
        let has_a_name = news.notification.is_some() || news.meaning.is_some();
        assert_eq!(again.duplicate, has_a_name, "{news:?}");
        let kept: Vec<u8> = transaction
            .query_row("SELECT body FROM events ORDER BY seq LIMIT 1", [], |row| row.get(0))
            .expect("its body");
        assert_eq!(kept, body, "what came is kept");
    });
}

fn leads_where_we_know(link: &str) {
    static KNOWN: LazyLock<Regex> = LazyLock::new(|| {
        let host = r"dev\.azure\.com|github\.com|[a-z0-9.-]+\.visualstudio\.com";
        Regex::new(&format!("(?i)^https://({host})([/?#][!-~]*)?$")).expect("a pattern")
    });
    assert!(KNOWN.is_match(link) && link.len() <= 500, "{link:?}");
}

/// Nothing that looks like the frame of a prompt, and nothing that a web page would hide.
fn has_no_frames(text: &str) {
    static FRAME: LazyLock<Regex> = LazyLock::new(|| {
        let words = "message|context|internal|system|attachment|assistant|user|human|tool";
        Regex::new(&format!(r"(?i)<[/!?\s]*({words})|<!--")).expect("a pattern")
    });
    if let Some(found) = FRAME.find(text) {
        panic!("{:?} in {text:?}", found.as_str());
    }
}

fn letters(transaction: &Transaction<'_>) -> Vec<(String, String)> {
    let mut statement = transaction.prepare("SELECT subject, text FROM letters").expect("letters");
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("letters");
    rows.collect::<rusqlite::Result<_>>().expect("letters")
}

/// Within a transaction that comes to nothing, in a ledger in memory.
fn in_a_ledger(act: impl FnOnce(&Transaction<'_>)) {
    thread_local!(static LEDGER: RefCell<Connection> = RefCell::new(ledger()));
    LEDGER.with_borrow_mut(|ledger| act(&ledger.transaction().expect("a transaction")));
}

fn ledger() -> Connection {
    let mut ledger = Connection::open_in_memory().expect("a database in memory");
    schema::migrate(&mut ledger).expect("our tables");
    ledger
}
