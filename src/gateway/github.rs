//! GitHub: its webhooks, and the signature over their bytes. Pure. Not here: secrets' files.

mod signature;

use serde_json::Value;

pub use signature::{Signature, sign};

use super::news::{Build, News, Outcome, PullRequest, PullState, Source, What};

/// The notification that a request's body holds. `event` and `delivery` are its headers
/// `X-GitHub-Event` and `X-GitHub-Delivery`.
pub fn parse(event: &str, delivery: Option<&str>, body: &[u8]) -> News {
    let value = serde_json::from_slice::<Value>(body).map_err(|error| error.to_string());
    let what = match (event, &value) {
        ("ping", _) => What::Ping,
        (_, Err(why)) => What::Unreadable(why.clone()),
        ("workflow_run", Ok(value)) => run(value),
        ("check_suite", Ok(value)) => suite(value),
        ("pull_request", Ok(value)) => What::PullRequest(pull(value)),
        (_, Ok(_)) => What::Unknown,
    };
    let meaning = value.ok().and_then(|value| meaning(event, &value, &what));
    let delivery = delivery.filter(|it| !it.is_empty() && it.len() <= 64);
    News {
        source: Source::Github,
        kind: event.to_owned(),
        what,
        notification: delivery.map(|id| format!("github/delivery/{}", id.to_ascii_lowercase())),
        meaning,
    }
}

/// A workflow's run: a build, once it has ended.
fn run(value: &Value) -> What {
    let definition = text(value, &["workflow_run", "name"]);
    ended(value, "workflow_run", definition)
}

/// The checks of one app. Those of GitHub's own Actions come as a workflow's run too.
fn suite(value: &Value) -> What {
    let app = text(value, &["check_suite", "app", "slug"]).unwrap_or_default();
    if app == "github-actions" {
        return What::Progress("check_suite of a workflow".to_owned());
    }
    ended(value, "check_suite", text(value, &["check_suite", "app", "name"]))
}

fn ended(value: &Value, key: &str, definition: Option<String>) -> What {
    let run = &value[key];
    let action = text(value, &["action"]).unwrap_or_default();
    if action != "completed" {
        return What::Progress(format!("{key} {action}"));
    }
    What::Build(Build {
        id: run["id"].as_u64(),
        number: run["run_number"].as_u64().map(|number| number.to_string()),
        definition,
        outcome: outcome(&text(run, &["conclusion"]).unwrap_or_default()),
        branch: text(run, &["head_branch"]),
        commit: text(run, &["head_sha"]),
        pull_request: run["pull_requests"].get(0).and_then(|pull| pull["number"].as_u64()),
        organization: text(value, &["repository", "owner", "login"]),
        project: text(value, &["repository", "name"]),
        link: text(run, &["html_url"]),
        finished: text(run, &["updated_at"]),
    })
}

fn outcome(conclusion: &str) -> Outcome {
    match conclusion {
        "success" => Outcome::Succeeded,
        "failure" | "timed_out" | "startup_failure" => Outcome::Failed,
        "cancelled" | "skipped" | "stale" | "neutral" => Outcome::Canceled,
        _ => Outcome::Unsaid,
    }
}

fn pull(value: &Value) -> PullRequest {
    let pull = &value["pull_request"];
    let action = text(value, &["action"]).unwrap_or_default();
    let draft = pull["draft"].as_bool().unwrap_or(false);
    let state = match action.as_str() {
        "closed" if pull["merged"].as_bool() == Some(true) => PullState::Merged,
        "closed" => PullState::Abandoned,
        _ if draft => PullState::Draft,
        "opened" | "reopened" | "ready_for_review" => PullState::Opened,
        _ => PullState::Changed,
    };
    PullRequest {
        number: pull["number"].as_u64().or_else(|| value["number"].as_u64()),
        state,
        title: text(pull, &["title"]),
        from: text(pull, &["head", "ref"]),
        into: text(pull, &["base", "ref"]),
        merge_commit: text(pull, &["merge_commit_sha"]).filter(|_| state == PullState::Merged),
        repository: text(value, &["repository", "full_name"]),
        link: text(pull, &["html_url"]),
    }
}

/// A run that is tried again has the same id and another attempt.
fn meaning(event: &str, value: &Value, what: &What) -> Option<String> {
    let What::Build(build) = what else { return None };
    let attempt = value[event]["run_attempt"].as_u64().unwrap_or(1);
    let repository = value["repository"]["id"].as_u64()?;
    let (id, outcome) = (build.id?, build.outcome.as_str());
    Some(format!("github/{event}/{repository}/{id}/{attempt}/{outcome}"))
}

fn text(value: &Value, path: &[&str]) -> Option<String> {
    let found = path.iter().try_fold(value, |value, key| value.get(key))?;
    let found = found.as_str()?.trim();
    (!found.is_empty()).then(|| found.to_owned())
}

#[cfg(test)]
mod tests;
