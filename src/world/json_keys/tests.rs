use std::fs::File;
use std::os::unix::fs::symlink;

use serde_json::json;

use super::*;

fn yes(names: &[&str]) -> Key {
    Key {
        path: names.iter().map(|name| (*name).to_owned()).collect(),
        wanted: Wanted::Is(json!(true)),
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_that_is_not_there_is_made_for_its_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("home/.claude.json");
    let keys = [yes(&["a"]), yes(&["p", "/x", "t"])];
    assert_eq!(missing(&path, &keys).unwrap().len(), 2);
    assert!(!path.exists());
    let added = ensure(&path, &keys).unwrap();
    assert_eq!(added, [keys[0].path.clone(), keys[1].path.clone()]);
    let value: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(value, json!({ "a": true, "p": { "/x": { "t": true } } }));
    assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
    assert_eq!(names(path.parent().unwrap()), [".claude.json"]);
}

#[test]
fn a_file_that_lacks_nothing_is_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.json");
    ensure(&path, &[yes(&["a"])]).unwrap();
    let before = identity(&path.metadata().unwrap());
    assert_eq!(ensure(&path, &[yes(&["a"])]).unwrap(), Vec::<Vec<String>>::new());
    assert_eq!(identity(&path.metadata().unwrap()), before);
}

#[test]
fn mode_and_owner_and_the_link_to_the_file_stay() {
    let dir = tempfile::tempdir().unwrap();
    let (real, link) = (dir.path().join("real.json"), dir.path().join("link.json"));
    fs::write(&real, "{ \"z\": 1 }").unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    let root = rustix::process::geteuid().is_root();
    if root {
        std::os::unix::fs::chown(&real, Some(65534), Some(65534)).unwrap();
    }
    symlink("real.json", &link).unwrap();
    ensure(&link, &[yes(&["a"])]).unwrap();
    assert!(link.symlink_metadata().unwrap().is_symlink());
    let metadata = real.symlink_metadata().unwrap();
    assert_eq!(metadata.mode() & 0o7777, 0o640);
    assert!(!root || (metadata.uid(), metadata.gid()) == (65534, 65534));
    assert_eq!(fs::read_to_string(&real).unwrap(), "{ \"z\": 1, \"a\": true }");
}

#[test]
fn a_file_that_is_no_json_is_named_and_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.json");
    fs::write(&path, "{ \"oauth\": \"precious\", ").unwrap();
    let error = ensure(&path, &[yes(&["a"])]).unwrap_err().to_string();
    assert!(error.contains("a.json") && error.contains("repair"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "{ \"oauth\": \"precious\", ");
    fs::write(&path, "{\"p\": [1]}").unwrap();
    let error = ensure(&path, &[yes(&["p", "x"])]).unwrap_err().to_string();
    assert!(error.contains("`p` is not an object"), "{error}");
    assert_eq!(names(dir.path()), ["a.json"]);
}

#[test]
fn an_empty_file_has_nothing_to_lose() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.json");
    fs::write(&path, "\n").unwrap();
    ensure(&path, &[yes(&["a"])]).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\n  \"a\": true\n}");
}

#[test]
fn a_pipe_of_that_name_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.json");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(matches!(ensure(&path, &[yes(&["a"])]), Err(KeysError::Read { .. })));
}

#[test]
fn many_writers_at_once_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.json");
    std::thread::scope(|scope| {
        for n in 0..16 {
            let path = &path;
            scope.spawn(move || {
                let name = n.to_string();
                ensure(path, &[yes(&["projects", &name]), yes(&[&name])]).unwrap();
            });
        }
    });
    let value: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(value.as_object().unwrap().len(), 17);
    assert_eq!(value["projects"].as_object().unwrap().len(), 16);
    assert_eq!(names(dir.path()), ["a.json"]);
}

#[test]
fn the_agents_lock_is_waited_for_and_a_dead_ones_is_taken_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.json");
    let lock = dir.path().join("a.json.lock");
    fs::create_dir(&lock).unwrap();
    let error = ensure(&path, &[yes(&["a"])]).unwrap_err();
    assert!(matches!(&error, KeysError::Locked { lock: named } if *named == lock), "{error}");
    assert!(!path.exists());
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| ensure(&path, &[yes(&["a"])]).unwrap());
        fs::remove_dir(&lock).unwrap();
        assert_eq!(writer.join().unwrap().len(), 1);
    });
    fs::create_dir(&lock).unwrap();
    let then = SystemTime::now() - 2 * LOCK_STALE;
    File::open(&lock).unwrap().set_modified(then).unwrap();
    assert_eq!(ensure(&path, &[yes(&["b"])]).unwrap().len(), 1);
    assert_eq!(names(dir.path()), ["a.json"]);
}

#[test]
fn what_changed_since_it_was_read_is_not_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.json");
    fs::write(&path, "{}").unwrap();
    let (read, _) = look(&path, &[yes(&["a"])]).unwrap();
    fs::write(&path, "{\"theirs\": 1}").unwrap();
    assert!(!replace(&path, read.identity, "{\"ours\": 1}").unwrap());
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"theirs\": 1}");
    assert_eq!(names(dir.path()), ["a.json"]);
}
