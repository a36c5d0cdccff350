//! How far the plan is, as state.json holds it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::decide::{PlanSaved, UnitName};
use crate::world::clock;

/// The part of the file.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct PlanFile {
    #[serde(skip_serializing_if = "Option::is_none")]
    phase: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    begun: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stale: Option<BTreeSet<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    done: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waits: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    words: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    edges: BTreeMap<String, Vec<String>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    heads: BTreeMap<String, Vec<String>>,
}

impl PlanFile {
    /// Whether there is nothing to be kept.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl From<&PlanSaved> for PlanFile {
    fn from(saved: &PlanSaved) -> Self {
        let dates = |dates: &BTreeMap<String, SystemTime>| {
            dates.iter().map(|(id, at)| (id.clone(), clock::rfc3339(*at))).collect()
        };
        Self {
            phase: saved.phase.clone(),
            since: saved.since.map(clock::rfc3339),
            begun: saved.begun.iter().map(|(n, phase)| (n.to_string(), phase.clone())).collect(),
            stale: saved.stale.clone(),
            last: saved.last.clone(),
            done: saved.done.clone(),
            waits: saved.waits.clone(),
            refused: saved.refused.clone(),
            words: dates(&saved.words),
            blocked: saved.blocked.clone(),
            edges: saved.edges.clone(),
            heads: saved.heads.clone(),
        }
    }
}

/// A name or a date that cannot be read is dropped: what it stood for is looked at anew.
impl From<PlanFile> for PlanSaved {
    fn from(file: PlanFile) -> Self {
        let begun = file.begun.into_iter();
        let words = file.words.into_iter();
        Self {
            phase: file.phase,
            since: file.since.as_deref().and_then(clock::parse_rfc3339),
            begun: begun.filter_map(|(n, phase)| Some((UnitName::new(&n).ok()?, phase))).collect(),
            stale: file.stale,
            last: file.last,
            done: file.done,
            waits: file.waits,
            refused: file.refused,
            words: words.filter_map(|(id, at)| Some((id, clock::parse_rfc3339(&at)?))).collect(),
            blocked: file.blocked,
            edges: file.edges,
            heads: file.heads,
        }
    }
}
