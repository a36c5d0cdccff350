//! What has become of a letter that NanoClaw 1.x has, judged from all that can be seen. A plain
//! function: the same things seen give the same fate. Not here: looking, and acting on it.

use std::time::{Duration, SystemTime};

use crate::gateway::ledger::State;
use crate::gateway::ledger::letters::{Delivery, Letter};
use crate::gateway::processes::Host;
use crate::nanoclaw::runs::Run;

/// A row that NanoClaw has seen and whose agent is not woken: the group waits for nothing, and only
/// another row wakes it. NanoClaw looks every two seconds.
const SEEN_AND_NOT_TAKEN: Duration = Duration::from_secs(30);

/// A message that lay so long in the input of a container that has ended is read by nobody.
const STRANDED: Duration = Duration::from_secs(30);

/// NanoClaw notes the end of a container and then takes its cursor back, if it does.
const CURSOR_SETTLES: Duration = Duration::from_secs(5);

/// A container that was never seen, and of which there is no note, is gone.
const WITHOUT_TRACE: Duration = Duration::from_secs(120);

/// How often a group is woken for one delivery; the waits between double.
const WAKES_MAX: u32 = 6;

/// A letter that was taken and of which nobody says anything any more: neither an acknowledgement nor
/// a proof will come.
const UNPROVEN_MAX: Duration = Duration::from_secs(48 * 3600);

/// A cursor that was taken back: NanoClaw tries again for 155 seconds and then waits for another row.
const RETRIES_END: Duration = Duration::from_secs(240);

/// All that bears on one letter.
#[derive(Clone, Debug)]
pub(crate) struct Seen<'a> {
    /// The time.
    pub(crate) now: SystemTime,
    /// The row is in the database.
    pub(crate) row: bool,
    /// How far NanoClaw has read, in all.
    pub(crate) global: &'a str,
    /// How far it has read in this chat.
    pub(crate) chat: &'a str,
    /// NanoClaw itself.
    pub(crate) host: &'a Host,
    /// A container of the group lives.
    pub(crate) container: bool,
    /// Those of the group that have ended since the delivery, in order.
    pub(crate) runs: &'a [Run],
    /// Since when a message lies in the input of the group's container.
    pub(crate) stranded: Option<SystemTime>,
    /// The agent has spoken after it read the letter.
    pub(crate) answered: bool,
}

/// What is to be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing.
    Stays,
    /// It is still to be taken, and NanoClaw has begun another life.
    Moves(String),
    /// Its agent was woken, in this life of NanoClaw.
    Taken(String),
    /// NanoClaw has taken its cursor back.
    GivenBack,
    /// It was worked on to the end.
    Done,
    /// It must be given once more: why.
    Again(&'static str),
    /// NanoClaw must be woken for what it has.
    Wake,
    /// Nobody has said anything of it for too long: why it is dead.
    Dead(&'static str),
}

/// Judges a letter that is delivered or taken.
pub(crate) fn judge(letter: &Letter, delivery: &Delivery, seen: &Seen<'_>) -> Fate {
    let is_read = seen.chat >= delivery.row_time.as_str();
    match letter.state {
        State::Delivered if is_read => Fate::Taken(taken_in(delivery, seen)),
        State::Delivered => waiting(letter, delivery, seen),
        State::Taken if !is_read => Fate::GivenBack,
        State::Taken => working(letter, delivery, seen),
        State::Held | State::Queued | State::Done | State::Dead | State::Dropped => Fate::Stays,
    }
}

/// In which life of NanoClaw it was taken. If there was a new one since the last look, and nothing
/// is at work, it may have been the old one, whose containers are dead.
fn taken_in(delivery: &Delivery, seen: &Seen<'_>) -> String {
    match seen.host {
        Host::Alive(life) if delivery.host.is_empty() || seen.container => life.clone(),
        Host::Alive(_) | Host::Absent | Host::Unknown => delivery.host.clone(),
    }
}

fn waiting(letter: &Letter, delivery: &Delivery, seen: &Seen<'_>) -> Fate {
    if !seen.row {
        return Fate::Again("its row is gone from NanoClaw's database");
    }
    if let Host::Alive(life) = seen.host
        && *life != delivery.host
    {
        return Fate::Moves(life.clone());
    }
    let passed_over = seen.global >= delivery.row_time.as_str();
    // Given back is not passed over: NanoClaw is trying again by itself.
    let patience = if letter.since > delivery.at { RETRIES_END } else { SEEN_AND_NOT_TAKEN };
    let lives = !matches!(seen.host, Host::Absent);
    if lives && passed_over && !seen.container && waited(seen.now, letter, delivery, patience) {
        return Fate::Wake;
    }
    Fate::Stays
}

fn working(letter: &Letter, delivery: &Delivery, seen: &Seen<'_>) -> Fate {
    let taken = delivery.taken.unwrap_or(letter.since);
    // What began before the row was there, and ended before it was taken, has to do with others.
    let ours = |run: &&Run| run.began >= delivery.at || run.ended >= taken;
    // The note of a run that says nothing of an answer counts with the transcript's word; one that
    // says so counts if it left nothing unread.
    let own_word = |run: &Run| run.output && seen.stranded.is_none();
    let mut good = seen.runs.iter().filter(ours).filter(|run| run.is_good());
    let proof = good.any(|run| seen.answered || own_word(run));
    if proof {
        return Fate::Done;
    }
    if let Host::Alive(life) = seen.host
        && !delivery.host.is_empty()
        && *life != delivery.host
    {
        return Fate::Again("NanoClaw was restarted while its agent was at work");
    }
    if seen.container || !matches!(seen.host, Host::Alive(_)) {
        return Fate::Stays;
    }
    if older(seen.now, taken, UNPROVEN_MAX) {
        return Fate::Dead("taken two days ago, and never acknowledged");
    }
    let stranded = seen.stranded.is_some_and(|since| older(seen.now, since, STRANDED));
    if stranded && waited(seen.now, letter, delivery, STRANDED) {
        return Fate::Wake;
    }
    match seen.runs.iter().rfind(ours) {
        Some(run) if !run.is_good() && older(seen.now, run.ended, CURSOR_SETTLES) => {
            Fate::Again("its agent's container ended with an error")
        }
        None if seen.stranded.is_none() && older(seen.now, taken, WITHOUT_TRACE) => {
            Fate::Again("its agent's container is gone without a trace")
        }
        Some(_) | None => Fate::Stays,
    }
}

/// Whether it is time to wake the group, again.
fn waited(now: SystemTime, letter: &Letter, delivery: &Delivery, patience: Duration) -> bool {
    let last = delivery.woken.unwrap_or(letter.since);
    let wait = patience * 2_u32.pow(delivery.wakes.min(WAKES_MAX));
    delivery.wakes < WAKES_MAX && older(now, last, wait)
}

fn older(now: SystemTime, since: SystemTime, span: Duration) -> bool {
    now.duration_since(since).is_ok_and(|age| age >= span)
}

#[cfg(test)]
mod tests;
