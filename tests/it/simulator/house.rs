//! The units of a simulated house, and how its configuration changes between two lives of the
//! supervisor.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use agent_supervisor::decide::{
    AgentPolicy, Cap, ConsentPolicy, Dependency, HandoffPolicy, IdleNudge, PhasePolicy, PlanPolicy,
    Policy, RestartPolicy, UnitKind, UnitName, UnitPolicy,
};

use super::dice::Dice;
use super::repos::HANDOFFS;

pub(super) const UNITS: [&str; 7] = ["web", "db", "app", "boss", "builder", "checker", "later"];

/// Those that are agents.
pub(super) const AGENTS: [&str; 2] = ["boss", "builder"];
/// Those that text can be typed into.
pub(super) const SESSIONS: [&str; 3] = ["boss", "builder", "checker"];

pub(super) struct House {
    /// All that the config names now, or did or will.
    pub(super) cast: BTreeMap<UnitName, Member>,
    pub(super) cap: Cap,
    stagger: Duration,
    /// As the config has it, but for those that it does not name now.
    plan: PlanPolicy,
    /// Who is woken by each of the hand-offs; nobody if there is no plan.
    woken: Vec<UnitName>,
}

pub(super) struct Member {
    pub(super) policy: UnitPolicy,
    /// The config names it now.
    pub(super) named: bool,
}

/// How the configuration differs when the supervisor comes back.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Membership,
    Spec,
    Hold,
}

impl House {
    pub(super) fn drawn(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ 0x0b5e);
        let mut cast = BTreeMap::new();
        for text in UNITS {
            let policy = unit(text, &mut dice);
            cast.insert(name(text), Member { policy, named: text != "later" });
        }
        let cap = Cap { restarts: dice.pick(&[2, 5, 100]), within: secs(60) };
        let (plan, woken) = planned(seed);
        Self { cast, cap, stagger: secs(2), plan, woken }
    }

    pub(super) fn policy(&self) -> Policy {
        let named = self.cast.iter().filter(|(_, member)| member.named);
        let units = named.map(|(name, member)| (name.clone(), member.policy.clone()));
        Policy {
            units: units.collect(),
            cap: self.cap,
            stagger: self.stagger,
            plan: self.plan(),
            handoffs: self.handoffs(),
            requires: false,
            boots: String::new(),
        }
    }

    /// The config is checked: it names nobody who is not there.
    pub(super) fn plan(&self) -> PlanPolicy {
        let mut plan = self.plan.clone();
        plan.stops.retain(|name| self.named(name).is_some());
        plan.owners.retain(|_, name| self.named(name).is_some());
        plan
    }

    pub(super) fn handoffs(&self) -> Vec<HandoffPolicy> {
        let all = HANDOFFS.iter().zip(&self.woken).map(|(key, to)| HandoffPolicy {
            key: (*key).to_owned(),
            to: to.clone(),
            text: "Look at {line} in {file} at {commit}, phase {phase}.".to_owned(),
            file: format!("{key}.md"),
        });
        all.filter(|handoff| self.named(&handoff.to).is_some()).collect()
    }

    pub(super) fn has_plan(&self) -> bool {
        !self.plan.phases.is_empty()
    }

    /// Whether each phase of the plan is begun with another conversation of this unit.
    pub(super) fn employs(&self, name: &UnitName) -> bool {
        self.plan.stops.contains(name) && self.named(name).is_some_and(|it| it.agent.is_some())
    }

    /// What a word of consent is needed for.
    pub(super) fn items(&self) -> Vec<String> {
        let consents = self.plan.phases.iter().find_map(|phase| phase.consent.as_ref());
        consents.map(|consent| consent.items.clone()).unwrap_or_default()
    }

    pub(super) fn named(&self, name: &UnitName) -> Option<&UnitPolicy> {
        self.cast.get(name).filter(|member| member.named).map(|member| &member.policy)
    }

    pub(super) fn of(&self, name: &UnitName) -> &UnitPolicy {
        &self.cast[name].policy
    }

    pub(super) fn apply(&mut self, unit: &UnitName, change: &Change) {
        let depended_on = self.cast.values().any(|member| {
            member.named && member.policy.after.contains(&Dependency::Unit(unit.clone()))
        });
        let after = self.cast[unit].policy.after.clone();
        let stands = after.iter().all(|dependency| match dependency {
            Dependency::Unit(other) => self.named(other).is_some(),
            Dependency::Docker
            | Dependency::Network
            | Dependency::Conversation(_)
            | Dependency::Alone(_)
            | Dependency::Requirements => true,
        });
        let Some(member) = self.cast.get_mut(unit) else { return };
        match change {
            // The config is checked: nothing comes after a unit that is not named.
            Change::Membership if member.named && depended_on => {}
            Change::Membership if !member.named && !stands => {}
            Change::Membership => member.named = !member.named,
            Change::Spec => member.policy.spec.push('\''),
            Change::Hold if member.policy.hold.is_none() => {
                member.policy.hold = Some("no such directory".to_owned());
            }
            Change::Hold => member.policy.hold = None,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Membership => "is added to the config, or taken out of it",
            Self::Spec => "has a changed spec",
            Self::Hold => "is held, or no longer",
        })
    }
}

