//! The units of a simulated house, and how its configuration changes between two lives of the
//! supervisor.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use agent_supervisor::decide::{
    Cap, Dependency, Policy, RestartPolicy, UnitKind, UnitName, UnitPolicy,
};

use super::dice::Dice;

pub(super) const UNITS: [&str; 7] = ["web", "db", "app", "boss", "builder", "checker", "later"];

pub(super) struct House {
    /// All that the config names now, or did or will.
    pub(super) cast: BTreeMap<UnitName, Member>,
    pub(super) cap: Cap,
    stagger: Duration,
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
        Self { cast, cap, stagger: secs(2) }
    }

    pub(super) fn policy(&self) -> Policy {
        let named = self.cast.iter().filter(|(_, member)| member.named);
        let units = named.map(|(name, member)| (name.clone(), member.policy.clone()));
        Policy { units: units.collect(), cap: self.cap, stagger: self.stagger }
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
            Dependency::Docker | Dependency::Network => true,
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
    }
}

pub(super) fn name(text: &str) -> UnitName {
    UnitName::new(text).unwrap()
}

pub(super) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
