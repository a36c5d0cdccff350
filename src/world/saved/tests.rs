use std::process::Command;

use super::*;

const SAMPLE: &str = include_str!("../../../tests/saved/state-v1.json");

fn name(name: &str) -> UnitName {
    UnitName::new(name).unwrap()
}

fn sample() -> Saved {
    let mut saved = Saved::default();
    saved.wishes.insert(name("builder"), Wish::Up);
    saved.wishes.insert(name("gateway"), Wish::Up);
    saved.wishes.insert(name("nanoclaw"), Wish::Down);
    saved.drained_boot = Some("6e1c1d5c-5a0e-4c0e-9a57-0d7c9a2f4b11".into());
    saved.drained = [name("builder"), name("gateway")].into();
    saved
}

fn load_text(text: &str) -> (tempfile::TempDir, Loaded) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(path(dir.path()), text).unwrap();
    let loaded = load(dir.path()).unwrap();
    (dir, loaded)
}

#[test]
fn the_file_of_version_1_loads_for_ever() {
    let (_dir, loaded) = load_text(SAMPLE);
    assert_eq!(loaded.saved, sample());
    assert!(loaded.notes.is_empty());
}

#[test]
fn what_is_saved_is_loaded() {
    let dir = tempfile::tempdir().unwrap();
    save(dir.path(), &sample()).unwrap();
    let loaded = load(dir.path()).unwrap();
    assert_eq!(loaded.saved, sample());
    assert!(loaded.notes.is_empty());
}

#[test]
fn a_plan_that_was_saved_loads_for_ever_and_is_written_as_it_was() {
    let (dir, loaded) = load_text(include_str!("../../../tests/saved/state-v1-plan.json"));
    let plan = &loaded.saved.plan;
    assert!(loaded.notes.is_empty());
    assert_eq!((plan.phase.as_deref(), plan.last.as_deref()), (Some("2"), Some("99")));
    assert_eq!(plan.begun[&name("builder")], "1");
    assert_eq!(plan.edges["5f0d7b1e9c2a4b68"], ["dd", "w:ee"]);
    assert_eq!(plan.stale.as_ref().map(BTreeSet::len), Some(1));
    assert!(plan.since.is_some() && plan.words.contains_key("bb"));
    let about = loaded.saved.messages[&name("adversary")][0].about.as_deref();
    assert_eq!(about, Some("5f0d7b1e9c2a4b68"));
    save(dir.path(), &loaded.saved).unwrap();
    assert_eq!(load(dir.path()).unwrap().saved, loaded.saved);
}

#[test]
fn a_missing_file_is_empty_and_no_news() {
    let dir = tempfile::tempdir().unwrap();
    let loaded = load(dir.path()).unwrap();
    assert_eq!(loaded.saved, Saved::default());
    assert!(loaded.notes.is_empty());
}

#[test]
fn fields_of_a_later_release_are_written_back() {
    let later = SAMPLE.replacen('{', "{ \"phase\": {\"name\": \"2\"},", 1);
    let (dir, mut loaded) = load_text(&later);
    assert!(loaded.notes.is_empty());
    loaded.saved.wishes.insert(name("nanoclaw"), Wish::Up);
    save(dir.path(), &loaded.saved).unwrap();
    let text = fs::read_to_string(path(dir.path())).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["phase"]["name"], "2");
    assert_eq!(value["wishes"]["nanoclaw"], "up");
}

