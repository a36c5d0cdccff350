use std::env;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::*;

const CEILING: Duration = Duration::from_secs(20);

fn folder() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("web.log");
    (dir, path)
}

fn write(path: &Path, text: &str) {
    let mut file = File::from(open_for_child(path).unwrap());
    file.write_all(text.as_bytes()).unwrap();
}

fn lines(range: std::ops::Range<usize>) -> String {
    range.map(|n| format!("line {n} {:>40}\n", "")).collect()
}

fn all(path: &Path) -> String {
    let (read, end) = read(path, usize::MAX).unwrap();
    let mut whole = Whole::open(path).unwrap();
    let mut blocks = Vec::new();
    while let Some(block) = whole.next_block().unwrap() {
        blocks.extend(block);
    }
    assert_eq!(whole.offset(), end);
    // What is too long for memory is cut at its beginning, by one of the two.
    let same = if blocks.len() < 30 << 20 { blocks == read } else { blocks.ends_with(&read) };
    assert!(same, "the two ways to read a log differ");
    String::from_utf8(blocks).unwrap()
}

fn follow(reader: &mut Reader) -> String {
    let mut text = Vec::new();
    let mut block = vec![0; 10_000];
    loop {
        match reader.read(&mut block).unwrap() {
            0 => return String::from_utf8(text).unwrap(),
            n => text.extend_from_slice(&block[..n]),
        }
    }
}

fn count_archives(path: &Path) -> usize {
    archives(path).unwrap().iter().filter(|part| part.to > 0).count()
}

#[test]
fn a_log_that_is_rotated_while_it_is_read_whole_is_read_once() {
    let (_dir, path) = folder();
    write(&path, &lines(0..5000));
    rotate(&path, 1000, 9).unwrap();
    write(&path, &lines(5000..9000));
    let mut whole = Whole::open(&path).unwrap();
    let mut text = whole.next_block().unwrap().unwrap();
    rotate(&path, 1000, 9).unwrap();
    write(&path, "later\n");
    while let Some(block) = whole.next_block().unwrap() {
        text.extend(block);
    }
    assert!(String::from_utf8(text).unwrap().starts_with(&lines(0..9000)));
}

#[test]
fn a_rotated_log_reads_as_before_and_takes_less_room() {
    let (_dir, path) = folder();
    write(&path, &lines(0..5000));
    let blocks = std::os::unix::fs::MetadataExt::blocks(&fs::metadata(&path).unwrap());
    let mut from_start = Reader::new(&path, 0);
    assert!(rotate(&path, 1000, 3).unwrap());
    assert!(!rotate(&path, 1000, 3).unwrap());
    assert!(std::os::unix::fs::MetadataExt::blocks(&fs::metadata(&path).unwrap()) < blocks);
    write(&path, &lines(5000..9000));
    assert_eq!(all(&path), lines(0..9000));
    assert_eq!(read(&path, 2).unwrap().0, lines(8998..9000).into_bytes());
    assert_eq!(read(&path, 4500).unwrap().0, lines(4500..9000).into_bytes());
    assert_eq!(follow(&mut from_start), lines(0..9000));
}

#[test]
fn a_line_that_is_being_written_is_not_cut() {
    let (_dir, path) = folder();
    write(&path, &format!("{}half a li", lines(0..100)));
    rotate(&path, 1000, 3).unwrap();
    assert_eq!(count_archives(&path), 1);
    let kept = fs::read_to_string(&archives(&path).unwrap()[0].path).unwrap();
    assert_eq!(kept, lines(0..100));
    write(&path, "ne\n");
    assert_eq!(read(&path, 1).unwrap().0, b"half a line\n");
}

#[test]
fn only_so_many_archives_are_kept() {
    let (_dir, path) = folder();
    for n in 0..6 {
        write(&path, &lines(n * 100..(n + 1) * 100));
        assert!(rotate(&path, 1000, 2).unwrap());
        assert!(count_archives(&path) <= 2);
    }
    assert_eq!(all(&path), lines(400..600));
    // A follower that was left behind goes on with what there is.
    assert_eq!(follow(&mut Reader::new(&path, 0)), lines(400..600));
    write(&path, &lines(600..700));
    rotate(&path, 1000, 0).unwrap();
    write(&path, "after\n");
    assert!(all(&path).ends_with("after\n"));
}

