//! Azure DevOps: the service hooks it sends, in every shape. A notification that cannot be
//! understood is still one: it is kept, because any answer but success would have Azure DevOps
//! silence its hook for hours. Pure. Not here: its REST interface (see [`super::reconcile`]).

mod build;
mod place;
mod pull_request;
mod run;

use serde_json::Value;

pub use build::build_of;
pub use place::web_link;

use super::news::{News, Source, What};

/// The notification that a request's body holds. `organization` is the configured one, for shapes
/// that do not name it.
pub fn parse(body: &[u8], organization: Option<&str>) -> News {
    let value: Value = match serde_json::from_slice(body) {
        Ok(value) => value,
        Err(error) => return unreadable(error.to_string()),
    };
    if !value.is_object() {
        return unreadable("it is no object".to_owned());
    }
    let kind = text(&value, &["eventType"]).unwrap_or_default();
    let what = what(&value, &kind, organization);
    let test = what == What::Test;
    News {
        source: Source::AzureDevops,
        notification: notification(&value).filter(|_| !test),
        meaning: meaning(&what),
        kind,
        what,
    }
}

/// A build of the builds list, as if it had been notified.
pub fn listed(build: &Value, organization: &str) -> News {
    let what = What::Build(build_of(build, Some(organization)));
    News {
        source: Source::AzureDevops,
        kind: "build.complete".to_owned(),
        notification: None,
        meaning: meaning(&what),
        what,
    }
}

fn unreadable(why: String) -> News {
    News {
        source: Source::AzureDevops,
        kind: String::new(),
        what: What::Unreadable(why),
        notification: None,
        meaning: None,
    }
}

fn what(value: &Value, kind: &str, organization: Option<&str>) -> What {
    if is_sample(value) {
        return What::Test;
    }
    match kind {
        "build.complete" => What::Build(build::parse(value, organization)),
        "git.pullrequest.created" | "git.pullrequest.updated" | "git.pullrequest.merged" => {
            What::PullRequest(pull_request::parse(value, kind))
        }
        "ms.vss-pipelines.run-state-changed-event" => run::run(value, organization),
        "ms.vss-pipelines.stage-state-changed-event" => What::Progress(run::part(value, "stage")),
        "ms.vss-pipelines.job-state-changed-event" => What::Progress(run::part(value, "job")),
        _ => What::Unknown,
    }
}

/// Whether it is what the Test button sends: a subscription that is not there yet, or the company
/// that Microsoft's samples are about.
fn is_sample(value: &Value) -> bool {
    let zero = |id: String| !id.is_empty() && id.chars().all(|c| matches!(c, '0' | '-'));
    let subscription = text(value, &["subscriptionId"]).is_some_and(zero);
    let organization = place::organization(&value["resource"]).unwrap_or_default();
    subscription || organization.starts_with("fabrikam")
}

/// A redelivery keeps the number that its subscription gave it; some samples have only an id.
fn notification(value: &Value) -> Option<String> {
    let prefix = Source::AzureDevops.as_str();
    let number = number(value, &["notificationId"]);
    if let (Some(subscription), Some(number)) = (text(value, &["subscriptionId"]), number) {
        return Some(format!(
            "{prefix}/notification/{}/{number}",
            subscription.to_ascii_lowercase()
        ));
    }
    let id = text(value, &["id"]).filter(|id| id.len() <= 64 && !id.is_empty())?;
    Some(format!("{prefix}/id/{}", id.to_ascii_lowercase()))
}

/// A build's id is unique within its organization, and so is a pull request's number.
fn meaning(what: &What) -> Option<String> {
    let prefix = Source::AzureDevops.as_str();
    match what {
        What::Build(build) => {
            let organization = build.organization.as_deref().unwrap_or_default();
            let outcome = build.outcome.as_str();
            let id = build.id?;
            Some(format!("{prefix}/build/{}/{id}/{outcome}", organization.to_ascii_lowercase()))
        }
        What::PullRequest(_)
        | What::Progress(_)
        | What::Test
        | What::Ping
        | What::Unknown
        | What::Unreadable(_) => None,
    }
}

/// The text at a path of keys, if there is one.
fn text(value: &Value, path: &[&str]) -> Option<String> {
    let found = path.iter().try_fold(value, |value, key| value.get(key))?;
    let found = found.as_str()?.trim();
    (!found.is_empty()).then(|| found.to_owned())
}

/// The number at a path of keys, written as one or as a text.
fn number(value: &Value, path: &[&str]) -> Option<u64> {
    let found = path.iter().try_fold(value, |value, key| value.get(key))?;
    found.as_u64().or_else(|| found.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests;
