use std::fs;

use super::*;
use crate::gateway::small_disk::SmallDisk;

#[path = "../../../tests/doubles/nanoclaw_v1.rs"]
pub(in crate::gateway) mod double;

mod people;

use double::{Disk, NanoClaw};

const RYAN: &str = "1@g.us";
const CODY: &str = "2@g.us";

pub(super) fn time(text: &str) -> SystemTime {
    row_time::parse(text).unwrap()
}

fn now() -> SystemTime {
    time("2026-05-27T10:00:00.500Z")
}

pub(super) fn house() -> (tempfile::TempDir, Disk) {
    // In memory, where there is such a place: hundreds of stories are played.
    let memory = std::path::Path::new("/dev/shm");
    let dir = tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir()).unwrap();
    let disk = Disk::new(dir.path());
    disk.register(RYAN, "ryan");
    disk.register(CODY, "cody");
    (dir, disk)
}

pub(super) fn addressee(folder: &str) -> Addressee {
    Addressee { name: folder.into(), folder: folder.into(), chat: None }
}

fn row(number: u32) -> Row {
    let id = format!("gw-0000000{number}-1");
    Row { content: format!("[evt {number}] build failed"), id, wake: false, crowds: false }
}

fn give(disk: &Disk, folder: &str, number: u32) -> Result<Inserted, Unfit> {
    insert(disk.directory(), &addressee(folder), &row(number), now())
}

fn heard(nanoclaw: &NanoClaw, jid: &str) -> Vec<String> {
    nanoclaw.heard.get(jid).into_iter().flatten().map(|it| it.id.clone()).collect()
}

#[test]
fn a_row_wakes_its_group_and_only_it() {
    let (_dir, disk) = house();
    let mut nanoclaw = NanoClaw::start(&disk, 10);
    assert!(matches!(give(&disk, "ryan", 1).unwrap(), Inserted::Row { chat, .. } if chat == RYAN));
    nanoclaw.polls();
    assert_eq!(heard(&nanoclaw, RYAN), ["gw-00000001-1"]);
    assert!(heard(&nanoclaw, CODY).is_empty());
}

#[test]
fn the_same_row_is_there_once_however_often_it_is_inserted() {
    let (_dir, disk) = house();
    let first = give(&disk, "ryan", 1).unwrap();
    // We died before it was noted in the ledger; NanoClaw has read it meanwhile.
    let mut nanoclaw = NanoClaw::start(&disk, 10);
    nanoclaw.polls();
    assert_eq!(give(&disk, "ryan", 1).unwrap(), first);
    assert_eq!(disk.rows_of_ours().len(), 1);
}

#[test]
fn a_second_row_waits_until_the_first_is_taken_and_other_groups_do_not_wait() {
    let (_dir, disk) = house();
    let mut nanoclaw = NanoClaw::start(&disk, 10);
    give(&disk, "ryan", 1).unwrap();
    assert_eq!(give(&disk, "ryan", 2).unwrap(), Inserted::Outstanding);
    assert!(matches!(give(&disk, "cody", 3).unwrap(), Inserted::Row { .. }));
    nanoclaw.polls();
    assert!(matches!(give(&disk, "ryan", 2).unwrap(), Inserted::Row { .. }));
    nanoclaw.polls();
    assert_eq!(heard(&nanoclaw, RYAN), ["gw-00000001-1", "gw-00000002-1"]);
    assert_eq!(heard(&nanoclaw, CODY), ["gw-00000003-1"]);
}

#[test]
fn a_row_is_a_millisecond_after_everything_and_never_now() {
    let (_dir, disk) = house();
    disk.person_writes(RYAN, "a", "hello", "2026-05-27T09:00:00.000Z");
    let mut nanoclaw = NanoClaw::start(&disk, 10);
    nanoclaw.polls();
    give(&disk, "cody", 1).unwrap();
    assert_eq!(disk.rows_of_ours()[0].1, "2026-05-27T09:00:00.001Z");
    // A person's message of that very time, late, is heard all the same.
    nanoclaw.polls();
    disk.person_writes(CODY, "b", "late", "2026-05-27T09:00:01.000Z");
    nanoclaw.polls();
    assert_eq!(heard(&nanoclaw, CODY), ["gw-00000001-1", "b"]);
}

#[test]
fn into_a_second_that_only_the_agents_own_message_has_reached_a_row_does_not_go_before_it_is_over()
{
    let (_dir, disk) = house();
    disk.agent_is_shown(RYAN, "a", "done", "2026-05-27T10:00:00.000Z");
    let soon = give(&disk, "ryan", 1).unwrap();
    assert!(matches!(soon, Inserted::Soon(wait) if wait <= SECOND_IS_OVER), "{soon:?}");
    let later = now() + SECOND_IS_OVER;
    let inserted = insert(disk.directory(), &addressee("ryan"), &row(1), later).unwrap();
    assert!(matches!(inserted, Inserted::Row { .. }));
}

#[test]
fn where_so_much_is_unread_that_a_persons_message_would_be_pushed_out_a_letter_waits() {
    let (_dir, disk) = house();
    for second in 10..19 {
        let date = format!("2026-05-27T09:00:{second}.000Z");
        disk.person_writes(RYAN, &format!("p{second}"), "hello", &date);
    }
    assert_eq!(give(&disk, "ryan", 1).unwrap(), Inserted::Crowded);
    let mut nanoclaw = NanoClaw::start(&disk, 10);
    nanoclaw.polls();
    assert!(matches!(give(&disk, "ryan", 1).unwrap(), Inserted::Row { .. }));
    nanoclaw.polls();
    assert_eq!(heard(&nanoclaw, RYAN).len(), 10);
}

