use super::*;
use crate::gateway::news::Wakes;

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../../tests/webhooks/github/", $name, ".json")).as_slice()
    };
}

#[test]
fn a_signature_fits_its_secret_and_its_bytes_alone() {
    // The example of GitHub's documentation.
    let header = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let (secret, body) = (b"It's a Secret to Everybody", b"Hello, World!");
    assert_eq!(sign(secret, body).as_deref(), Some(header));
    let signature = Signature::parse(header).unwrap();
    assert!(signature.fits(secret, body));
    assert!(!signature.fits(b"another", body) && !signature.fits(secret, b"Hello, World"));
    for bad in ["", "sha256=", "sha1=757107ea", &header[..70], &format!("{header}0"), "sha256=zz"] {
        assert_eq!(Signature::parse(bad), None, "{bad:?}");
    }
    assert_eq!(Signature::parse(&format!("sha256={}", "é".repeat(32))), None);
    assert_eq!(Signature::parse(&format!("sha256={}", "+a".repeat(32))), None, "no digits");
}

#[test]
fn a_failed_run_wakes_and_the_same_run_by_the_checks_does_not() {
    let news = parse("workflow_run", Some("D-1"), fixture!("workflow_run_failed"));
    assert_eq!(news.wakes(), Wakes::Owner);
    assert_eq!(news.notification.as_deref(), Some("github/delivery/d-1"));
    let meaning = "github/workflow_run/1296269/30433642/1/failed";
    assert_eq!(news.meaning.as_deref(), Some(meaning));
    let What::Build(build) = news.what else { panic!() };
    assert_eq!(build.branch.as_deref(), Some("feature/login"));
    for (event, body, wakes) in [
        ("workflow_run", fixture!("workflow_run_requested"), Wakes::Nobody),
        (
            "workflow_run",
            fixture!("workflow_run_succeeded"),
            Wakes::WhoeverWaitsFor("feature/login".into()),
        ),
        ("check_suite", fixture!("check_suite_failed"), Wakes::Owner),
        ("check_suite", fixture!("check_suite_of_actions"), Wakes::Nobody),
        ("pull_request", fixture!("pull_merged"), Wakes::WhoeverWaitsFor("fix/login".into())),
        ("pull_request", fixture!("pull_closed"), Wakes::WhoeverWaitsFor("fix/login".into())),
        ("pull_request", fixture!("pull_opened"), Wakes::Nobody),
        ("star", b"{}".as_slice(), Wakes::Nobody),
        ("workflow_run", b"{".as_slice(), Wakes::Nobody),
        ("workflow_run", b"{\"action\":\"completed\"}".as_slice(), Wakes::Nobody),
    ] {
        assert_eq!(parse(event, None, body).wakes(), wakes, "{event}");
    }
}

#[test]
fn a_pull_request_is_merged_if_it_says_so() {
    let state = |body| {
        let news = parse("pull_request", None, body);
        let What::PullRequest(pull) = news.what else { panic!("{news:?}") };
        pull.state
    };
    assert_eq!(state(fixture!("pull_merged")), PullState::Merged);
    assert_eq!(state(fixture!("pull_closed")), PullState::Abandoned);
    assert_eq!(state(fixture!("pull_opened")), PullState::Opened);
}
