//! Messages that are to be typed into a session, and the queue in which they wait.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, SystemTime};

use super::{Mono, Now};

/// A queue that is longer than this takes no more: whoever fills it is not being read.
const QUEUE_MAX: usize = 500;
/// How many ends of messages are remembered for whoever asks.
const SETTLED_MAX: usize = 600;
/// The first wait before a message that could not be typed is tried again; it doubles. Short,
/// because a registry says a moment late that a turn is over.
const AGAIN_FROM: Duration = Duration::from_millis(200);
/// The longest such wait. What changes in the reading is not waited for: it ends the wait.
const AGAIN_TO: Duration = Duration::from_secs(30);

/// The short name of a message, by which its arrival is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MessageId(u32);

/// Five bits a digit; without the letters that are read as digits.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Six digits.
const ID_BITS: u32 = 30;

impl MessageId {
    /// The id that a random number gives.
    pub const fn new(random: u32) -> Self {
        Self(random & ((1 << ID_BITS) - 1))
    }

    /// Reads what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() != 6 {
            return None;
        }
        let digit = |byte: &u8| DIGITS.iter().position(|digit| digit == byte);
        let mut id = 0;
        for byte in bytes {
            id = id << 5 | u32::try_from(digit(byte)?).ok()?;
        }
        Some(Self(id))
    }

    /// What stands at the end of the typed text.
    pub fn mark(self) -> String {
        format!("[msg {self}]")
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (0..6).rev().try_for_each(|place| {
            let digit = DIGITS[(self.0 >> (5 * place) & 31) as usize];
            write!(f, "{}", char::from(digit))
        })
    }
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its name; those of later messages with the same text that were folded into it follow.
    pub ids: Vec<MessageId>,
    /// What is to be typed.
    pub text: String,
    /// When it was queued.
    pub since: SystemTime,
    /// When it is of no use any more.
    pub expires: Option<SystemTime>,
    /// Its typing has begun, and nobody knows yet whether it arrived: it is looked for before it
    /// is typed again.
    pub begun: bool,
    /// What it is about: a later one about the same takes its place; none = it stands for itself.
    pub about: Option<String>,
}

impl Message {
    /// Its name.
    pub fn id(&self) -> MessageId {
        self.ids.first().copied().unwrap_or(MessageId(0))
    }

    /// Whether it is a command to the program itself, and no prompt.
    pub fn is_command(&self) -> bool {
        self.text.starts_with('/')
    }

    /// Whether a prompt that was entered is this message.
    pub fn is_in(&self, prompt: &str) -> bool {
        prompt.contains(&self.id().mark())
    }
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It waits; for what, in words.
    Waiting(String),
    /// It was seen to arrive.
    Arrived,
    /// It will not be typed; why.
    Dropped(String),
}

/// What the attempt to type a message came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// It arrived: there is proof.
    Arrived,
    /// Nothing was typed, and why: it is tried again.
    NotNow(String),
    /// Something was typed, and there is no proof yet that it arrived.
    Unsure(String),
    /// It cannot be typed, or not be typed again; why.
    Never(String),
}

/// The messages of one session, in order.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Waiting>,
    settled: VecDeque<(MessageId, Delivery)>,
    /// Not tried again before, unless something changes.
    again: Option<Mono>,
    tries: u32,
    why: String,
}

#[derive(Debug)]
struct Waiting {
    message: Message,
    /// When it expires, on the clock that does not step.
    deadline: Option<Mono>,
    /// It is of no use to another life of the supervisor, which does not know why it was typed.
    fleeting: bool,
}

impl Queue {
    /// The queue as it was saved. A date that has stepped since shortens or lengthens the rest of
    /// a message's time; within one life of the supervisor none does.
    pub(super) fn restored(messages: &[Message], now: Now) -> Self {
        let waiting = messages.iter().map(|message| {
            let left = |at: SystemTime| at.duration_since(now.wall).unwrap_or_default();
            let deadline = message.expires.map(|at| now.mono + left(at));
            Waiting { message: message.clone(), deadline, fleeting: false }
        });
        Self { waiting: waiting.collect(), ..Self::default() }
    }