fn unit(text: &str, dice: &mut Dice) -> UnitPolicy {
    let kind = match text {
        "boss" => UnitKind::Orchestrator,
        "builder" | "checker" => UnitKind::Session,
        _ => UnitKind::Service,
    };
    let service = kind == UnitKind::Service;
    let after = match text {
        "app" => vec![Dependency::Unit(name("db")), Dependency::Docker],
        "boss" => vec![Dependency::Network, Dependency::Unit(name("web"))],
        "later" => vec![Dependency::Unit(name("app"))],
        "db" if dice.percent(30) => vec![Dependency::Docker],
        _ => Vec::new(),
    };
    let first = (text == "builder" && dice.percent(30)).then(|| "named".to_owned());
    UnitPolicy {
        kind,
        spec: format!("{text}-1"),
        after,
        ready_within: (matches!(text, "db" | "app")).then(|| secs(dice.pick(&[5, 60]))),
        restart: RestartPolicy {
            first_delay: Duration::ZERO,
            backoff_from: secs(1),
            backoff_to: secs(dice.pick(&[30, 600])),
            stable_after: secs(600),
            loop_starts: dice.pick(&[3, 5]).try_into().unwrap(),
            loop_within: secs(900),
            loop_retry: if dice.percent(30) { None } else { Some(secs(1800)) },
        },
        restart_on_change: service && dice.percent(30),
        ends_by_hand: !service,
        grace: secs(10),
        paced: !service,
        hold: None,
        agent: AGENTS.contains(&text).then(|| agent(first, dice)),
    }
}

fn agent(first: Option<String>, dice: &mut Dice) -> AgentPolicy {
    let mut command = |word: &str| dice.percent(80).then(|| word.to_owned());
    let (clear, compact) = (command("/clear"), command("/compact"));
    let after = dice.pick(&[secs(1200), secs(4 * 3600)]);
    let idle_nudge = dice.percent(30).then(|| IdleNudge { after, text: "Go on.".to_owned() });
    let escape = dice.percent(50);
    AgentPolicy { first, clear, compact, escape, idle_nudge, ..AgentPolicy::default() }
}

/// The plan of a house, and who is woken by its hand-offs. Some houses have none.
fn planned(seed: u64) -> (PlanPolicy, Vec<UnitName>) {
    let mut dice = Dice::new(seed ^ 0x91a4);
    if !dice.percent(40) {
        return (PlanPolicy::default(), Vec::new());
    }
    let items = if dice.percent(30) { vec!["D1".to_owned(), "E2".to_owned()] } else { Vec::new() };
    let max_age = dice.percent(30).then(|| secs(24 * 3600));
    let mut phase = |name: &str| {
        let (items, place) = (items.clone(), "REVIEW.md".to_owned());
        let consent = dice.percent(80).then_some(ConsentPolicy { items, max_age, place });
        PhasePolicy { name: name.to_owned(), consent }
    };
    let mut phases = ["1", "2", "3", "4"].map(&mut phase).to_vec();
    phases.truncate(dice.pick(&[1, 3, 4, 4, 4]));
    let stops: BTreeSet<&str> = match dice.below(4) {
        0 => ["builder"].into(),
        1 => ["boss", "builder"].into(),
        _ => ["boss", "builder", "checker"].into(),
    };
    let plan = PlanPolicy {
        phases,
        ask: dice.percent(25),
        stops: stops.into_iter().map(name).collect(),
        stalled_after: dice.percent(50).then_some(secs(2 * 3600)),
        owners: [("STATUS.md".to_owned(), name("builder"))].into(),
        owners_ping: dice.percent(50),
    };
    let woken = HANDOFFS.iter().map(|_| name(dice.pick(&SESSIONS))).collect();
    (plan, woken)
}

pub(super) fn name(text: &str) -> UnitName {
    UnitName::new(text).unwrap()
}

pub(super) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
