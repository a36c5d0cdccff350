//! A story that breaks a law is shortened: event by event is left out while the same law breaks.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::laws::{Breach, Law};
use super::play::{Played, Player};
use super::story::Story;

/// How often a story is played again at most.
const PATIENCE: usize = 3000;

pub(super) fn play(story: &Story) -> Result<Played, Breach> {
    let player = Player::new(story);
    let played = catch_unwind(AssertUnwindSafe(|| player.play()));
    played.unwrap_or_else(|_| Breach::err(Law::NoPanic, "see above"))
}

/// The shortest story found that breaks the same law as `story`, and how it does.
pub(super) fn shortest(story: &Story, breach: Breach) -> (Story, Breach) {
    let mut best = (story.with(story.events.clone()), breach);
    let mut plays = 0;
    let mut chunk = best.0.events.len().div_ceil(2).max(1);
    loop {
        let mut begin = 0;
        let mut shorter = false;
        while begin < best.0.events.len() && plays < PATIENCE {
            let mut events = best.0.events.clone();
            events.drain(begin..(begin + chunk).min(events.len()));
            let candidate = story.with(events);
            plays += 1;
            match play(&candidate) {
                Err(breach) if breach.law == best.1.law => {
                    best = (candidate, breach);
                    shorter = true;
                }
                Ok(_) | Err(_) => begin += chunk,
            }
        }
        if plays >= PATIENCE || (chunk == 1 && !shorter) {
            return best;
        }
        if !shorter {
            chunk = (chunk / 2).max(1);
        }
    }
}