#[test]
fn a_rotator_killed_after_any_step_loses_and_doubles_nothing() {
    let (_dir, path) = folder();
    write(&path, &lines(0..3000));
    let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let to = line_end(&file, 0, 100_000).unwrap();

    // While copying.
    fs::write(files::with_suffix(&path, ".tmp-2000000000-0"), "half").unwrap();
    assert_eq!(all(&path), lines(0..3000));

    // After the archive is made, before the hole is.
    archive(&file, &path, 0, 0, to).unwrap();
    assert_eq!(all(&path), lines(0..3000));
    let mut reader = Reader::new(&path, 0);
    assert_eq!(follow(&mut reader), lines(0..3000));
    write(&path, &lines(3000..3001));
    assert_eq!(all(&path), lines(0..3001));

    // The next one makes up for it, also when there is nothing else to do.
    assert!(!rotate(&path, 1 << 30, 5).unwrap());
    assert!(first_data(&file, 0).unwrap() > 0);
    assert_eq!(all(&path), lines(0..3001));
    assert!(rotate(&path, 1000, 5).unwrap());
    assert_eq!(all(&path), lines(0..3001));
    assert_eq!(follow(&mut reader), lines(3000..3001));
}

#[test]
fn a_log_that_was_emptied_or_removed_by_hand_hides_nothing() {
    for remove in [false, true] {
        let (_dir, path) = folder();
        write(&path, &lines(0..1000));
        rotate(&path, 1000, 5).unwrap();
        write(&path, "tail\n");
        let mut reader = Reader::new(&path, end(&path));
        assert_eq!(follow(&mut reader), "");
        if remove {
            fs::remove_file(&path).unwrap();
        } else {
            File::create(&path).unwrap();
        }
        write(&path, &lines(2000..2010));
        assert_eq!(follow(&mut reader), lines(2000..2010));
        assert_eq!(all(&path), lines(0..1000) + &lines(2000..2010));
        // It grows past where the old one was cut.
        write(&path, &lines(2010..4000));
        assert_eq!(all(&path), lines(0..1000) + &lines(2000..4000));
        rotate(&path, 1000, 5).unwrap();
        write(&path, &lines(4000..4001));
        assert_eq!(all(&path), lines(0..1000) + &lines(2000..4001));
        assert_eq!(follow(&mut reader), lines(2010..4001));
    }
}

#[test]
fn where_no_hole_can_be_punched_a_log_is_moved_while_nobody_writes() {
    let (_dir, path) = folder();
    assert!(supports_punching(path.parent().unwrap()));
    assert!(!supports_punching(Path::new("/proc")));
    write(&path, &lines(0..100));
    begin_anew(&path, 1000, 3).unwrap();
    assert_eq!(count_archives(&path), 0, "it can be punched");
    // What the move would do.
    rotate(&path, 1000, 3).unwrap();
    write(&path, &lines(100..200));
    let mut reader = Reader::new(&path, 50 * lines(0..1).len() as u64);
    let mut block = [0; 10];
    reader.read(&mut block).unwrap();
    fs::rename(&path, Archive::name(&path, 0, 0, end(&path))).unwrap();
    write(&path, &lines(200..300));
    assert_eq!(all(&path), lines(0..300));
    rotate(&path, 1000, 3).unwrap();
    assert_eq!(all(&path), lines(0..300));
    // Far beyond any filesystem's comfort, and empty.
    let (_dir, path) = folder();
    write(&path, "text\n");
    File::options().write(true).open(&path).unwrap().set_len(OFFSET_MAX).unwrap();
    begin_anew(&path, 1000, 3).unwrap();
    assert_eq!(end(&path), 0);
    begin_anew(&path, 1000, 3).unwrap();
}

#[test]
fn logs_of_units_with_similar_names_are_not_mixed_up() {
    let (dir, path) = folder();
    let other = dir.path().join("web.log.0000-0000000000000-0000000000009.log");
    write(&other, "other\n");
    write(&path, &lines(0..100));
    rotate(&path, 10, 3).unwrap();
    rotate(&other, 1, 3).unwrap();
    assert_eq!(all(&path), lines(0..100));
    assert_eq!(all(&other), "other\n");
    assert!(read(&dir.path().join("none.log"), 5).unwrap().0.is_empty());
}