#[test]
fn corrupt_files_are_set_aside_loudly() {
    let truncated = &SAMPLE[..SAMPLE.len() / 2];
    for text in ["", "{", "[]", "null", "{}", r#"{"version":0}"#, "\0\0\0", truncated]
        .into_iter()
        .chain([r#"{"version":1,"wishes":[1]}"#, r#"{"version":-1}"#])
    {
        let (dir, loaded) = load_text(text);
        assert_eq!(loaded.saved, Saved::default(), "{text}");
        assert_eq!(loaded.notes.len(), 1, "{text}");
        assert!(loaded.notes[0].contains("state.json.corrupt-2"), "{:?}", loaded.notes);
        assert!(!path(dir.path()).exists());
        let kept = fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap().path();
        assert_eq!(fs::read_to_string(kept).unwrap(), text);
    }
}

#[test]
fn of_a_later_version_the_understood_part_is_used_and_the_original_kept_once() {
    let text = r#"{"version":3,"wishes":{"builder":"down","web":"maybe"},"drained":7,"x":[]}"#;
    let (dir, loaded) = load_text(text);
    assert_eq!(loaded.saved.wishes, [(name("builder"), Wish::Down)].into());
    assert_eq!(loaded.saved.drained_boot, None);
    assert_eq!(loaded.notes.len(), 2, "{:?}", loaded.notes);
    load(dir.path()).unwrap();
    let kept: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.to_str().unwrap().contains("state.json.version-3-"))
        .collect();
    assert_eq!(kept.len(), 1);
    assert_eq!(fs::read_to_string(&kept[0]).unwrap(), text);
}

#[test]
fn a_wish_that_nobody_understands_is_dropped_alone() {
    let (_dir, loaded) =
        load_text(r#"{"version":1,"wishes":{"a":"up","b":"sideways","Docker!":"up"}}"#);
    assert_eq!(loaded.saved.wishes, [(name("a"), Wish::Up)].into());
    assert_eq!(loaded.notes.len(), 2, "{:?}", loaded.notes);
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_and_not_missing() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(path(dir.path())).unwrap();
    assert!(matches!(load(dir.path()), Err(FileError::Read { .. })));
}

#[test]
fn on_a_full_disk_saving_fails_clearly_and_works_again_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_mount) = SmallDisk::mount(dir.path()) else { return };
    save(dir.path(), &sample()).unwrap();
    let filler = dir.path().join("filler");
    let full = fs::write(&filler, vec![1; 4 << 20]).unwrap_err();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);

    let err = save(dir.path(), &Saved::default()).unwrap_err();
    assert_eq!(err.to_string(), format!("cannot write {}", path(dir.path()).display()));
    let source = std::error::Error::source(&err).unwrap().to_string();
    assert!(source.contains("No space left on device"), "{source}");
    assert_eq!(load(dir.path()).unwrap().saved, sample());
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");

    fs::remove_file(filler).unwrap();
    save(dir.path(), &Saved::default()).unwrap();
    assert_eq!(load(dir.path()).unwrap().saved, Saved::default());
}

#[test]
fn what_the_state_folder_cannot_take_is_kept_aside_until_it_can() {
    let (state, run) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let newest = || load_newest(state.path(), run.path()).unwrap();
    save(state.path(), &Saved::default()).unwrap();
    assert_eq!((newest().0.saved, newest().1), (Saved::default(), false));
    save_aside(run.path(), &sample()).unwrap();
    assert_eq!((newest().0.saved, newest().1), (sample(), true));
    save(state.path(), &sample()).unwrap();
    forget_aside(run.path());
    assert_eq!((newest().0.saved, newest().1), (sample(), false));
    fs::write(path(run.path()), "{").unwrap();
    let (loaded, aside) = newest();
    assert_eq!((loaded.saved, loaded.notes.len(), aside), (sample(), 1, false));
}

/// A tmpfs of one MiB, unmounted when dropped.
pub(crate) struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    pub(crate) fn mount(at: &'a Path) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            eprintln!("SKIPPED: a full disk needs root to mount a tmpfs");
            return None;
        }
        let options = ["-t", "tmpfs", "-o", "size=1m", "tmpfs"];
        match Command::new("mount").args(options).arg(at).status() {
            Ok(status) if status.success() => Some(Self(at)),
            other => {
                eprintln!("SKIPPED: mounting a tmpfs is not possible here: {other:?}");
                None
            }
        }
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}
