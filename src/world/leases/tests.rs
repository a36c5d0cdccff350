use super::*;

const ID: &str = "b859e814-b548-4529-a73a-62b99b8b10fc";

struct House {
    dir: tempfile::TempDir,
}

impl House {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join("agent-supervisor/leases")
    }

    fn of(&self, state_dir: &str) -> Leases {
        Leases::new(&self.folder(), "boot-1", Path::new(state_dir))
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn own() -> Process {
    procs::identify(std::process::id().cast_signed()).unwrap()
}

fn gone() -> Process {
    Process { start: own().start + 1, ..own() }
}

#[test]
fn a_signed_lease_is_seen_by_every_supervisor_until_it_is_released() {
    let house = House::new();
    let (first, second) = (house.of("/state/1"), house.of("/state/2"));
    first.take(ID, "claude").unwrap().sign(own()).unwrap();
    let holder =
        Holder { process: own(), agent: "claude".into(), state_dir: PathBuf::from("/state/1") };
    assert_eq!(second.holder(ID).unwrap(), Some(holder.clone()));
    let error = second.take(ID, "claude").unwrap_err();
    assert!(matches!(&error, LeaseError::Taken { holder: by, .. } if *by == holder), "{error}");
    assert_eq!(house.names(), [format!("{ID}.json")]);
    second.release(ID, own()).unwrap();
    assert_eq!(first.holder(ID).unwrap(), None);
    assert_eq!(house.names(), Vec::<String>::new());
    second.release(ID, own()).unwrap();
}

#[test]
fn of_two_takers_one_is_told_at_once() {
    let house = House::new();
    let (first, second) = (house.of("/state/1"), house.of("/state/2"));
    let claim = first.take(ID, "claude").unwrap();
    assert!(matches!(second.take(ID, "claude"), Err(LeaseError::BeingTaken { .. })));
    assert!(matches!(first.take(ID, "claude"), Err(LeaseError::BeingTaken { .. })));
    second.take("another", "claude").unwrap().sign(own()).unwrap();
    drop(claim);
    second.take(ID, "claude").unwrap().sign(own()).unwrap();
    assert!(matches!(first.take(ID, "claude"), Err(LeaseError::Taken { .. })));
}

#[test]
fn many_takers_at_once_get_one_lease() {
    let house = House::new();
    let signed = std::thread::scope(|scope| {
        let takers: Vec<_> = (0..16)
            .map(|n| {
                let leases = house.of(&format!("/state/{n}"));
                scope.spawn(move || match leases.take(ID, "claude") {
                    Ok(claim) => claim.sign(own()).map(|()| true).unwrap(),
                    Err(LeaseError::Taken { .. } | LeaseError::BeingTaken { .. }) => false,
                    Err(other) => panic!("{other}"),
                })
            })
            .collect();
        takers.into_iter().map(|it| it.join().unwrap()).filter(|it| *it).count()
    });
    assert_eq!(signed, 1);
}

#[test]
fn a_lease_of_a_dead_process_or_of_another_boot_is_nobodys() {
    let house = House::new();
    let leases = house.of("/state");
    leases.take(ID, "claude").unwrap().sign(gone()).unwrap();
    assert_eq!(leases.holder(ID).unwrap(), None);
    leases.take(ID, "claude").unwrap().sign(own()).unwrap();
    assert!(leases.holder(ID).unwrap().is_some());
    let rebooted = Leases::new(&house.folder(), "boot-2", Path::new("/state"));
    assert_eq!(rebooted.holder(ID).unwrap(), None);
    rebooted.take(ID, "claude").unwrap().sign(own()).unwrap();
}

#[test]
fn a_lease_that_went_to_another_process_is_not_released() {
    let house = House::new();
    let leases = house.of("/state");
    leases.take(ID, "claude").unwrap().sign(own()).unwrap();
    leases.release(ID, gone()).unwrap();
    assert!(leases.holder(ID).unwrap().is_some());
}

#[test]
fn a_claim_that_outlives_a_fork_in_a_child_is_given_up_all_the_same() {
    let house = House::new();
    let leases = house.of("/state");
    let claim = leases.take(ID, "claude").unwrap();
    let _inherited = claim._guard.file.try_clone().unwrap();
    drop(claim);
    leases.take(ID, "claude").unwrap().sign(own()).unwrap();
}

#[test]
fn a_corrupt_record_is_set_aside_at_the_next_taking() {
    let house = House::new();
    let leases = house.of("/state");
    fs::create_dir_all(house.folder()).unwrap();
    fs::write(house.folder().join(format!("{ID}.json")), "{ \"version\": 1, ").unwrap();
    assert_eq!(leases.holder(ID).unwrap(), None);
    let claim = leases.take(ID, "claude").unwrap();
    let aside = claim.set_aside().unwrap().to_owned();
    assert_eq!(fs::read_to_string(aside).unwrap(), "{ \"version\": 1, ");
    claim.sign(own()).unwrap();
    assert!(leases.holder(ID).unwrap().is_some());
}

#[test]
fn a_record_of_a_newer_supervisor_is_obeyed_or_refused_but_never_lost() {
    let house = House::new();
    let leases = house.of("/state");
    fs::create_dir_all(house.folder()).unwrap();
    let path = house.folder().join(format!("{ID}.json"));
    fs::write(&path, "{ \"version\": 9, \"who\": \"somebody\" }").unwrap();
    assert!(matches!(leases.take(ID, "claude"), Err(LeaseError::TooNew { version: 9, .. })));
    assert!(matches!(leases.holder(ID), Err(LeaseError::TooNew { .. })));
    let Process { pid, start } = own();
    let newer = format!(
        "{{ \"version\": 9, \"more\": 1, \"conversation\": \"{ID}\", \"agent\": \"claude\", \
         \"pid\": {pid}, \"start\": {start}, \"boot_id\": \"boot-1\", \"state_dir\": \"/s\" }}"
    );
    fs::write(&path, newer).unwrap();
    assert_eq!(leases.holder(ID).unwrap().map(|holder| holder.process), Some(own()));
}

#[test]
fn an_id_is_no_way_out_of_the_folder() {
    let house = House::new();
    let leases = house.of("/state");
    let long = "x".repeat(ID_MAX + 1);
    for id in ["", ".", "..", "../x", "a/b", "a.lock", "a b", "a\0", "ä", long.as_str()] {
        assert!(matches!(leases.take(id, "claude"), Err(LeaseError::BadId(_))), "{id:?}");
        assert!(matches!(leases.holder(id), Err(LeaseError::BadId(_))), "{id:?}");
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let leases = Leases::new(Path::new("/proc/nowhere/leases"), "boot-1", Path::new("/state"));
    let error = leases.take(ID, "claude").unwrap_err();
    assert_eq!(error.to_string(), "cannot lock /proc/nowhere/leases");
    assert_eq!(leases.holder(ID).unwrap(), None);
}

#[test]
fn the_leases_lie_where_the_user_keeps_state() {
    let of = |pairs: &'static [(&str, &str)]| {
        folder(&|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, it)| it.into()))
    };
    let path = |path: &str| Some(PathBuf::from(path));
    assert_eq!(of(&[("HOME", "/h"), ("XDG_STATE_HOME", "/x")]), path("/x/agent-supervisor/leases"));
    assert_eq!(
        of(&[("HOME", "/h"), ("XDG_STATE_HOME", "relative")]),
        path("/h/.local/state/agent-supervisor/leases")
    );
    assert_eq!(of(&[]), None);
}