#[test]
fn what_would_wake_nobody_is_not_inserted_and_it_is_said_why() {
    let (_dir, disk) = house();
    let sql = |sql: &str| disk.open().execute_batch(sql).unwrap();
    let refused = |folder: &str| match give(&disk, folder, 1) {
        Err(why) => why.to_string(),
        Ok(inserted) => panic!("{inserted:?}"),
    };
    assert!(refused("sam").contains("no group with the folder \"sam\""));
    assert!(refused("../x").contains("no group"));
    sql("UPDATE registered_groups SET requires_trigger = NULL WHERE folder = 'ryan'");
    assert!(refused("ryan").contains("answers only to its trigger"));
    sql("UPDATE registered_groups SET requires_trigger = 1, is_main = 1 WHERE folder = 'ryan'");
    assert!(matches!(give(&disk, "ryan", 9).unwrap(), Inserted::Row { .. }), "main needs none");
    sql("UPDATE registered_groups SET container_config = '{' WHERE folder = 'cody'");
    assert!(refused("cody").contains("container_config"));
    let other = Addressee { chat: Some("9@g.us".into()), ..addressee("ryan") };
    let why = insert(disk.directory(), &other, &row(1), now()).unwrap_err().to_string();
    assert!(why.contains("1@g.us") && why.contains("9@g.us"), "{why}");
    sql("PRAGMA foreign_keys = OFF; DELETE FROM messages; DELETE FROM chats WHERE jid = '1@g.us'");
    assert!(refused("ryan").contains("no chat 1@g.us"));
    assert!(disk.rows_of_ours().is_empty());
}

#[test]
fn a_database_that_is_missing_locked_read_only_or_of_another_shape_is_named_and_left_alone() {
    let (_dir, disk) = house();
    let why = |disk: &Disk| give(disk, "ryan", 1).unwrap_err().to_string();

    let other = disk.open();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    assert!(why(&disk).contains("another process holds its lock"));
    other.execute_batch("COMMIT").unwrap();
    drop(other);

    disk.open().execute_batch("ALTER TABLE messages RENAME COLUMN content TO body").unwrap();
    assert!(why(&disk).contains("no column messages.content"));
    disk.open().execute_batch("ALTER TABLE messages RENAME COLUMN body TO content").unwrap();
    disk.open().execute_batch("ALTER TABLE router_state RENAME TO state").unwrap();
    assert!(why(&disk).contains("no table router_state"));
    disk.open().execute_batch("ALTER TABLE state RENAME TO router_state").unwrap();
    assert!(disk.rows_of_ours().is_empty());

    let aside = disk.path().with_extension("aside");
    fs::rename(disk.path(), &aside).unwrap();
    assert!(why(&disk).contains("it is not there"));
    assert!(!disk.path().exists(), "none is made");
    fs::write(disk.path(), "no database at all, and long enough to be read as one").unwrap();
    assert!(why(&disk).contains("messages.db"));
    fs::rename(&aside, disk.path()).unwrap();
    assert!(matches!(give(&disk, "ryan", 1).unwrap(), Inserted::Row { .. }));
}

#[test]
fn a_database_that_may_not_be_written_is_left_alone_and_so_is_one_on_a_full_disk() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mount) = SmallDisk::mount(dir.path()) else { return };
    let disk = Disk::new(dir.path());
    disk.register(RYAN, "ryan");
    mount.remount("ro");
    let why = give(&disk, "ryan", 1).unwrap_err().to_string();
    assert!(why.contains("we may not write to it"), "{why}");
    mount.remount("rw");
    let ballast = dir.path().join("ballast");
    let mut file = fs::File::create(&ballast).unwrap();
    while std::io::Write::write(&mut file, &[0; 4096]).is_ok() {}
    let why = give(&disk, "ryan", 1).unwrap_err().to_string();
    assert!(why.contains("the disk is full"), "{why}");
    drop(file);
    fs::remove_file(ballast).unwrap();
    assert!(matches!(give(&disk, "ryan", 1).unwrap(), Inserted::Row { .. }));
    assert_eq!(disk.rows_of_ours().len(), 1);
}

#[test]
fn the_short_form_is_shown_in_the_chat_of_the_group_and_wakes_nobody() {
    let (_dir, disk) = house();
    let mut nanoclaw = NanoClaw::start(&disk, 10);
    show(disk.directory(), "ryan", RYAN, "gw-1-1", "Build 7 failed [evt 1]").unwrap();
    show(disk.directory(), "ryan", RYAN, "gw-1-1", "Build 7 failed [evt 1]").unwrap();
    assert_eq!(nanoclaw.shows(), [(RYAN.to_owned(), "Build 7 failed [evt 1]".to_owned())]);
    nanoclaw.polls();
    assert!(heard(&nanoclaw, RYAN).is_empty());
}

#[test]
fn a_look_says_how_far_nanoclaw_has_read_and_which_rows_are_there() {
    let (_dir, disk) = house();
    let Inserted::Row { time, chat } = give(&disk, "ryan", 1).unwrap() else { panic!() };
    let rows = [("gw-00000001-1".to_owned(), chat), ("gw-9-1".to_owned(), RYAN.to_owned())];
    let before = look(disk.directory(), &[addressee("ryan"), addressee("sam")], &rows).unwrap();
    assert_eq!(before.rows.values().copied().collect::<Vec<_>>(), [true, false]);
    assert!(before.groups["ryan"].is_ok() && before.groups["sam"].is_err());
    assert_eq!(before.cursors, Cursors::default());
    NanoClaw::start(&disk, 10).polls();
    let after = look(disk.directory(), &[], &[]).unwrap();
    assert_eq!(after.cursors.chats[RYAN], time);
}
