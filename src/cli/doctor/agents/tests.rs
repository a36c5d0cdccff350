//! How what was found is judged.

use serde_json::json;

use super::*;
use crate::cli::doctor::Verdict;

const NOW: Duration = Duration::from_secs(1_800_000_000);

fn login(logged_in: bool, expires_in: Option<i64>) -> Check {
    let now = SystemTime::UNIX_EPOCH + NOW;
    let expires = expires_in.map(|seconds| match u64::try_from(seconds) {
        Ok(seconds) => now + Duration::from_secs(seconds),
        Err(_) => now - Duration::from_secs(seconds.unsigned_abs()),
    });
    let account = Account { logged_in, method: Some("claude.ai".to_owned()), expires };
    login_check("x", Ok(account), now)
}

#[test]
fn a_login_is_judged_by_how_long_it_holds() {
    let day = 24 * 60 * 60;
    for (check, verdict, words) in [
        (login(true, None), Verdict::Ok, "by claude.ai"),
        (login(true, Some(30 * day)), Verdict::Ok, "until 2027-02-14T08:00:00Z"),
        (login(true, Some(3 * day)), Verdict::Warn, "expires at 2027-01-18T08:00:00Z"),
        (login(true, Some(-day)), Verdict::Fail, "expired at 2027-01-14T08:00:00Z"),
        (login(false, None), Verdict::Fail, "not logged in"),
        (login_check("x", Err("is silent".to_owned()), SystemTime::now()), Verdict::Warn, "silent"),
    ] {
        assert_eq!(check.verdict, verdict, "{check:?}");
        assert!(check.finding.contains(words), "{check:?}");
        assert_eq!(check.remedy.is_empty(), verdict == Verdict::Ok, "{check:?}");
    }
}

#[test]
fn a_version_that_is_not_known_is_no_failure() {
    let check = |version: Result<&str, &str>| {
        let version = version.map(str::to_owned).map_err(str::to_owned);
        version_check("x", Path::new("/bin/agent"), version, &["1.0.0", "2.0.0"]).verdict
    };
    assert_eq!(check(Ok("2.0.0")), Verdict::Ok);
    assert_eq!(check(Ok("3.0.0")), Verdict::Warn);
    assert_eq!(check(Err("does not answer within 20 s")), Verdict::Fail);
}

#[test]
fn keys_that_are_missing_are_named_and_their_values_are_not() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("state.json");
    let path = |path: &[&str]| path.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    let seed = Seed {
        file: file.clone(),
        keys: vec![
            (path(&["projects", "/srv/a.b", "trusted"]), SeedValue::Is(json!(true))),
            (path(&["theme"]), SeedValue::Default(json!("dark"))),
            (path(&["keys", "approved"]), SeedValue::Contains(json!("hunter2"))),
        ],
    };
    let seeds = [seed];
    let check = dialogs_check("x", &seeds, true);
    assert_eq!(check.verdict, Verdict::Ok);
    for key in ["3 keys will be added", "projects[\"/srv/a.b\"].trusted", "theme", "keys.approved"]
    {
        assert!(check.finding.contains(key), "{check:?}");
    }
    assert!(!check.finding.contains("hunter2") && !check.finding.contains("dark"), "{check:?}");

    let some = json!({"projects": {"/srv/a.b": {"trusted": false}}, "theme": "light",
                      "keys": {"approved": ["other", "hunter2"]}});
    std::fs::write(&file, some.to_string()).expect("a file");
    let check = dialogs_check("x", &seeds, true);
    assert!(check.finding.starts_with("1 key will be added"), "{check:?}");

    let all = some.to_string().replace("false", "true");
    std::fs::write(&file, all).expect("a file");
    assert_eq!(dialogs_check("x", &seeds, true).finding, "all are answered beforehand");

    std::fs::write(&file, "{ half").expect("a file");
    assert_eq!(dialogs_check("x", &seeds, true).verdict, Verdict::Fail);
    std::fs::write(&file, "").expect("a file");
    let check = dialogs_check("x", &seeds, false);
    assert!(check.verdict == Verdict::Warn && check.finding.contains("`seed` is off"), "{check:?}");
    assert_eq!(dialogs_check("x", &seeds, true).verdict, Verdict::Ok);
}
