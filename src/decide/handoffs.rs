//! Hand-offs: an edge in a file of a repository wakes another session, once.

use super::Now;
use super::care::plain;
use super::course::{cut, noted};
use super::event::Action;
use super::message::MessageId;
use super::plan::Mark;
use super::watchdog::{Watchdog, journal};

/// With this begins the name of what is not committed yet.
const UNCOMMITTED: &str = "w:";
/// How many edges of a hand-off are remembered beyond those that stand in the file.
const EDGES_MAX: usize = 4096;

impl Watchdog {
    /// What stands in the file of a hand-off. What stood there when nobody had looked before is
    /// where it begins, and wakes nobody.
    pub(super) fn marked(
        &mut self,
        now: Now,
        key: &str,
        outcome: Result<Vec<Mark>, String>,
        actions: &mut Vec<Action>,
    ) {
        let Some(policy) = self.course.handoffs.iter().find(|it| it.key == key).cloned() else {
            return;
        };
        let what = format!("the hand-off of {} to {}", policy.file, policy.to);
        let marks = match outcome {
            Err(why) => return self.course.cannot_see(&what, why, actions),
            Ok(marks) => marks,
        };
        self.course.sees(&what, actions);
        let Some(known) = self.course.saved.edges.get_mut(key) else {
            let ids: Vec<String> = marks.iter().map(|mark| mark.id.clone()).collect();
            let why = format!("{what}: begins, with {} there already", ids.len());
            self.course.saved.edges.insert(key.to_owned(), ids);
            actions.push(Action::Save(self.saved()));
            actions.push(noted("handoff-begins", why));
            return;
        };
        let before = known.clone();
        let mut new: Vec<&Mark> = Vec::new();
        for mark in &marks {
            if known.contains(&mark.id) {
                continue;
            }
            match known.iter().position(|id| mark.was.as_ref() == Some(id)) {
                // What was not committed has another name now; written anew, it is news.
                Some(at) if known[at].starts_with(UNCOMMITTED) => drop(known.remove(at)),
                Some(_) => {}
                None => new.push(mark),
            }
            known.push(mark.id.clone());
        }
        if *known == before {
            return;
        }
        let there = |id: &String| marks.iter().any(|mark| mark.id == *id);
        while known.len() > EDGES_MAX {
            let Some(old) = known.iter().position(|id| !there(id)) else { break };
            known.remove(old);
        }
        let Some(last) = new.last() else {
            actions.push(Action::Save(self.saved()));
            return;
        };
        self.moves(now, actions);
        if self.course.saved.done.is_some() {
            // Nobody is left to be woken.
            actions.push(Action::Save(self.saved()));
            return;
        }
        let more = match new.len() {
            1 => String::new(),
            count => format!(" ({} more since the last time)", count - 1),
        };
        let phase = self.course.saved.phase.clone().unwrap_or_default();
        let commit = if last.commit.is_empty() { "the working file" } else { &last.commit };
        let mut text = policy.text.clone();
        for (name, value) in [
            ("{commit}", commit),
            ("{file}", &policy.file),
            ("{phase}", &phase),
            ("{line}", &cut(&last.text)),
        ] {
            text = text.replace(name, &plain(value));
        }
        text += &more;
        let id = MessageId::new(self.random.short());
        let count = self.course.pings.entry(key.to_owned()).or_default();
        *count = (count.0 + 1, last.commit.clone());
        if let Some(unit) = self.units.get_mut(&policy.to) {
            unit.queue.push_about(key, id, text, now);
        }
        actions.push(Action::Save(self.saved()));
        let why = format!("{id}: {} at {commit}{more}", cut(&last.text));
        actions.push(journal(&policy.to, "handoff", why));
    }
}
