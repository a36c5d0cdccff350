use std::os::unix::fs::PermissionsExt;

use super::*;

/// Not a test: what the pane of a test runs in place of `supervisor exec-unit FILE`.
#[test]
#[ignore = "becomes another program"]
fn becomes_the_unit() {
    let path = PathBuf::from(std::env::args_os().next_back().unwrap());
    if path.extension() == Some(OsStr::new("json")) {
        std::process::exit(exec_unit(&path).into());
    }
}

fn launch(argv: &[&str]) -> LaunchFile {
    LaunchFile {
        argv: argv.iter().map(OsString::from).collect(),
        environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
        directory: None,
    }
}

fn name() -> UnitName {
    UnitName::new("a-unit").unwrap()
}

#[test]
fn every_byte_survives_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let odd = OsString::from_vec((1..=255).collect());
    let given = LaunchFile {
        argv: vec!["a".into(), odd.clone(), "é\n\"".into(), "".into()],
        environment: vec![("K".into(), odd.clone()), ("E".into(), "".into())],
        directory: Some(PathBuf::from("/").join(&odd)),
    };
    let path = given.write(&directory.path().join("launch"), &name()).unwrap();
    assert_eq!(path, directory.path().join("launch/a-unit.json"));
    assert_eq!(LaunchFile::read(&path).unwrap(), given);
}

#[test]
fn only_its_owner_can_read_it_and_a_left_over_half_is_no_obstacle() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(".a-unit.json.tmp"), "half").unwrap();
    for argument in ["one", "two"] {
        let path = launch(&["echo", argument]).write(directory.path(), &name()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(LaunchFile::read(&path).unwrap().argv[1], argument);
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn a_file_that_others_may_touch_or_that_is_a_link_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = launch(&["true"]).write(directory.path(), &name()).unwrap();
    let link = directory.path().join("link.json");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(matches!(LaunchFile::read(&link), Err(LaunchError::Read { .. })));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(LaunchFile::read(&path), Err(LaunchError::NotOurs { .. })));
}

#[test]
fn a_file_of_a_newer_version_or_of_no_version_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = launch(&["true"]).write(directory.path(), &name()).unwrap();
    let json = fs::read_to_string(&path).unwrap();
    fs::write(&path, json.replace("\"version\":1", "\"version\":2")).unwrap();
    assert!(matches!(LaunchFile::read(&path), Err(LaunchError::TooNew { version: 2, .. })));
    fs::write(&path, "{}").unwrap();
    assert!(matches!(LaunchFile::read(&path), Err(LaunchError::Malformed { .. })));
}

#[test]
fn a_released_file_is_read_for_ever() {
    let directory = tempfile::tempdir().unwrap();
    let path = launch(&["x"]).write(directory.path(), &name()).unwrap();
    let saved = r#"{"version":1,"argv":["a",[255]],"environment":[["K","v"]],"directory":"/d"}"#;
    fs::write(&path, saved).unwrap();
    let expected = LaunchFile {
        argv: vec!["a".into(), OsString::from_vec(vec![255])],
        environment: vec![("K".into(), "v".into())],
        directory: Some("/d".into()),
    };
    assert_eq!(LaunchFile::read(&path).unwrap(), expected);
}

#[test]
fn what_the_kernel_would_refuse_is_refused_before_anything_starts() {
    let fits = "x".repeat(STRING_MAX - 1);
    assert!(launch(&["true", &fits]).check().is_ok());
    let error = launch(&["true", &format!("{fits}x")]).check().unwrap_err();
    assert_eq!(
        error.to_string(),
        "argument 1 has 131072 bytes, and the kernel takes 131071 at most: \
         put the text into a file and name that"
    );
    let mut many = launch(&["true"]);
    many.argv.extend(std::iter::repeat_n(OsString::from(&fits), 60));
    assert!(matches!(many.check(), Err(LaunchError::TotalTooLong { .. })));
    let mut variable = launch(&["true"]);
    variable.environment.push(("LONG".into(), fits.into()));
    assert!(matches!(variable.check(), Err(LaunchError::StringTooLong { .. })));
    assert!(matches!(launch(&["a\0b"]).check(), Err(LaunchError::Nul { .. })));
    assert!(matches!(launch(&[]).check(), Err(LaunchError::NoProgram)));
    let mut named = launch(&["true"]);
    named.environment.push(("A=B".into(), "c".into()));
    assert!(matches!(named.check(), Err(LaunchError::BadName { .. })));
}

#[test]
fn what_passes_the_check_passes_the_kernel() {
    let fits = "x".repeat(STRING_MAX - 1);
    let mut full = launch(&["/bin/true"]);
    full.environment.clear();
    while full.check().is_ok() {
        full.argv.push(OsString::from(&fits));
    }
    full.argv.pop();
    assert!(full.argv.len() > 2);
    let (program, arguments) = full.argv.split_first().unwrap();
    assert!(Command::new(program).args(arguments).env_clear().status().unwrap().success());
}

#[test]
fn ignored_signals_are_read_from_the_mask() {
    assert_eq!(ignored("Name:\tx\nSigIgn:\t0000000000001005\n"), [1, 3]);
    assert_eq!(ignored("SigIgn:\t8000000080000000\n"), Vec::<i32>::new());
    assert_eq!(ignored(""), Vec::<i32>::new());
}
