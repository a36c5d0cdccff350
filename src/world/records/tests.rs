use super::*;

const SAMPLE: &str = include_str!("../../../tests/saved/unit-v1.json");
const BOOT: &str = "6e1c1d5c-5a0e-4c0e-9a57-0d7c9a2f4b11";

fn name(name: &str) -> UnitName {
    UnitName::new(name).unwrap()
}

fn sample() -> Kept {
    Kept {
        record: Record {
            process: Some(Process { pid: 4711, start: 123_456 }),
            since: Some(mono(90_000_000_001)),
            since_wall: Some(wall(1_779_862_525_000_000_007)),
            ready: true,
            ending: true,
            spec: "0f3a".into(),
            kind: UnitKind::Orchestrator,
            crashes: vec![mono(80_000_000_000), mono(85_000_000_000)],
            level: 2,
            looping: false,
            total: 5,
            last_exit: Some((Exit::Signal(9), wall(1_779_862_524_000_000_000))),
            not_before: Some(mono(91_000_000_000)),
            why: "killed by SIGKILL".to_owned(),
        },
        anchor: Anchor {
            cgroup: Some("/sys/fs/cgroup/supervisor-abc/builder".into()),
            log_offset: Some(4096),
            tmux_server: Some(Process { pid: 4700, start: 123_400 }),
            pane: Some("%0".into()),
            systemd_unit: None,
            limits: Vec::new(),
        },
    }
}

fn load(dir: &Path) -> (Records, Vec<String>) {
    Records::load_all(dir, BOOT).unwrap()
}

#[test]
fn the_file_of_version_1_loads_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("units")).unwrap();
    fs::write(dir.path().join("units/builder.json"), SAMPLE).unwrap();
    let (records, notes) = load(dir.path());
    assert_eq!(records.units(), &[(name("builder"), sample())].into());
    assert!(notes.is_empty());
}

#[test]
fn record_and_anchor_are_written_apart_and_loaded_together() {
    let dir = tempfile::tempdir().unwrap();
    let (mut records, _) = load(dir.path());
    let Kept { record, anchor } = sample();
    records.set_anchor(&name("a"), UnitKind::Session, anchor.clone()).unwrap();
    assert_eq!(load(dir.path()).0.units()[&name("a")].record, Record::new(UnitKind::Session));
    records.set_record(&name("a"), &record).unwrap();
    records.set_record(&name("b.json"), &record).unwrap();
    let (loaded, notes) = load(dir.path());
    assert_eq!(loaded.units()[&name("a")], Kept { record: record.clone(), anchor });
    assert_eq!(loaded.units()[&name("b.json")], Kept { record, anchor: Anchor::default() });
    assert!(notes.is_empty());
}

#[test]
fn every_exit_is_loaded_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let (mut records, _) = load(dir.path());
    for exit in [Exit::Code(0), Exit::Code(-1), Exit::Signal(11), Exit::Unknown] {
        let mut record = Record::new(UnitKind::Service);
        record.last_exit = Some((exit, wall(7)));
        records.set_record(&name("a"), &record).unwrap();
        assert_eq!(load(dir.path()).0.units()[&name("a")].record, record);
    }
}

#[test]
fn records_of_another_boot_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let (mut records, _) = load(dir.path());
    records.set_record(&name("a"), &sample().record).unwrap();
    let (other, notes) = Records::load_all(dir.path(), "another").unwrap();
    assert!(other.units().is_empty());
    assert!(notes.is_empty());
    assert!(load(dir.path()).0.units().is_empty());
}

#[test]
fn a_corrupt_record_is_set_aside_alone_and_loudly() {
    let dir = tempfile::tempdir().unwrap();
    let (mut records, _) = load(dir.path());
    records.set_record(&name("good"), &sample().record).unwrap();
    fs::write(dir.path().join("units/bad.json"), &SAMPLE[..100]).unwrap();
    fs::write(dir.path().join("units/bad.json.tmp-2000000000-0"), "").unwrap();
    let (loaded, notes) = load(dir.path());
    assert_eq!(loaded.units().keys().collect::<Vec<_>>(), [&name("good")]);
    assert_eq!(notes.len(), 1);
    assert!(notes[0].starts_with("the record of bad is corrupt"), "{notes:?}");
    let left = fs::read_dir(dir.path().join("units")).unwrap().count();
    assert_eq!(left, 2, "the good one and the one set aside");
}

#[test]
fn a_forgotten_unit_has_no_record() {
    let dir = tempfile::tempdir().unwrap();
    let (mut records, _) = load(dir.path());
    records.set_record(&name("a"), &sample().record).unwrap();
    records.forget(&name("a")).unwrap();
    records.forget(&name("a")).unwrap();
    assert!(load(dir.path()).0.units().is_empty());
}

#[test]
#[ignore = "a measurement: run it by hand on tmpfs"]
fn how_long_one_write_takes() {
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let (mut records, _) = load(dir.path());
    let record = sample().record;
    let begin = std::time::Instant::now();
    for _ in 0..10_000 {
        records.set_record(&name("a"), &record).unwrap();
    }
    eprintln!("{:?} a record", begin.elapsed() / 10_000);
    let bytes = SAMPLE.as_bytes();
    let begin = std::time::Instant::now();
    for _ in 0..10_000 {
        let path = dir.path().join("bytes");
        files::write_atomic(&path, bytes, Durability::Process, 0o600).unwrap();
    }
    eprintln!("{:?} of that for the file", begin.elapsed() / 10_000);
}
