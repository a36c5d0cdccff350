//! A message that people see in a chat of NanoClaw 1.2: a file in the folder of the group, which
//! NanoClaw takes away within a second while it lives. It wakes no agent. Not here: NanoClaw 2, and
//! letters to agents.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use super::target::Refusal;
use super::words::Message;
use crate::world::files::{self, Durability};
use crate::world::inotify::{WatchMask, Watcher};

/// NanoClaw looks once a second; while its database is locked it stands still for some seconds.
const TAKEN_WITHIN: Duration = Duration::from_secs(8);
/// Between two looks where the kernel cannot tell.
const LOOK: Duration = Duration::from_millis(200);

/// Puts it there and waits until it is taken; one that is not is taken back. It blocks for as long.
pub(super) fn show(
    directory: Option<&Path>,
    folder: &str,
    jid: Option<&str>,
    message: &Message,
) -> Result<(), Refusal> {
    show_within(TAKEN_WITHIN, directory, folder, jid, message)
}

fn show_within(
    within: Duration,
    directory: Option<&Path>,
    folder: &str,
    jid: Option<&str>,
    message: &Message,
) -> Result<(), Refusal> {
    let down = |why: &str| Refusal::Down { why: why.to_owned() };
    let directory = directory.ok_or_else(|| down("[gateway.nanoclaw] names no directory"))?;
    let jid = jid.ok_or_else(|| down("[gateway.groups] does not say its jid"))?;
    if folder.is_empty() || folder.starts_with('.') || folder.contains('/') {
        return Err(down("its folder is no name of a folder"));
    }
    if directory.join("data/v2.db").exists() {
        return Err(down("NanoClaw 2 has no such folder: only 1.2 can be told as yet"));
    }
    let inbox = directory.join("data/ipc").join(folder).join("messages");
    if !inbox.is_dir() {
        return Err(down("NanoClaw has no folder for this group"));
    }
    let file = inbox.join(format!("supervisor-{}.json", message.id));
    let text = format!("{}\n{}", message.headline(), message.text);
    let letter = json!({"type": "message", "chatJid": jid, "text": text.trim_end()}).to_string();
    // First the watch: it may be taken at once.
    let watcher = watch(&inbox);
    files::write_atomic(&file, letter.as_bytes(), Durability::Process, 0o644)
        .map_err(|error| down(&error.to_string()))?;
    if is_taken(&file, watcher, within) {
        return Ok(());
    }
    match fs::remove_file(&file) {
        // In the last moment.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(()) | Err(_) => {
            Err(down(&format!("NanoClaw did not take it within {} s", within.as_secs())))
        }
    }
}

fn watch(inbox: &Path) -> Option<Watcher> {
    let mut watcher = Watcher::new().ok()?;
    watcher.add(inbox, WatchMask::DELETE | WatchMask::MOVED_FROM).ok()?;
    Some(watcher)
}

fn is_taken(file: &Path, mut watcher: Option<Watcher>, within: Duration) -> bool {
    let deadline = Instant::now() + within;
    while file.exists() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        let told = watcher.as_mut().is_some_and(|watcher| watcher.wait(Some(left)).is_ok());
        if !told {
            std::thread::sleep(LOOK.min(left));
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::outbox::Severity;

    fn message() -> Message {
        Message {
            id: "000000000001-00000000-1".into(),
            key: "k".into(),
            title: "web: crash loop".into(),
            text: "5 deaths".into(),
            severity: Severity::Urgent,
            count: 1,
            time: "2026-05-27T06:15:25Z".into(),
        }
    }

    #[test]
    fn a_message_is_taken_by_a_nanoclaw_that_lives() {
        let dir = tempfile::tempdir().unwrap();
        let inbox = dir.path().join("data/ipc/main/messages");
        fs::create_dir_all(&inbox).unwrap();
        let place = inbox;
        // A double that does what NanoClaw does: it takes what ends in .json.
        let taken = std::thread::spawn(move || {
            loop {
                for file in fs::read_dir(&place).unwrap().flatten() {
                    if file.path().extension().is_some_and(|end| end == "json") {
                        let text = fs::read_to_string(file.path()).unwrap();
                        fs::remove_file(file.path()).unwrap();
                        return text;
                    }
                }
            }
        });
        show(Some(dir.path()), "main", Some("1@g.us"), &message()).unwrap();
        let letter: serde_json::Value = serde_json::from_str(&taken.join().unwrap()).unwrap();
        assert_eq!(
            (letter["type"].as_str(), letter["chatJid"].as_str()),
            (Some("message"), Some("1@g.us"))
        );
        assert!(letter["text"].as_str().unwrap().ends_with("web: crash loop\n5 deaths"));
    }

    #[test]
    fn one_that_nobody_takes_is_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let inbox = dir.path().join("data/ipc/main/messages");
        fs::create_dir_all(&inbox).unwrap();
        let moment = Duration::from_millis(50);
        let told = show_within(moment, Some(dir.path()), "main", Some("1@g.us"), &message());
        assert!(matches!(told, Err(Refusal::Down { .. })), "{told:?}");
        assert_eq!(fs::read_dir(&inbox).unwrap().count(), 0);
    }

    #[test]
    fn without_a_place_or_a_chat_it_is_down() {
        let dir = tempfile::tempdir().unwrap();
        let down = |directory, folder, jid| {
            matches!(show(directory, folder, jid, &message()), Err(Refusal::Down { .. }))
        };
        assert!(down(None, "main", Some("1@g.us")));
        assert!(down(Some(dir.path()), "main", None));
        assert!(down(Some(dir.path()), "../main", Some("1@g.us")));
        assert!(down(Some(dir.path()), "main", Some("1@g.us")));
    }
}
