//! The end of a build, in the three shapes of `build.complete` and as the builds list has it. The
//! oldest (1.0) calls the outcome a status and hides branch and commit in one word; the minimal one
//! has neither; a build of a pull request is of a merge that nobody has.

use serde_json::Value;

use super::{number, place, text};
use crate::gateway::news::{Build, Outcome};

/// The build of a notification.
pub(super) fn parse(value: &Value, organization: Option<&str>) -> Build {
    build_of(&value["resource"], organization)
}

/// The build that a resource describes.
pub fn build_of(resource: &Value, organization: Option<&str>) -> Build {
    let (mut branch, mut commit) =
        (text(resource, &["sourceBranch"]), text(resource, &["sourceVersion"]));
    if let Some((from, version)) = text(resource, &["sourceGetVersion"]).and_then(|it| got(&it)) {
        branch = branch.or(Some(from));
        commit = commit.or(Some(version));
    }
    let mut pull_request = None;
    if let Some(number) = branch.as_deref().and_then(pull_number) {
        // The merge that was built is in nobody's clone: what matters is what it was made of.
        pull_request = Some(number);
        let trigger = &resource["triggerInfo"];
        branch = text(trigger, &["pr.sourceBranch"]).or(branch);
        commit = text(trigger, &["pr.sourceSha"]).or(commit);
    }
    let organization = place::organization(resource).or_else(|| organization.map(str::to_owned));
    Build {
        id: number(resource, &["id"]),
        number: text(resource, &["buildNumber"]),
        definition: text(resource, &["definition", "name"]),
        outcome: outcome(resource),
        branch,
        commit,
        pull_request,
        organization,
        project: place::project(resource),
        link: text(resource, &["_links", "web", "href"]),
        finished: text(resource, &["finishTime"]),
    }
}

/// The result; where there is none, what the oldest shape calls the status.
pub(super) fn outcome(resource: &Value) -> Outcome {
    let result = text(resource, &["result"]).filter(|result| !result.eq_ignore_ascii_case("none"));
    let word = result.or_else(|| text(resource, &["status"])).unwrap_or_default();
    match word.to_ascii_lowercase().as_str() {
        "succeeded" => Outcome::Succeeded,
        "partiallysucceeded" => Outcome::PartiallySucceeded,
        "failed" => Outcome::Failed,
        "canceled" | "cancelled" | "stopped" => Outcome::Canceled,
        _ => Outcome::Unsaid,
    }
}

/// Branch and commit of `LG:refs/heads/master:600c52d2d5b655caa111abfd863e5a9bd304bb0e`.
fn got(version: &str) -> Option<(String, String)> {
    let (_, rest) = version.split_once(':')?;
    let (branch, commit) = rest.rsplit_once(':')?;
    Some((branch.to_owned(), commit.to_owned()))
}

/// The number in `refs/pull/N/merge`.
fn pull_number(branch: &str) -> Option<u64> {
    branch.strip_prefix("refs/pull/")?.split('/').next()?.parse().ok()
}
