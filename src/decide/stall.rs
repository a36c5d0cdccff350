//! Whether anything moves in a turn. Agents try for an hour before they give up on a server that
//! says nothing, and think for minutes without a word: only what is beyond all that is a stall.

use std::time::Duration;

use super::event::Action;
use super::spent::Remedy;
use super::watchdog::Watchdog;
use super::{Mono, Now, Process, UnitName};

/// A turn of which neither a hook nor a transcript nor a registry has said anything for so long
/// waits for something that will not come: eleven tries of six minutes each are an agent's own.
const STALLED: Duration = Duration::from_secs(75 * 60);
/// A screen with a turn on it shows a clock that ticks. One that has not changed over so many looks …
const SAME: u32 = 3;
/// … and such a time is that of a program that does nothing any more.
const FROZEN: Duration = Duration::from_secs(4 * 60);

/// What stands still again so soon after its process was replaced does so for its conversation. It
/// takes more than an hour to see that.
const AGAIN: Duration = Duration::from_secs(3 * 60 * 60);

/// The last signs of life of a turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Motion {
    /// When a channel other than the screen has last said anything.
    moved: Option<Mono>,
    /// Its transcript is followed: that it says nothing means something.
    followed: bool,
    picture: Option<Picture>,
}

/// What was seen on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Picture {
    digest: u64,
    since: Mono,
    last: Mono,
    looks: u32,
}

impl Motion {
    pub(super) fn moves(&mut self, at: Mono) {
        self.moved = self.moved.max(Some(at));
    }

    /// Its transcript has grown.
    pub(super) fn grows(&mut self, at: Mono) {
        self.followed = true;
        self.moves(at);
    }

    /// The screen was looked at in the middle of a turn.
    pub(super) fn shows(&mut self, digest: u64, now: Mono) {
        self.picture = match self.picture {
            Some(known) if known.digest == digest => {
                Some(Picture { last: now, looks: known.looks.saturating_add(1), ..known })
            }
            Some(_) | None => Some(Picture { digest, since: now, last: now, looks: 1 }),
        };
    }

    /// Why nothing moves any more, if so.
    fn stuck(&self, now: Mono) -> Option<&'static str> {
        let frozen = self.picture.is_some_and(|picture| {
            let still = self.moved.is_none_or(|moved| moved < picture.since);
            still && picture.looks >= SAME && picture.last.since(picture.since) >= FROZEN
        });
        if frozen {
            return Some("its screen stands still in the middle of a turn");
        }
        let silent = self.stalls_at().is_some_and(|at| now >= at);
        silent.then_some("nothing has moved in its turn for more than an hour")
    }

    fn stalls_at(&self) -> Option<Mono> {
        self.moved.filter(|_| self.followed).map(|moved| moved + STALLED)
    }
}

impl Watchdog {
    /// A transcript has grown.
    pub(super) fn progressed(&mut self, name: &UnitName, process: Process, at: Mono) {
        let Some(unit) = self.units.get_mut(name) else { return };
        match unit.process {
            Some(known) if known == process => unit.care.motion.grows(at),
            Some(_) => {}
            None => unit.hearsay.grows(process, at),
        }
    }

    /// It is in the middle of a turn.
    pub(super) fn works(&mut self, now: Now, name: &UnitName, actions: &mut Vec<Action>) {
        let Some(unit) = self.units.get_mut(name) else { return };
        unit.care.next =
            unit.care.motion.stalls_at().map(|at| (at, "looks whether anything moves"));
        let Some(why) = unit.care.motion.stuck(now.mono) else { return };
        let Some(best) = unit.sightings.best().cloned() else { return };
        unit.care.next = None;
        unit.care.says = why.to_owned();
        let again = unit.care.spent.within(&[Remedy::Resume], AGAIN, now.mono) > 0;
        let remedy = if again { Remedy::Fresh } else { Remedy::Resume };
        self.replace(now, name, remedy, why, &best, actions);
    }

    /// Whether it is stalled, as far as is known.
    pub(super) fn is_stalled(&self, name: &UnitName, now: Mono) -> bool {
        self.units.get(name).is_some_and(|unit| {
            unit.sightings.working_since().is_some() && unit.care.motion.stuck(now).is_some()
        })
    }
}