#[test]
fn a_follower_sees_each_line_once_over_rotations_and_from_before_the_log() {
    let (_dir, path) = folder();
    let mut follower = Follower::new(&path, 0).unwrap();
    assert_eq!(follower.next_within(Duration::ZERO).unwrap(), None);
    let wanted = lines(0..20_000);
    let writer = thread::spawn(move || {
        for n in 0..200 {
            write(&path, &lines(n * 100..(n + 1) * 100));
            rotate(&path, 20_000, 1000).unwrap();
        }
    });
    let mut got = Vec::new();
    while got.len() < wanted.len() {
        got.extend(follower.next_within(CEILING).unwrap().unwrap_or_default());
    }
    writer.join().unwrap();
    assert!(String::from_utf8(got).unwrap() == wanted);
    assert_eq!(follower.next_within(Duration::ZERO).unwrap(), None);
}

#[tokio::test]
async fn the_keeper_asks_for_the_rotation_of_what_has_grown_and_sleeps_while_nobody_writes() {
    let (_dir, path) = folder();
    write(&path, "");
    let mut keeper = LogKeeper::new(50_000, 3).unwrap();
    keeper.watch(&path).unwrap();
    keeper.due().await;
    assert!(keeper.check().0.is_empty());
    // Idle: it is not even at a deadline, however long one waits.
    tokio::select! {
        biased;
        () = keeper.due() => panic!("nobody wrote"),
        () = async { for _ in 0..100 { tokio::task::yield_now().await } } => {}
    }
    write(&path, &lines(0..5000));
    tokio::time::timeout(CEILING, keeper.due()).await.unwrap();
    let (rotations, errors) = keeper.check();
    assert!(errors.is_empty());
    assert_eq!(rotations.len(), 1);
    let rotation = rotations.into_iter().next().unwrap();
    let (rotation, done) = tokio::task::spawn_blocking(move || {
        let done = rotation.run();
        (rotation, done)
    })
    .await
    .unwrap();
    assert!(done.unwrap());
    keeper.rotated(&rotation);
    assert_eq!(all(&path), lines(0..5000));
    // The look after the rotation finds nothing more to do.
    tokio::time::timeout(CEILING, keeper.due()).await.unwrap();
    assert!(keeper.check().0.is_empty());
}

/// How often the rotator is killed.
const KILLS: usize = 20;

#[test]
fn no_line_is_lost_or_doubled_while_the_rotator_is_killed_again_and_again() {
    let (_dir, path) = folder();
    write(&path, "");
    let mut follower = Follower::new(&path, 0).unwrap();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let writer = thread::spawn({
        let mut log = File::from(open_for_child(&path).unwrap());
        move || {
            let mut n = 0;
            while stopped.try_recv().is_err() {
                // About 10 MB/s, so that the disk of a busy machine is not filled.
                let begin = Instant::now();
                for _ in 0..20 {
                    log.write_all(lines(n..n + 100).as_bytes()).unwrap();
                    n += 100;
                }
                thread::sleep(Duration::from_millis(10).saturating_sub(begin.elapsed()));
            }
            n
        }
    });
    let mut seen = 0;
    for kill in 0..KILLS {
        let before = count_archives(&path);
        let mut rotator = rotator(&path);
        let begin = Instant::now();
        // It dies somewhere in its work, not before it has begun, and at another place each time.
        while count_archives(&path) < before + 1 + kill % 3 {
            assert!(begin.elapsed() < CEILING, "the rotator does nothing");
            seen +=
                follower.next_within(Duration::from_millis(1)).unwrap().unwrap_or_default().len();
        }
        for _ in 0..kill * 37 {
            thread::yield_now();
        }
        rotator.kill().unwrap();
        // Another test's reaper may have had it before.
        let _ = rotator.wait();
    }
    stop.send(()).unwrap();
    let written = writer.join().unwrap();
    let wanted = lines(0..written);
    let got = all(&path);
    assert_eq!(got.len(), wanted.len());
    assert!(got == wanted);
    while seen < wanted.len() {
        seen +=
            follower.next_within(CEILING).unwrap().expect("the follower has missed lines").len();
    }
    assert_eq!(seen, wanted.len());
    eprintln!("{written} lines, {} archives, {KILLS} kills", count_archives(&path));
}

fn rotator(path: &Path) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "world::logs::tests::rotator_process", "--ignored", "--nocapture"])
        .env("ROTATE", path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
#[ignore = "the process that another test kills"]
fn rotator_process() {
    let Some(path) = env::var_os("ROTATE").map(PathBuf::from) else { return };
    // The other test's end is our end: its folder is gone then.
    while path.exists() {
        let _ = rotate(&path, 256 * 1024, 100_000);
    }
}