    pub(super) fn saved(&self) -> Vec<Message> {
        let kept = self.waiting.iter().filter(|it| !it.fleeting);
        kept.map(|it| it.message.clone()).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Takes a message in. One that says what another says that has not been begun is folded into
    /// that.
    pub(super) fn push(
        &mut self,
        id: MessageId,
        text: String,
        expires_in: Option<Duration>,
        now: Now,
    ) {
        let deadline = expires_in.map(|wait| now.mono + wait);
        let equal = |it: &&mut Waiting| it.message.text == text && !it.message.begun;
        if let Some(same) = self.waiting.iter_mut().find(equal) {
            same.message.ids.push(id);
            // The later of the two ends; one without an end has none.
            same.deadline = same.deadline.zip(deadline).map(|(a, b)| a.max(b));
            same.message.expires = same.deadline.map(|at| now.wall + at.since(now.mono));
        } else if self.waiting.len() >= QUEUE_MAX {
            self.refuse(id, format!("{QUEUE_MAX} messages wait already"));
        } else {
            let message = Message {
                ids: vec![id],
                text,
                since: now.wall,
                expires: expires_in.map(|wait| now.wall + wait),
                begun: false,
                about: None,
            };
            self.waiting.push_back(Waiting { message, deadline, fleeting: false });
        }
    }

    /// Takes in a message that says all that an earlier one about the same has said: in its place,
    /// if that has not been begun.
    pub(super) fn push_about(&mut self, about: &str, id: MessageId, text: String, now: Now) {
        let same =
            |it: &&mut Waiting| it.message.about.as_deref() == Some(about) && !it.message.begun;
        if let Some(earlier) = self.waiting.iter_mut().find(same) {
            earlier.message.text = text;
            earlier.message.since = now.wall;
            earlier.message.ids.push(id);
            return;
        }
        self.push(id, text, None, now);
        if let Some(last) = self.waiting.back_mut().filter(|it| it.message.ids == [id]) {
            last.message.about = Some(about.to_owned());
        }
    }

    /// What is to be said about something, and was not begun.
    pub(super) fn unsaid(&self) -> Vec<MessageId> {
        let unsaid = |it: &&Waiting| it.message.about.is_some() && !it.message.begun;
        self.waiting.iter().filter(unsaid).map(|it| it.message.id()).collect()
    }

    /// What the first one says, if it is about something.
    pub(super) fn says_about(&self) -> Option<&str> {
        let first = self.waiting.front().filter(|it| it.message.about.is_some());
        first.map(|it| it.message.text.as_str())
    }

    /// Takes in what is to be typed before all but the first `at` ones. A command is for what the
    /// session is known to be now.
    pub(super) fn push_at(
        &mut self,
        at: usize,
        id: MessageId,
        text: String,
        expires_in: Option<Duration>,
        now: Now,
    ) {
        let expires = expires_in.map(|wait| now.wall + wait);
        let message =
            Message { ids: vec![id], text, since: now.wall, expires, begun: false, about: None };
        let deadline = expires_in.map(|wait| now.mono + wait);
        let fleeting = message.is_command();
        self.waiting.insert(at.min(self.waiting.len()), Waiting { message, deadline, fleeting });
        if at == 0 {
            (self.again, self.tries) = (None, 0);
        }
    }

    /// Puts a message before all others.
    pub(super) fn bring_forward(&mut self, id: MessageId) -> bool {
        let at = self.waiting.iter().position(|it| it.message.id() == id).filter(|at| *at > 0);
        let Some(waiting) = at.and_then(|at| self.waiting.remove(at)) else { return false };
        self.waiting.push_front(waiting);
        (self.again, self.tries) = (None, 0);
        true
    }

    /// Whether it may stand at the terminal already.
    pub(super) fn is_begun(&self, id: MessageId) -> bool {
        self.waiting.iter().any(|it| it.message.id() == id && it.message.begun)
    }

    /// Takes a command back, if it waits and has not been begun.
    pub(super) fn withdraw_command(&mut self, id: MessageId) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|it| it.message.id() != id || it.message.begun || !it.fleeting);
        self.waiting.len() < before
    }

    /// Takes a message back that has not been begun.
    pub(super) fn withdraw(&mut self, id: MessageId) {
        self.waiting.retain(|it| it.message.id() != id || it.message.begun);
    }

    /// Does not take a message in.
    pub(super) fn refuse(&mut self, id: MessageId, why: String) {
        self.settle(id, Delivery::Dropped(why));
    }

    /// The name of the first one.
    pub(super) fn front(&self) -> Option<MessageId> {
        self.waiting.front().map(|it| it.message.id())
    }

    /// Whether the first one is a command to the program itself.
    pub(super) fn is_command(&self) -> bool {
        self.waiting.front().is_some_and(|it| it.message.is_command())
    }

    /// What the first one waits for.
    pub(super) fn why(&self) -> &str {
        &self.why
    }

    /// The first one waits for a change, not for a time.
    pub(super) fn wait_for(&mut self, why: String) {
        self.why = why;
    }

    /// The message whose turn it is, if it may be tried now.
    pub(super) fn due(&self, now: Mono) -> Option<&Message> {
        let free = self.again.is_none_or(|at| now >= at);
        self.waiting.front().filter(|_| free).map(|it| &it.message)
    }

    /// When the first one may be tried again.
    pub(super) fn again(&self) -> Option<Mono> {
        self.again.filter(|_| !self.waiting.is_empty())
    }

    /// When the next message that expires does so.
    pub(super) fn expires(&self) -> Option<Mono> {
        self.waiting.iter().filter(|it| !it.message.begun).filter_map(|it| it.deadline).min()
    }

    /// Something changed: the first one may be tried at once.
    pub(super) fn hurry(&mut self) {
        if self.waiting.front().is_some_and(|it| !it.message.begun) {
            self.again = None;
        }
    }

    /// The typing of the first one begins: what it was before, for whoever types it.
    pub(super) fn begin(&mut self) -> Option<(Message, bool)> {
        let first = self.waiting.front_mut()?;
        let suspected = std::mem::replace(&mut first.message.begun, true);
        Some((first.message.clone(), suspected))
    }

    /// The first one is not being typed any more; `begun` = it may have been.
    pub(super) fn wait(&mut self, begun: bool, why: String, now: Mono) {
        if let Some(first) = self.waiting.front_mut() {
            first.message.begun = begun;
        }
        let wait = AGAIN_FROM.saturating_mul(1 << self.tries.min(6)).min(AGAIN_TO);
        self.tries = self.tries.saturating_add(1);
        self.again = Some(now + wait);
        self.why = why;
    }

    /// The message is not waited for any more.
    pub(super) fn end(&mut self, id: MessageId, delivery: &Delivery) -> Option<Message> {
        let at = self.waiting.iter().position(|it| it.message.id() == id)?;
        let message = self.waiting.remove(at)?.message;
        if at == 0 {
            self.again = None;
            self.tries = 0;
            self.why.clear();
        }
        for id in &message.ids {
            self.settle(*id, delivery.clone());
        }
        Some(message)
    }

    /// The message that an entered prompt was, if it is one that was begun.
    pub(super) fn entered(&self, prompt: &str) -> Option<MessageId> {
        let begun = self.waiting.iter().filter(|it| it.message.begun);
        begun.map(|it| &it.message).find(|it| it.is_in(prompt)).map(Message::id)
    }

    /// Those whose time is over. One that was begun is looked for first.
    pub(super) fn expired(&self, now: Mono) -> Vec<MessageId> {
        let over = |it: &&Waiting| {
            !it.message.begun && it.deadline.is_some_and(|deadline| now >= deadline)
        };
        self.waiting.iter().filter(over).map(|it| it.message.id()).collect()
    }

    /// What became of a message; none if it was never heard of, or too long ago.
    pub(super) fn delivery(&self, id: MessageId) -> Option<Delivery> {
        let ended = self.settled.iter().rev().find(|(known, _)| *known == id);
        let waits = || self.waiting.iter().any(|it| it.message.ids.contains(&id));
        ended
            .map(|(_, delivery)| delivery.clone())
            .or_else(|| waits().then(|| Delivery::Waiting(self.why.clone())))
    }

    fn settle(&mut self, id: MessageId, delivery: Delivery) {
        if self.settled.len() >= SETTLED_MAX {
            self.settled.pop_front();
        }
        self.settled.push_back((id, delivery));
    }
}

#[cfg(test)]
mod tests;
