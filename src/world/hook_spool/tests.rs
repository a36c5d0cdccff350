use serde_json::json;

use super::*;

fn file(at: u64, payload: Value) -> File {
    File {
        version: VERSION,
        unit: "builder".to_owned(),
        instance: "0123456789ab".to_owned(),
        boot_id: boot::boot_id(Path::new(BOOT_ID)).ok(),
        at,
        parents: vec![(7, 70), (6, 60)],
        payload,
    }
}

fn put(folder: &Path, name: &str, file: &File) {
    let tmp = folder.join(format!("{name}.tmp"));
    fs::write(&tmp, serde_json::to_vec(file).unwrap()).unwrap();
    fs::rename(tmp, folder.join(name)).unwrap();
}

fn inside(test: impl AsyncFnOnce(&Path)) {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test(&dir.path().join("run/hooks")));
}

#[test]
fn the_folder_is_made_for_its_owner_alone() {
    inside(async |folder| {
        fs::create_dir_all(folder).unwrap();
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
        HookSpool::open(folder).unwrap();
        assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
    });
}

#[test]
fn calls_come_in_order_and_again_until_they_are_done_with() {
    inside(async |folder| {
        let mut spool = HookSpool::open(folder).unwrap();
        put(folder, "00000000000000000009-3.json", &file(9, json!({ "n": 2 })));
        put(folder, "00000000000000000005-8.json", &file(5, json!({ "n": 1 })));
        spool.changed().await.unwrap();
        let first = spool.drain().unwrap();
        assert_eq!(first.notes, Vec::<String>::new());
        let numbers: Vec<_> = first.dropped.iter().map(|it| it.payload["n"].clone()).collect();
        assert_eq!(numbers, [1, 2]);
        let call = &first.dropped[0];
        assert_eq!((call.unit.as_str(), call.instance.as_str()), ("builder", "0123456789ab"));
        assert_eq!(call.at, Mono::from_boot(Duration::from_nanos(5)));
        assert_eq!(call.parents[0], Process { pid: 7, start: 70 });
        spool.done(&call.file);
        // A daemon that died in between sees what it had not done with.
        let mut spool = HookSpool::open(folder).unwrap();
        let second = spool.drain().unwrap();
        assert_eq!(second.dropped, first.dropped[1..]);
        spool.done(&second.dropped[0].file);
        assert_eq!(spool.drain().unwrap().dropped, []);
    });
}

#[test]
fn what_says_nothing_is_removed_with_a_note() {
    inside(async |folder| {
        let mut spool = HookSpool::open(folder).unwrap();
        fs::write(folder.join("00000000000000000001-1.json"), "{").unwrap();
        put(folder, "2-1.json", &File { version: 99, ..file(2, json!({})) });
        put(folder, "3-1.json", &File { boot_id: Some("old".into()), ..file(3, json!({})) });
        put(folder, "4-1.json", &file(4, json!({})));
        let drained = spool.drain().unwrap();
        assert_eq!(drained.dropped.len(), 1);
        assert_eq!(drained.notes.len(), 3, "{:?}", drained.notes);
        assert!(drained.notes[1].contains("version 99"), "{:?}", drained.notes);
        assert!(drained.notes[2].contains("of an earlier boot"), "{:?}", drained.notes);
        assert!(spool.drain().unwrap().notes.is_empty());
    });
}

#[test]
fn a_file_that_died_half_written_is_removed_when_it_is_old() {
    inside(async |folder| {
        let mut spool = HookSpool::open(folder).unwrap();
        let [young, old] = ["1-1.json.tmp-1-0", "2-2.json.tmp-2-0"].map(|name| folder.join(name));
        fs::write(&young, "{").unwrap();
        fs::write(&old, "{").unwrap();
        let then = SystemTime::now() - 2 * UNFINISHED;
        fs::File::options().write(true).open(&old).unwrap().set_modified(then).unwrap();
        assert!(spool.drain().unwrap().dropped.is_empty());
        assert!(young.exists());
        assert!(!old.exists());
    });
}

#[test]
fn more_than_one_batch_wakes_again_by_itself() {
    inside(async |folder| {
        let mut spool = HookSpool::open(folder).unwrap();
        for n in 0..=BATCH {
            put(folder, &format!("{n:020}-1.json"), &file(n as u64, json!({})));
        }
        spool.changed().await.unwrap();
        let mut seen = 0;
        while seen <= BATCH {
            spool.changed().await.unwrap();
            for call in spool.drain().unwrap().dropped {
                seen += 1;
                spool.done(&call.file);
            }
        }
        assert_eq!(seen, BATCH + 1);
    });
}

#[test]
fn a_folder_that_somebody_removed_is_made_again_and_watched() {
    inside(async |folder| {
        let mut spool = HookSpool::open(folder).unwrap();
        fs::remove_dir_all(folder).unwrap();
        spool.changed().await.unwrap();
        assert!(spool.drain().unwrap().dropped.is_empty());
        put(folder, "1-1.json", &file(1, json!({})));
        spool.changed().await.unwrap();
        assert_eq!(spool.drain().unwrap().dropped.len(), 1);
    });
}
