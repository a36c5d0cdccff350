//! What channels say of a process before it is known to be a unit's: a hook may speak before the
//! start is answered, and what was spooled while no supervisor lived is read before the first look.

use std::collections::VecDeque;

use super::event::Action;
use super::unit::Unit;
use super::watchdog::Watchdog;
use super::{Mono, Now, Process, Sighting, UnitName};

/// More than the channels say of one process in the minute that a start may take.
const KEPT: usize = 64;

/// What was said of processes that are not known yet, in order.
#[derive(Debug, Default)]
pub(super) struct Hearsay {
    said: VecDeque<(Process, Sighting)>,
    /// When the transcript of one had last grown.
    grew: Option<(Process, Mono)>,
}

impl Hearsay {
    pub(super) fn keep(&mut self, process: Process, sighting: Sighting) {
        if self.said.len() >= KEPT {
            self.said.pop_front();
        }
        self.said.push_back((process, sighting));
    }

    pub(super) fn grows(&mut self, process: Process, at: Mono) {
        self.grew = Some((process, at));
    }
}

impl Watchdog {
    /// A process has become known: what was said of it before holds now.
    pub(super) fn recall(&mut self, now: Now, name: &UnitName, actions: &mut Vec<Action>) {
        let take = |unit: &mut Unit| std::mem::take(&mut unit.hearsay);
        let hearsay = self.units.get_mut(name).map(take).unwrap_or_default();
        for (process, sighting) in hearsay.said {
            self.sighted(now, name, process, sighting, actions);
        }
        if let Some((process, at)) = hearsay.grew {
            self.progressed(name, process, at);
        }
    }
}
