//! Runs, stages and jobs, as the publisher `pipelines` tells of them: without branch and commit. A
//! run that failed is the end of the build with the same id; everything else is part of one.

use serde_json::Value;

use super::build::outcome;
use super::{number, place, text};
use crate::gateway::news::{Build, What};

/// The state of a run.
pub(super) fn run(value: &Value, organization: Option<&str>) -> What {
    let run = &value["resource"]["run"];
    let state = text(run, &["state"]).unwrap_or_default();
    if !state.eq_ignore_ascii_case("completed") {
        return What::Progress(part(value, "run"));
    }
    let organization = place::organization(run).or_else(|| organization.map(str::to_owned));
    What::Build(Build {
        id: number(run, &["id"]),
        number: text(run, &["name"]),
        definition: text(run, &["pipeline", "name"])
            .or_else(|| text(&value["resource"], &["pipeline", "name"])),
        outcome: outcome(run),
        organization,
        project: place::project(run),
        link: text(run, &["_links", "web", "href"]),
        finished: text(run, &["finishedDate"]),
        ..Build::default()
    })
}

/// The state of a part of a run, in a few words.
pub(super) fn part(value: &Value, what: &str) -> String {
    let part = &value["resource"][what];
    let name = text(part, &["displayName"]).or_else(|| text(part, &["name"])).unwrap_or_default();
    let state = text(part, &["state"]).unwrap_or_default();
    let result = text(part, &["result"]).unwrap_or_default();
    format!("{what} {name} {state} {result}")
}
