//! The rule against talk without end. Agents answer each other; two or three of them can do so for
//! a night, and every word costs. So a message knows how many it answers, one after the other,
//! since something from outside happened; and a path and a thread carry so much and no more. Pure.
//! Not here: where the numbers come from (see [`super::book`]).

use std::time::Duration;

/// So many messages may answer each other without anything from outside.
pub const HOPS_MAX: u32 = 8;
/// So many may go from one agent to another within [`PATH_WITHIN`].
pub const PATH_MAX: u32 = 6;
/// See [`PATH_MAX`].
pub const PATH_WITHIN: Duration = Duration::from_secs(10 * 60);
/// So many may be about one thing within [`THREAD_WITHIN`].
pub const THREAD_MAX: u32 = 30;
/// See [`THREAD_MAX`].
pub const THREAD_WITHIN: Duration = Duration::from_secs(24 * 60 * 60);
/// The same words between the same two within this time are said once.
pub const ECHO_WITHIN: Duration = Duration::from_secs(30 * 60);

/// What is known of a message's past.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// How far the letter that its sender was given last is from something from outside; `None` =
    /// it was given none.
    pub cause: Option<u32>,
    /// How long ago each message of this path within [`PATH_WITHIN`] was, the oldest first.
    pub on_path: Vec<Duration>,
    /// How many there were in its thread within [`THREAD_WITHIN`], or since it was released.
    pub in_thread: u32,
    /// Whether the same words went between the two within [`ECHO_WITHIN`].
    pub echo: bool,
    /// Whether its thread is held.
    pub held: bool,
}

/// What becomes of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on, so many hops from what is outside.
    Pass(u32),
    /// It was said already: nothing is stored.
    Echo,
    /// Too much on this path: nothing is stored; it may be tried again after this time.
    Later(Duration),
    /// It is kept and not delivered until a person lets its thread go on.
    Hold {
        /// Its hops.
        hop: u32,
        /// Why.
        why: String,
        /// Whether its thread was held already: then that was told.
        again: bool,
    },
}

/// What becomes of a message with this past.
pub fn judge(past: &Past) -> Verdict {
    let hop = past.cause.unwrap_or(0).saturating_add(1);
    if past.echo {
        return Verdict::Echo;
    }
    // First of all: what is held is kept, and so must be bounded as well.
    if past.on_path.len() >= PATH_MAX as usize {
        let oldest = past.on_path.first().copied().unwrap_or_default();
        return Verdict::Later(PATH_WITHIN.saturating_sub(oldest));
    }
    if past.held {
        return Verdict::Hold { hop, why: "its thread is held".to_owned(), again: true };
    }
    if hop > HOPS_MAX {
        let why = format!("{HOPS_MAX} messages have answered each other, and nothing from outside");
        return Verdict::Hold { hop, why, again: false };
    }
    if past.in_thread >= THREAD_MAX {
        let why = format!("{THREAD_MAX} messages in this thread within a day");
        return Verdict::Hold { hop, why, again: false };
    }
    Verdict::Pass(hop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_after_something_from_outside_begins_to_count() {
        assert_eq!(judge(&Past::default()), Verdict::Pass(1));
        assert_eq!(judge(&Past { cause: Some(0), ..Past::default() }), Verdict::Pass(1));
        assert_eq!(judge(&Past { cause: Some(7), ..Past::default() }), Verdict::Pass(8));
    }

    #[test]
    fn what_answers_too_many_answers_is_held() {
        let verdict = judge(&Past { cause: Some(8), ..Past::default() });
        assert!(matches!(verdict, Verdict::Hold { hop: 9, again: false, .. }), "{verdict:?}");
        let verdict = judge(&Past { held: true, ..Past::default() });
        assert!(matches!(verdict, Verdict::Hold { again: true, .. }), "{verdict:?}");
        let verdict = judge(&Past { in_thread: THREAD_MAX, ..Past::default() });
        assert!(matches!(verdict, Verdict::Hold { again: false, .. }), "{verdict:?}");
    }

    #[test]
    fn a_full_path_says_when_there_is_room_again() {
        let ages = [590, 400, 300, 200, 100, 1].map(Duration::from_secs).to_vec();
        let past = Past { on_path: ages, held: true, ..Past::default() };
        assert_eq!(judge(&past), Verdict::Later(Duration::from_secs(10)));
    }

    #[test]
    fn the_same_words_are_said_once() {
        let past = Past { echo: true, held: true, ..Past::default() };
        assert_eq!(judge(&past), Verdict::Echo);
    }
}
