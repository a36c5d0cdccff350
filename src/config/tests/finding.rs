//! Which file is taken, and what is said when there is none or it cannot be read.

use std::error::Error as _;
use std::ffi::OsString;

use super::*;
use crate::config::find::find_in;

fn found(
    explicit: Option<&str>,
    variables: &[(&str, &str)],
    existing: &[&str],
) -> Result<PathBuf, String> {
    let variable = |name: &str| {
        variables.iter().find(|(other, _)| *other == name).map(|(_, value)| OsString::from(value))
    };
    let exists = |path: &Path| existing.iter().any(|other| Path::new(other) == path);
    find_in(explicit.map(Path::new), variable, exists).map_err(|error| error.to_string())
}

const SYSTEM: &str = "/etc/agent-supervisor/config.toml";

#[test]
fn the_first_of_flag_variable_system_and_user_is_taken() {
    let variables = [("SUPERVISOR_CONFIG", "v.toml"), ("XDG_CONFIG_HOME", "/x"), ("HOME", "/h")];
    let users = ["/x/agent-supervisor/config.toml", "/h/.config/agent-supervisor/config.toml"];
    let all = [SYSTEM, users[0], users[1]];
    assert_eq!(found(Some("f.toml"), &variables, &all), Ok("f.toml".into()));
    assert_eq!(found(None, &variables, &all), Ok("v.toml".into()));
    assert_eq!(found(None, &variables[1..], &all), Ok(SYSTEM.into()));
    assert_eq!(found(None, &variables[1..], &all[1..]), Ok(users[0].into()));
    assert_eq!(found(None, &variables[2..], &all[1..]), Ok(users[1].into()));
    let empty = [("SUPERVISOR_CONFIG", ""), ("XDG_CONFIG_HOME", "relative"), ("HOME", "/h")];
    assert_eq!(found(None, &empty, &all[1..]), Ok(users[1].into()));
}

#[test]
fn where_there_is_none_every_place_and_the_remedy_are_named() {
    assert_eq!(
        found(None, &[("HOME", "/h")], &[]),
        Err("no configuration found; looked for /etc/agent-supervisor/config.toml, \
             /h/.config/agent-supervisor/config.toml; write one with `supervisor init`, or name \
             one with --config FILE"
            .into())
    );
}

#[test]
fn a_file_that_is_not_there_is_named_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none.toml");
    assert_eq!(
        Config::load(&path).unwrap_err().to_string(),
        format!(
            "{}: no such file; write one with `supervisor init`, or name another with --config \
             FILE",
            path.display()
        )
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named_and_the_reason_is_its_source() {
    let folder = tempfile::tempdir().unwrap();
    let error = Config::load(folder.path()).unwrap_err();
    let expected = format!("cannot read the configuration {}", folder.path().display());
    assert_eq!(error.to_string(), expected);
    assert!(error.source().unwrap().to_string().contains("directory"));

    let path = folder.path().join("binary.toml");
    std::fs::write(&path, b"\xff\xfe").unwrap();
    let error = Config::load(&path).unwrap_err();
    assert_eq!(error.source().unwrap().to_string(), "it is not UTF-8 text");
}

#[test]
fn a_file_is_read_with_its_own_folder_as_the_start_of_its_paths() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.toml");
    std::fs::write(&path, "[supervisor]\nstate_dir = 'state'\n").unwrap();
    let config = Config::load(&path).unwrap();
    assert_eq!(config.supervisor.state_dir, folder.path().join("state"));
    assert_eq!(config.file, Some(path));
}

#[test]
fn the_built_in_one_has_no_file() {
    let config = Config::parse("", &Origin::BuiltIn, Path::new("/demo")).unwrap();
    assert_eq!(config.file, None);
    let error = Config::parse("x", &Origin::BuiltIn, Path::new("/demo")).unwrap_err();
    assert!(error.to_string().starts_with("built-in:1:"), "{error}");
}
