use std::fs::{self, OpenOptions};
use std::io::Write;
use std::time::Duration;

use tokio::time::timeout;

use super::*;
use crate::world::logs;

const CEILING: Duration = Duration::from_secs(20);

fn write(path: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn log(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("web.log");
    write(&path, text);
    (dir, path)
}

#[tokio::test]
async fn a_text_written_in_pieces_is_found_at_once() {
    let (_dir, path) = log("Web running in the life before\n");
    let begin = logs::end(&path);
    let mut watch = ReadyWatch::new(&path, begin, "Web running");
    assert_eq!(watch.scan_now().unwrap(), None);
    let writer = async {
        for piece in ["starting\nWe", "b run", "ning on port 1"] {
            write(&path, piece);
            tokio::task::yield_now().await;
        }
    };
    let (found, ()) = tokio::join!(timeout(CEILING, watch.found()), writer);
    assert_eq!(found.unwrap().unwrap(), begin + "starting\nWeb running".len() as u64);
}

#[tokio::test]
async fn a_log_that_is_not_there_yet_is_waited_for() {
    let (dir, _) = log("");
    let path = dir.path().join("later.log");
    let mut watch = ReadyWatch::new(&path, 0, "up");
    let writer = async { write(&path, "up\n") };
    let (found, ()) = tokio::join!(timeout(CEILING, watch.found()), writer);
    assert_eq!(found.unwrap().unwrap(), 2);
}

#[tokio::test]
async fn a_successor_goes_on_at_the_saved_offset() {
    let (_dir, path) = log("noise\nrea");
    let mut watch = ReadyWatch::new(&path, 0, "ready");
    assert_eq!(watch.scan_now().unwrap(), None);
    let offset = watch.offset();
    assert!(offset > 0 && offset <= "noise\n".len() as u64);
    drop(watch);
    write(&path, "dy");
    let mut watch = ReadyWatch::new(&path, offset, "ready");
    assert_eq!(watch.scan_now().unwrap(), Some("noise\nready".len() as u64));
}

#[tokio::test]
async fn very_long_lines_are_not_kept() {
    let (_dir, path) = log(&"x".repeat(3 << 20));
    let mut watch = ReadyWatch::new(&path, 0, "ready");
    assert_eq!(watch.scan_now().unwrap(), None);
    assert!(watch.rest.capacity() < 4 * BLOCK);
    write(&path, "ready");
    assert_eq!(watch.scan_now().unwrap(), Some((3 << 20) + 5));
}

#[tokio::test]
async fn a_text_that_was_rotated_away_before_it_was_seen_is_found() {
    let (_dir, path) = log("ready\n");
    write(&path, &"noise\n".repeat(20_000));
    let mut watch = ReadyWatch::new(&path, 0, "ready");
    assert!(logs::rotate(&path, 1000, 3).unwrap());
    assert_eq!(watch.scan_now().unwrap(), Some(5));
    fs::remove_file(&path).unwrap();
}
