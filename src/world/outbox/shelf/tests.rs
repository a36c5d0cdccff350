use super::*;

fn notice(key: &str, text: &str) -> Notice {
    let (key, text) = (key.to_owned(), text.to_owned());
    Notice { title: key.clone(), key, text, severity: Severity::Info }
}

fn house() -> (tempfile::TempDir, Shelf) {
    let dir = tempfile::tempdir().unwrap();
    let (state, run) = (dir.path().join("state"), dir.path().join("run"));
    fs::create_dir_all(&state).unwrap();
    fs::create_dir_all(&run).unwrap();
    (dir, Shelf::new(&state, &run))
}

fn post(shelf: &Shelf, key: &str) -> Posted {
    shelf.post(&notice(key, "x"), SystemTime::now()).unwrap()
}

fn keys(shelf: &Shelf) -> Vec<String> {
    shelf.waiting().into_iter().map(|entry| entry.kept.key).collect()
}

fn all(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn notices_stay_in_the_order_in_which_they_came() {
    let (_dir, shelf) = house();
    for n in 0..25 {
        assert!(post(&shelf, &n.to_string()).durable);
    }
    let wanted: Vec<_> = (0..25).map(|n| n.to_string()).collect();
    assert_eq!(keys(&shelf), wanted);
}

#[test]
fn equals_are_folded_in_the_place_of_the_first_with_the_words_of_the_last() {
    let (_dir, shelf) = house();
    post(&shelf, "a");
    post(&shelf, "b");
    let again = shelf.post(&notice("a", "the newest"), SystemTime::now()).unwrap();
    let waiting = shelf.waiting();
    assert_eq!(keys(&shelf), ["a", "b"]);
    assert_eq!((waiting[0].kept.count, waiting[0].kept.text.as_str()), (2, "the newest"));
    assert_eq!(again.name, waiting[0].name);
}

#[test]
fn a_notice_is_gone_when_the_last_target_has_it() {
    let (_dir, shelf) = house();
    post(&shelf, "a");
    let both = all(&["one", "two"]);
    shelf.told(&shelf.waiting(), "one", &both).unwrap();
    let waiting = shelf.waiting();
    assert!(!waiting[0].kept.waits_for("one") && waiting[0].kept.waits_for("two"));
    shelf.told(&waiting, "two", &both).unwrap();
    assert_eq!(shelf.waiting().len(), 0);
}

#[test]
fn what_happens_again_while_it_is_being_told_is_told_again() {
    let (_dir, shelf) = house();
    post(&shelf, "a");
    let under_way = shelf.waiting();
    post(&shelf, "a");
    shelf.told(&under_way, "one", &all(&["one"])).unwrap();
    let waiting = shelf.waiting();
    assert_eq!(waiting.len(), 1);
    assert!(waiting[0].kept.waits_for("one"));
}

#[test]
fn a_corrupt_notice_is_set_aside_and_that_is_a_notice_before_all_others() {
    let (dir, shelf) = house();
    let first = post(&shelf, "a");
    post(&shelf, "b");
    let file = dir.path().join("state/outbox").join(first.name);
    for text in ["", "{", "{\"version\":1}", "\u{0}\u{0}"] {
        fs::write(&file, text).unwrap();
        shelf.waiting();
        assert!(!file.exists(), "{text:?}");
    }
    let waiting = shelf.waiting();
    assert_eq!(waiting.last().unwrap().kept.key, "b");
    assert!(waiting[0].kept.text.contains(".corrupt-"), "{}", waiting[0].kept.text);
}

#[test]
fn a_stranger_in_the_folder_is_left_alone() {
    let (dir, shelf) = house();
    post(&shelf, "a");
    for name in ["README", "lock", "1-2.json", "000000000001-zz.json", ".json"] {
        fs::write(dir.path().join("state/outbox").join(name), "x").unwrap();
    }
    assert_eq!(keys(&shelf), ["a"]);
}

#[test]
fn of_too_many_the_oldest_are_dropped_and_that_is_told() {
    let (_dir, shelf) = house();
    for n in 0..MOST + 20 {
        post(&shelf, &format!("k{n}"));
    }
    let waiting = shelf.waiting();
    assert!(waiting.len() <= MOST + 1, "{}", waiting.len());
    let dropped: Vec<_> = waiting.iter().filter(|entry| entry.kept.key == DROPPED).collect();
    assert_eq!(dropped.len(), 1);
    assert_eq!(waiting[0].kept.key, DROPPED);
    let kept = waiting.len() - 1;
    assert_eq!(dropped[0].kept.count, (MOST + 20 - kept) as u64);
    assert_eq!(waiting.last().unwrap().kept.key, format!("k{}", MOST + 19));
}

#[test]
fn what_the_durable_folder_does_not_take_lies_in_the_other_one() {
    let (dir, shelf) = house();
    post(&shelf, "a");
    // A file in the place of the folder refuses everybody, root too.
    fs::rename(dir.path().join("state/outbox"), dir.path().join("kept")).unwrap();
    fs::write(dir.path().join("state/outbox"), "").unwrap();
    assert!(!post(&shelf, "b").durable);
    assert_eq!(keys(&shelf), ["b"]);
    fs::remove_file(dir.path().join("state/outbox")).unwrap();
    fs::rename(dir.path().join("kept"), dir.path().join("state/outbox")).unwrap();
    assert_eq!(keys(&shelf).len(), 2);
    assert!(post(&shelf, "b").durable);
    let wanted: Vec<_> = shelf.waiting().iter().map(|entry| entry.kept.count).collect();
    assert_eq!(wanted.iter().sum::<u64>(), 3);
    fs::remove_dir_all(dir.path().join("run/outbox")).unwrap();
    assert_eq!(keys(&shelf).len(), 2);
}

#[test]
fn a_writer_that_keeps_the_lock_loses_nobody_a_notice() {
    let (dir, shelf) = house();
    shelf.make();
    let lock = dir.path().join("state/outbox/lock");
    let Taken::Ours(held) = take(&lock, Duration::ZERO) else { panic!("it is free") };
    assert!(matches!(take(&lock, Duration::ZERO), Taken::Held));
    post(&shelf, "a");
    drop(held);
    assert_eq!(keys(&shelf), ["a"]);
}

#[test]
fn many_writers_at_once_lose_nothing() {
    let (_dir, shelf) = house();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let shelf = &shelf;
            scope.spawn(move || {
                for n in 0..10 {
                    post(shelf, &format!("{writer}-{n}"));
                    post(shelf, "shared");
                }
            });
        }
    });
    let waiting = shelf.waiting();
    assert_eq!(waiting.len(), 41);
    let shared = waiting.iter().find(|entry| entry.kept.key == "shared").unwrap();
    assert_eq!(shared.kept.count, 40);
}
