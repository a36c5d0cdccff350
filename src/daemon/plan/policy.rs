//! From the checked plan to what the watchdog obeys.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::config::{Config, Consent, Handoff, Phase, Repo, When};
use crate::decide::{ConsentPolicy, HandoffPolicy, PhasePolicy, PlanPolicy};

/// `[plan]`.
pub(in crate::daemon) fn plan_policy(config: &Config) -> PlanPolicy {
    let plan = &config.plan;
    PlanPolicy {
        phases: plan.phases.iter().map(phase_policy).collect(),
        ask: plan.ask,
        stops: plan.stops.clone(),
        stalled_after: plan.stalled_after.filter(|_| !plan.phases.is_empty()),
        owners: plan.owners.clone(),
        owners_ping: plan.owners_ping,
    }
}

/// `[[handoffs]]`.
pub(in crate::daemon) fn handoff_policies(config: &Config) -> Vec<HandoffPolicy> {
    let policy = |handoff: &Handoff| HandoffPolicy {
        key: key(handoff),
        to: handoff.to.clone(),
        text: handoff.text.clone(),
        file: handoff.file.clone(),
    };
    config.handoffs.iter().map(policy).collect()
}

fn phase_policy(phase: &Phase) -> PhasePolicy {
    let consent = |consent: &Consent| ConsentPolicy {
        items: consent.items.clone(),
        max_age: consent.max_age,
        place: consent.file.clone(),
    };
    PhasePolicy { name: phase.name.clone(), consent: phase.consent.as_ref().map(consent) }
}

/// What a hand-off is remembered by: another text or another interval is the same hand-off.
pub(super) fn key(handoff: &Handoff) -> String {
    let repo = match &handoff.repo {
        Repo::Clone(path) => path.to_string_lossy().into_owned(),
        Repo::Url(url) => url.clone(),
    };
    let (kind, pattern) = match &handoff.when {
        When::Line(pattern) => ("line", pattern.as_str()),
        When::Change => ("change", ""),
        When::Heading(heading) => ("heading", heading.as_str()),
    };
    let mut hasher = Sha256::new();
    for part in [&repo, &handoff.file, kind, pattern, handoff.to.as_str()] {
        hasher.update(format!("{}:{part}\n", part.len()));
    }
    let bytes = hasher.finalize();
    bytes.iter().take(8).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
