//! What of the journal an operator is told of: the little that matters when nobody is in the room.
//! Not here: how it is told, and that it is told once.

use super::event::{Action, Entry};
use super::watchdog::Watchdog;
use super::{Dialog, Doing};

/// Something that an operator is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its cause: what is told of the same cause meanwhile can be folded into one.
    pub key: String,
    /// A few words.
    pub title: String,
    /// All there is to say.
    pub text: String,
    /// How much it matters.
    pub weight: Weight,
}

/// How much a notice matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Good to know.
    Info,
    /// To be looked at when there is time.
    Warning,
    /// Somebody is needed.
    Urgent,
}

/// What is healed is told together: one line for all sessions.
const HEALED: &str = "healed";

/// The gateway does not answer.
pub const GATEWAY_SILENT: &str = "gateway-silent";
/// Something else that it says of itself.
const GATEWAY_TROUBLE: &str = "gateway-trouble";

/// The notice that an entry is worth, if any.
pub fn notice(entry: &Entry) -> Option<Notice> {
    use Weight::{Info, Urgent, Warning};
    let Entry { unit, event, why } = entry;
    let (weight, words) = match *event {
        "gave-up" => (Urgent, "is in a crash loop"),
        "held" => (Urgent, "is held"),
        "account-held" => (Urgent, "waits for a login"),
        "account-released" => (Info, "goes on: its login is back"),
        "remedies-spent" => (Urgent, "does not go on"),
        "stands-back" => (Warning, "is not started: somebody else is there"),
        "yields" => (Warning, "yields to one that was started by hand"),
        "long-limit" => (Warning, "waits for a usage limit"),
        "budget-spent" => (Warning, "has spent its budget"),
        "handoff-lost" => (Warning, "was not seen to take what it was told"),
        "conversation-lost" => (Warning, "begins another conversation"),
        "dialog" => (Warning, "asks something"),
        "remedy" => {
            let heals = ["clear: ", "fresh: ", "compact: ", "resume: "];
            heals.iter().find(|begin| why.starts_with(**begin))?;
            (Info, HEALED)
        }
        "blocked" => (Urgent, "The plan is blocked"),
        "unblocked" => (Info, "The plan is blocked no more"),
        "stalled" => (Warning, "The plan does not move"),
        "moves-again" => (Info, "The plan moves again"),
        "phase" => (Info, "A phase begins"),
        "phase-done" => (Warning, "A phase is done, and the next one waits for you"),
        "plan-done" => (Warning, "The plan is done"),
        "done-refused" => (Info, "DONE is not accepted yet"),
        "done-taken-back" => (Warning, "DONE was taken back"),
        "cannot-look" => (Warning, "A repository cannot be looked at"),
        "thread-held" => (Urgent, "Agents talk without end: a thread is held"),
        "letters-wait" => (Urgent, "Letters do not reach their agent"),
        "letter-dead" => (Urgent, "A letter was given up"),
        "hook-silenced" => (Urgent, "Azure DevOps does not send a webhook as it should"),
        "ledger-fails" => (Urgent, "The gateway cannot store what comes"),
        GATEWAY_SILENT => (Urgent, "The gateway does not answer"),
        GATEWAY_TROUBLE => (Warning, "The gateway is in trouble"),
        _ => return None,
    };
    let of = unit.as_ref().map(ToString::to_string);
    let title = match &of {
        Some(_) if words == HEALED => "Sessions were healed".to_owned(),
        Some(name) => format!("{name} {words}"),
        None => words.to_owned(),
    };
    let key = match &of {
        Some(_) if words == HEALED => HEALED.to_owned(),
        Some(name) => format!("{event} {name}"),
        None => (*event).to_owned(),
    };
    let text = match &of {
        Some(name) if words == HEALED => format!("{name}: {why}"),
        Some(_) | None => why.clone(),
    };
    Some(Notice { key, title, text, weight })
}

/// What is wrong with the gateway, as the journal says it; of a kind that is not known here it is
/// told in general.
pub fn gateway_trouble(kind: &str, name: &str, why: &str) -> Entry {
    const KINDS: [&str; 6] = [
        "thread-held",
        "letters-wait",
        "letter-dead",
        "hook-silenced",
        "ledger-fails",
        GATEWAY_SILENT,
    ];
    let event = KINDS.into_iter().find(|known| *known == kind).unwrap_or(GATEWAY_TROUBLE);
    Entry { unit: None, event, why: format!("{name}: {why}") }
}

impl Watchdog {
    /// Adds what an operator is told of what was done, where the journal says it: what is told
    /// before it is saved as told, a kill in between does not lose.
    pub(super) fn tell_operator(&self, actions: &mut Vec<Action>) {
        for action in std::mem::take(actions) {
            let entry = if let Action::Journal(entry) = &action { Some(entry) } else { None };
            let told = entry.filter(|entry| !self.is_seen_to(entry)).and_then(notice);
            actions.push(action);
            actions.extend(told.map(Action::Notify));
        }
    }

    /// A dialog that is dismissed by itself needs nobody.
    fn is_seen_to(&self, entry: &Entry) -> bool {
        if entry.event != "dialog" {
            return false;
        }
        let Some(unit) = entry.unit.as_ref().and_then(|name| self.units.get(name)) else {
            return false;
        };
        let escapes = unit.policy.agent.as_ref().is_some_and(|agent| agent.escape);
        match unit.sightings.best().map(|best| best.doing) {
            Some(Doing::Dialog(Dialog::Limit)) => true,
            Some(Doing::Dialog(Dialog::Start)) => false,
            Some(Doing::Dialog(_) | Doing::Idle | Doing::Working | Doing::Failed(_)) | None => {
                escapes
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::UnitName;

    fn told(unit: Option<&str>, event: &'static str, why: &str) -> Option<Notice> {
        let unit = unit.map(|name| UnitName::new(name).unwrap());
        notice(&Entry { unit, event, why: why.to_owned() })
    }

    #[test]
    fn what_needs_somebody_is_urgent_and_daily_life_is_not_told() {
        let lost = told(Some("builder"), "gave-up", "5 deaths").unwrap();
        assert_eq!(
            (lost.weight, lost.title.as_str()),
            (Weight::Urgent, "builder is in a crash loop")
        );
        for event in ["started", "exited", "message", "handoff", "adopted", "ready"] {
            assert_eq!(told(Some("builder"), event, ""), None, "{event}");
        }
        assert_eq!(told(Some("builder"), "remedy", "nudge: go on"), None);
    }

    #[test]
    fn every_trouble_of_the_gateway_is_told_also_one_that_a_later_release_names() {
        for kind in ["thread-held", "letters-wait", "hook-silenced", GATEWAY_SILENT] {
            let told = notice(&gateway_trouble(kind, "t-1", "8 in a row")).unwrap();
            assert_eq!((told.weight, told.text.as_str()), (Weight::Urgent, "t-1: 8 in a row"));
        }
        let other = gateway_trouble("moon-eclipsed", "a", "b");
        assert_eq!(notice(&other).unwrap().title, "The gateway is in trouble");
    }

    #[test]
    fn what_was_healed_has_one_key_for_all_sessions() {
        let keys = ["builder", "adversary"].map(|name| told(Some(name), "remedy", "clear: 400"));
        let keys = keys.map(|notice| notice.unwrap().key);
        assert_eq!(keys[0], keys[1]);
    }
}
