use std::thread;
use std::time::Duration;

use super::*;

const CEILING: Duration = Duration::from_secs(20);

fn journal(dir: &Path, part_max: u64) -> Journal {
    Journal { part_max, ..Journal::new(dir) }
}

fn entry(n: usize) -> Entry {
    Entry::new(SystemTime::UNIX_EPOCH, "tick", n.to_string())
}

fn whys(lines: &[String]) -> Vec<String> {
    lines.iter().map(|line| Entry::parse(line).unwrap().why).collect()
}

fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

#[test]
fn an_entry_is_one_line_of_json_and_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut entry = Entry::new(SystemTime::UNIX_EPOCH, "started", "it\nwas \"down\"");
    entry.unit = Some("web".into());
    entry.boot_id = Some("b".into());
    entry.fields.insert("pid".into(), 7.into());
    Journal::new(dir.path()).append(&entry);
    let text = fs::read_to_string(path(dir.path())).unwrap();
    assert_eq!(
        text,
        "{\"at\":\"1970-01-01T00:00:00Z\",\"boot_id\":\"b\",\"unit\":\"web\",\"event\":\"started\",\
         \"why\":\"it\\nwas \\\"down\\\"\",\"fields\":{\"pid\":7}}\n"
    );
    assert_eq!(Entry::parse(text.trim_end()), Some(entry));
    assert_eq!(Entry::parse("garbage"), None);
}

#[test]
fn the_tail_reaches_over_closed_parts() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = journal(dir.path(), 1000);
    for n in 0..40 {
        journal.append(&entry(n));
    }
    let path = path(dir.path());
    assert!(part(&path, 2).exists());
    assert_eq!(whys(&tail(&path, 35).unwrap()), numbers(5..40));
    assert_eq!(whys(&tail(&path, 3).unwrap()), numbers(37..40));
    for n in 40..400 {
        journal.append(&entry(n));
    }
    assert!(part(&path, 3).exists() && !part(&path, 4).exists());
    assert!(fs::metadata(&path).unwrap().len() <= 1000);
    let all = tail(&path, 1000).unwrap();
    assert_eq!(whys(&all), numbers(400 - all.len()..400));
    assert!(tail(&dir.path().join("none"), 5).unwrap().is_empty());
}

#[test]
fn a_follower_waits_for_the_journal_and_sees_every_entry_once_over_rotations() {
    let dir = tempfile::tempdir().unwrap();
    let mut follower = Follower::new(&path(dir.path())).unwrap();
    assert_eq!(follower.next_within(Duration::ZERO).unwrap(), None);
    let folder = dir.path().to_owned();
    let (step, steps) = std::sync::mpsc::channel();
    let writer = thread::spawn(move || {
        // A part holds about 130 of them, so that the follower is never more than two behind.
        let mut journal = journal(&folder, 8000);
        for n in 0..2000 {
            if n % 200 == 0 {
                steps.recv().unwrap();
            }
            journal.append(&entry(n));
        }
        assert_eq!(journal.trouble(), None);
    });
    for n in 0..2000 {
        if n % 200 == 0 {
            step.send(()).unwrap();
        }
        let line = follower.next_within(CEILING).unwrap();
        let line = match line {
            Some(line) => line,
            // A wake-up may come for half of what was written.
            None => follower.next().unwrap().unwrap(),
        };
        assert_eq!(Entry::parse(&line).unwrap().why, n.to_string());
    }
    writer.join().unwrap();
    assert_eq!(follower.next_within(Duration::ZERO).unwrap(), None);
}

#[test]
fn a_follower_begins_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = journal(dir.path(), 8000);
    journal.append(&entry(0));
    let mut follower = Follower::new(&path(dir.path())).unwrap();
    journal.append(&entry(1));
    let line = follower.next().unwrap().unwrap();
    assert_eq!(Entry::parse(&line).unwrap().why, "1");
}

#[test]
fn what_could_not_be_written_is_counted_and_said() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = journal(dir.path(), 8000);
    // Nothing can be opened for writing where a folder lies, not even by root.
    fs::create_dir(path(dir.path())).unwrap();
    journal.append(&entry(0));
    journal.append(&entry(1));
    assert_eq!(journal.trouble().unwrap().lost, 2);
    fs::remove_dir(path(dir.path())).unwrap();
    journal.append(&entry(2));
    assert_eq!(journal.trouble(), None);
    let lines = tail(&path(dir.path()), 10).unwrap();
    let first = Entry::parse(&lines[0]).unwrap();
    assert_eq!((first.event.as_str(), &first.fields["lost"]), (LOST, &Value::from(2)));
    assert_eq!(whys(&lines[1..]), ["2"]);
}

#[test]
fn the_trouble_is_over_with_its_cause_and_not_with_the_next_entry() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = journal(dir.path(), 8000);
    fs::create_dir(path(dir.path())).unwrap();
    journal.append(&entry(0));
    journal.catch_up(SystemTime::UNIX_EPOCH);
    assert_eq!(journal.trouble().unwrap().lost, 1);
    fs::remove_dir(path(dir.path())).unwrap();
    journal.catch_up(SystemTime::UNIX_EPOCH);
    journal.catch_up(SystemTime::UNIX_EPOCH);
    assert_eq!(journal.trouble(), None);
    let lines = tail(&path(dir.path()), 10).unwrap();
    let events: Vec<_> = lines.iter().map(|line| Entry::parse(line).unwrap().event).collect();
    assert_eq!(events, [LOST]);
}

#[test]
fn a_journal_that_somebody_removed_is_begun_anew() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = journal(dir.path(), 8000);
    journal.append(&entry(0));
    fs::remove_file(path(dir.path())).unwrap();
    journal.append(&entry(1));
    assert_eq!(whys(&tail(&path(dir.path()), 10).unwrap()), ["1"]);
}
