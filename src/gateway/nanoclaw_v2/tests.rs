use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixListener;

use super::*;
use crate::nanoclaw::v2::Progress;

#[path = "../../../tests/doubles/nanoclaw_v2.rs"]
pub(in crate::gateway) mod double;

use double::NanoClaw2;

fn house() -> (tempfile::TempDir, NanoClaw2) {
    let dir = tempfile::tempdir().unwrap();
    let nanoclaw = NanoClaw2::new(dir.path());
    nanoclaw.wire("ag-1", "ryan", "whatsapp", "1@g.us");
    (dir, nanoclaw)
}

#[test]
fn a_wiring_that_would_drop_what_we_send_is_refused_and_it_is_said_what_to_set() {
    let (dir, nanoclaw) = house();
    let wiring = || v2::wiring(dir.path(), "ryan", None);
    assert_eq!(wiring().unwrap().platform_id, "1@g.us");
    let refused = |sql: &str, text: &str| {
        nanoclaw.main().execute_batch(sql).unwrap();
        let why = wiring().unwrap_err().to_string();
        assert!(why.contains(text), "{why}");
    };
    refused(
        "UPDATE messaging_groups SET unknown_sender_policy = 'strict'",
        "unknown_sender_policy",
    );
    nanoclaw
        .main()
        .execute_batch(
            "UPDATE messaging_groups SET unknown_sender_policy = 'public';
             UPDATE messaging_group_agents SET engage_pattern = NULL",
        )
        .unwrap();
    assert_eq!(wiring().unwrap().platform_id, "1@g.us", "no pattern is any text");
    refused("UPDATE messaging_group_agents SET sender_scope = NULL", "sender_scope");
    refused("UPDATE messaging_group_agents SET engage_mode = 'mention'", "engage_mode");
    refused("DELETE FROM messaging_group_agents", "wired to no chat");
    refused("DELETE FROM agent_groups", "no group");
    refused("ALTER TABLE messaging_groups DROP COLUMN unknown_sender_policy", "no column");
    assert!(matches!(v2::wiring(dir.path(), "ryan", Some("9")), Err(Unfit::Drift { .. })));
}

#[test]
fn a_chat_that_a_group_has_alone_is_preferred() {
    let (dir, nanoclaw) = house();
    nanoclaw.wire("ag-2", "cody", "whatsapp", "2@g.us");
    let sql = "INSERT INTO messaging_group_agents (id, messaging_group_id, agent_group_id, \
               created_at, engage_mode, engage_pattern, sender_scope) VALUES \
               ('w-3', 'mg-ag-1', 'ag-2', '', 'pattern', '.', 'all')";
    nanoclaw.main().execute_batch(sql).unwrap();
    assert_eq!(v2::wiring(dir.path(), "cody", None).unwrap().platform_id, "2@g.us");
    assert_eq!(v2::wiring(dir.path(), "ryan", None).unwrap().platform_id, "1@g.us");
}

#[test]
fn a_line_is_sent_whole_to_the_chat_that_is_wired() {
    let (dir, _nanoclaw) = house();
    let refused = connect(dir.path()).unwrap_err().to_string();
    assert!(refused.contains("cli.sock"), "{refused}");
    let listener = UnixListener::bind(v2::socket(dir.path())).unwrap();
    let line = connect(dir.path()).unwrap();
    let wiring = v2::wiring(dir.path(), "ryan", Some("1@g.us")).unwrap();
    line.send(&wiring, "[evt 1]\ntwo lines").unwrap();
    let (stream, _) = listener.accept().unwrap();
    let mut text = String::new();
    BufReader::new(stream).read_line(&mut text).unwrap();
    let sent: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(sent["text"], "[evt 1]\ntwo lines");
    assert_eq!(sent["to"]["channelType"], "whatsapp");
    assert_eq!(sent["to"]["platformId"], "1@g.us");
}

#[test]
fn a_message_is_found_by_its_mark_and_the_containers_word_goes_before_the_hosts() {
    let (dir, nanoclaw) = house();
    let find = |mark: &str| v2::find(dir.path(), "ag-1", mark).unwrap();
    assert_eq!(find("[evt 1]"), None);
    nanoclaw.takes("ag-1", "cli-1", "[evt 1] look");
    assert_eq!(find("[evt 1]").unwrap().progress, Progress::Pending);
    assert_eq!(find("[evt 1, delivery 2]"), None);
    for (word, progress) in [
        ("processing", Progress::Processing),
        ("completed", Progress::Completed),
        ("failed", Progress::Failed),
    ] {
        nanoclaw.notes("ag-1", "cli-1", word);
        assert_eq!(find("[evt 1]").unwrap().progress, progress);
    }
}

#[test]
fn the_short_form_is_shown_once_in_the_chat() {
    let (dir, nanoclaw) = house();
    nanoclaw.takes("ag-1", "cli-1", "[evt 1] look");
    let found = v2::find(dir.path(), "ag-1", "[evt 1]").unwrap().unwrap();
    let wiring = v2::wiring(dir.path(), "ryan", None).unwrap();
    for _ in 0..2 {
        show(&found, &wiring, "gw-1-1", "Build 7 failed [evt 1]", SystemTime::now()).unwrap();
    }
    assert_eq!(nanoclaw.shows("ag-1"), ["Build 7 failed [evt 1]"]);
    fs::remove_file(found.session.join("outbound.db")).unwrap();
    show(&found, &wiring, "gw-1-1", "x", SystemTime::now()).unwrap_err();
}
