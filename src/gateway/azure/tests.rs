use super::*;
use crate::gateway::news::{Build, Outcome, PullState, Wakes};

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../../tests/webhooks/azure/", $name, ".json")).as_slice()
    };
}

fn build(body: &[u8]) -> Build {
    let news = parse(body, None);
    let What::Build(build) = news.what else { panic!("no build: {news:?}") };
    build
}

const FAILED: [&[u8]; 3] =
    [fixture!("build_1_0_failed"), fixture!("build_minimal_failed"), fixture!("build_2_0_failed")];

#[test]
fn a_failed_build_is_one_in_every_shape_and_has_one_meaning() {
    for body in FAILED {
        let news = parse(body, None);
        assert_eq!(news.wakes(), Wakes::Owner);
        assert_eq!(news.meaning.as_deref(), Some("azure-devops/build/acme/4711/failed"));
        let build = build(body);
        assert_eq!((build.id, build.outcome), (Some(4711), Outcome::Failed));
        assert_eq!(build.definition.as_deref(), Some("web-ci"));
    }
    let notifications: Vec<_> = FAILED.iter().map(|body| parse(body, None).notification).collect();
    let first = "azure-devops/notification/9c1d2f60-5b1e-4c7e-8a55-0d3b7f4a9e11/17";
    assert_eq!(notifications[0].as_deref(), Some(first));
    assert!(notifications[1] != notifications[0] && notifications[2] != notifications[1]);
}

#[test]
fn the_oldest_shape_hides_branch_and_commit_and_the_minimal_one_has_none() {
    for body in [FAILED[0], FAILED[2]] {
        let build = build(body);
        assert_eq!(build.branch.as_deref(), Some("refs/heads/feature/login"));
        assert_eq!(build.commit.as_deref(), Some("600c52d2d5b655caa111abfd863e5a9bd304bb0e"));
        assert!(build.finished.unwrap().starts_with("2026-05-27T06:15:20"));
    }
    let minimal = build(FAILED[1]);
    assert_eq!((minimal.branch, minimal.commit, minimal.finished), (None, None, None));
    assert_eq!(minimal.project.as_deref(), Some("shop"));
}

#[test]
fn a_build_of_a_pull_request_is_of_what_its_merge_was_made_of() {
    let build = build(fixture!("build_of_a_pull_request"));
    assert_eq!(build.pull_request, Some(88));
    assert_eq!(build.branch.as_deref(), Some("refs/heads/fix/login"));
    assert_eq!(build.commit.as_deref(), Some("0123456789abcdef0123456789abcdef01234567"));
}

#[test]
fn what_went_well_wakes_who_waits_and_what_was_stopped_wakes_nobody() {
    let waiting = Wakes::WhoeverWaitsFor("feature/login".into());
    for (body, outcome, wakes) in [
        (fixture!("build_2_0_succeeded"), Outcome::Succeeded, waiting),
        (fixture!("build_2_0_partial"), Outcome::PartiallySucceeded, Wakes::Owner),
        (fixture!("build_2_0_canceled"), Outcome::Canceled, Wakes::Nobody),
    ] {
        assert_eq!((build(body).outcome, parse(body, None).wakes()), (outcome, wakes));
    }
}

#[test]
fn merged_is_only_what_is_completed() {
    for (body, state) in [
        (fixture!("pull_created"), PullState::Opened),
        (fixture!("pull_draft"), PullState::Draft),
        (fixture!("pull_updated"), PullState::Changed),
        (fixture!("pull_merge_was_tried"), PullState::Changed),
        (fixture!("pull_completed"), PullState::Merged),
        (fixture!("pull_abandoned"), PullState::Abandoned),
    ] {
        let news = parse(body, None);
        let What::PullRequest(pull) = &news.what else { panic!("{news:?}") };
        assert_eq!((pull.state, pull.number), (state, Some(88)));
        let link = "https://dev.azure.com/acme/shop/_git/shop/pullrequest/88";
        assert_eq!(pull.link.as_deref(), Some(link));
        let wakes = match state {
            PullState::Merged | PullState::Abandoned => Wakes::WhoeverWaitsFor("fix/login".into()),
            PullState::Opened | PullState::Draft | PullState::Changed => Wakes::Nobody,
        };
        assert_eq!(news.wakes(), wakes);
    }
}

#[test]
fn a_run_that_failed_is_the_build_with_its_id_and_parts_wake_nobody() {
    let run = parse(fixture!("run_failed"), None);
    assert_eq!(run.meaning, parse(FAILED[2], None).meaning);
    assert_eq!(run.wakes(), Wakes::Owner);
    for (body, words) in [
        (fixture!("run_in_progress"), "run ci_20260527.3 inProgress "),
        (fixture!("stage_failed"), "stage Lint completed failed"),
        (fixture!("job_failed"), "job lint completed failed"),
    ] {
        let news = parse(body, None);
        assert_eq!((&news.what, news.wakes()), (&What::Progress(words.into()), Wakes::Nobody));
    }
}

#[test]
fn the_test_buttons_sample_has_no_keys_that_could_hide_a_real_event() {
    let news = parse(fixture!("test_button"), None);
    assert_eq!(news.what, What::Test);
    assert_eq!((news.notification, news.meaning), (None, None));
}

#[test]
fn whatever_else_comes_is_kept_and_wakes_nobody() {
    let deep = "[".repeat(100_000);
    let deep = format!("{{\"eventType\":\"build.complete\",\"resource\":{deep}");
    for body in [
        fixture!("unknown"),
        b"".as_slice(),
        b"null",
        b"[]",
        b"{}",
        b"{\"eventType\":5,\"resource\":[]}",
        b"{\"eventType\":\"build.complete\"}",
        b"{\"eventType\":\"git.pullrequest.created\",\"resource\":\"x\"}",
        b"\xff\xfe{",
        deep.as_bytes(),
    ] {
        let news = parse(body, Some("acme"));
        assert_eq!(news.wakes(), Wakes::Nobody, "{news:?}");
    }
}

#[test]
fn the_configured_organization_stands_in_for_one_that_is_not_said() {
    let body = br#"{"eventType":"build.complete","resource":{"id":"5","result":"FAILED"}}"#;
    let meaning = "azure-devops/build/devgem/5/failed";
    assert_eq!(parse(body, Some("DevGem")).meaning.as_deref(), Some(meaning));
}
