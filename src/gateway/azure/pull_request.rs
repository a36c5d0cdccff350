//! Pull requests. `git.pullrequest.merged` says that a merge commit was made, to see whether one can
//! be: merged is only what is completed.

use serde_json::Value;

use super::{number, text};
use crate::gateway::clean;
use crate::gateway::news::{PullRequest, PullState};

pub(super) fn parse(value: &Value, kind: &str) -> PullRequest {
    let resource = &value["resource"];
    let draft = resource["isDraft"].as_bool().unwrap_or(false);
    let status = text(resource, &["status"]).unwrap_or_default().to_ascii_lowercase();
    let state = match status.as_str() {
        "completed" => PullState::Merged,
        "abandoned" => PullState::Abandoned,
        _ if draft => PullState::Draft,
        _ if kind == "git.pullrequest.created" => PullState::Opened,
        _ => PullState::Changed,
    };
    let number = number(resource, &["pullRequestId"]);
    PullRequest {
        number,
        state,
        title: text(resource, &["title"]),
        from: text(resource, &["sourceRefName"]),
        into: text(resource, &["targetRefName"]),
        merge_commit: text(resource, &["lastMergeCommit", "commitId"]),
        repository: text(resource, &["repository", "name"]),
        link: text(resource, &["_links", "web", "href"]).or_else(|| made_link(resource, number?)),
    }
}

/// The page of a pull request, from the page of its repository.
fn made_link(resource: &Value, number: u64) -> Option<String> {
    let page = text(resource, &["repository", "remoteUrl"])
        .or_else(|| text(resource, &["repository", "webUrl"]))?;
    clean::link(&format!("{page}/pullrequest/{number}"))
}
