//! The agent's end of the spool. It stands in the way of every act of the agent: it is short, and
//! it never fails, whatever it is given and wherever it runs.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use serde_json::Value;

use super::{BOOT_ID, File, SPOOL_VARIABLE, VERSION, WHOLE, is_whole};
use crate::decide::Process;
use crate::world::files::{self, Durability};
use crate::world::procs::{self, INSTANCE_VARIABLE, UNIT_VARIABLE};
use crate::world::{boot, clock};

/// What an agent says fits into this many times over; more is not waited for.
const INPUT_MAX: usize = 4 * 1024 * 1024;

/// So long without a byte, and nothing more is waited for: an agent has written what happened when
/// we have hardly begun, and one that never says that this was all shall not wait for us.
const SILENCE_MAX: Duration = Duration::from_millis(40);

/// So long for one that never ceases to say something. It would itself give up on us after five
/// seconds.
const INPUT_WITHIN: Duration = Duration::from_secs(1);

/// A payload of more bytes is shortened.
const PAYLOAD_MAX: usize = 64 * 1024;

/// In a shortened payload, a text has no more bytes than twice this: its beginning and its end,
/// where the mark of a prompt of ours stands.
const TEXT_HALF: usize = 8 * 1024;

/// In a shortened payload there are no more fields than this; the agents know some ten.
const FIELDS_MAX: usize = 64;

/// Nor one whose name has more bytes.
const NAME_MAX: usize = 64;

/// No more files than this wait for a daemon that does not come.
const FILES_MAX: usize = 4096;

/// So many ancestors are named: a shell or two stand between the agent and us.
const PARENTS_MAX: usize = 4;

/// Leaves what an agent says on standard input in the spool that the environment names. Does
/// nothing, and says nothing, if there is no such spool, or it cannot be written, or what is said
/// is no JSON object.
pub fn drop_from_stdin() {
    // The moment of the event is that of the call.
    let at = clock::since_boot();
    let (Some(folder), Some(unit), Some(instance)) = (
        std::env::var_os(SPOOL_VARIABLE).map(PathBuf::from),
        text(UNIT_VARIABLE),
        text(INSTANCE_VARIABLE),
    ) else {
        return;
    };
    let Some(payload) = payload(&read_stdin()) else { return };
    let file = File {
        version: VERSION,
        unit,
        instance,
        boot_id: boot::boot_id(Path::new(BOOT_ID)).ok(),
        at: u64::try_from(at.as_nanos()).unwrap_or(u64::MAX),
        parents: parents().iter().map(|process| (process.pid, process.start)).collect(),
        payload,
    };
    let Ok(bytes) = serde_json::to_vec(&file) else { return };
    make_room(&folder, FILES_MAX);
    let name = format!("{:020}-{}{WHOLE}", file.at, std::process::id());
    // No folder, no supervisor; no space, no news.
    let _ = files::write_atomic(&folder.join(name), &bytes, Durability::Process, 0o600);
}

fn text(variable: &str) -> Option<String> {
    std::env::var(variable).ok()
}

/// What is there within the time, as far as it is not too much.
fn read_stdin() -> Vec<u8> {
    let stdin = io::stdin();
    let mut input = Vec::new();
    if rustix::termios::isatty(&stdin) {
        return input;
    }
    let deadline = Instant::now() + INPUT_WITHIN;
    let mut buffer = vec![0; 64 * 1024];
    while input.len() <= INPUT_MAX {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left.min(SILENCE_MAX)).ok();
        match poll(&mut [PollFd::new(&stdin, PollFlags::IN)], left.as_ref()) {
            Err(Errno::INTR) => continue,
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        match rustix::io::read(&stdin, &mut buffer) {
            Err(Errno::INTR | Errno::AGAIN) => {}
            Ok(0) | Err(_) => break,
            Ok(length) => input.extend_from_slice(&buffer[..length]),
        }
        // Input without end is always ready: poll alone would not notice the deadline.
        if Instant::now() >= deadline {
            break;
        }
    }
    input
}

/// The object that was said; a long one without what lies deeper in it and with its texts cut.
pub(crate) fn payload(input: &[u8]) -> Option<Value> {
    if input.len() > INPUT_MAX {
        return None;
    }
    let value: Value = serde_json::from_slice(input).ok()?;
    let Value::Object(fields) = value else { return None };
    if input.len() <= PAYLOAD_MAX {
        return Some(Value::Object(fields));
    }
    let short = fields.into_iter().filter_map(|(name, value)| match value {
        Value::String(text) => Some((name, Value::String(shortened(text)))),
        Value::Null | Value::Bool(_) | Value::Number(_) => Some((name, value)),
        Value::Array(_) | Value::Object(_) => None,
    });
    let short = short.filter(|(name, _)| name.len() <= NAME_MAX);
    Some(Value::Object(short.take(FIELDS_MAX).collect()))
}

fn shortened(text: String) -> String {
    if text.len() <= 2 * TEXT_HALF {
        return text;
    }
    // A character has four bytes at most: the boundary is near.
    let boundary = |from: usize| (from..=text.len()).find(|at| text.is_char_boundary(*at));
    let head = boundary(TEXT_HALF).unwrap_or(0);
    let tail = boundary(text.len() - TEXT_HALF).unwrap_or(text.len());
    format!("{} […] {}", &text[..head], &text[tail..])
}

fn parents() -> Vec<Process> {
    let own = std::process::id().cast_signed();
    let mut found = Vec::new();
    let mut next = procs::stat(own).map(|own| own.parent);
    while let Some(parent) = next.filter(|pid| *pid > 1).and_then(procs::stat) {
        found.push(parent.process);
        next = Some(parent.parent).filter(|_| found.len() < PARENTS_MAX);
    }
    found
}

/// Removes the oldest files of a spool that is full. Two at once may leave one too many.
fn make_room(folder: &Path, most: usize) {
    let Ok(mut names) = whole_files(folder) else { return };
    let Some(surplus) = (names.len() + 1).checked_sub(most).filter(|surplus| *surplus > 0) else {
        return;
    };
    names.sort_unstable();
    for name in names.into_iter().take(surplus) {
        // Whoever else removes it has made the room.
        let _ = fs::remove_file(folder.join(name));
    }
}

fn whole_files(folder: &Path) -> io::Result<Vec<OsString>> {
    let entries = fs::read_dir(folder)?.flatten();
    Ok(entries.map(|entry| entry.file_name()).filter(|name| is_whole(name)).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_short_payload_stands_as_it_is() {
        let said = json!({ "a": { "b": [1, 2, { "c": null }] } });
        assert_eq!(payload(said.to_string().as_bytes()), Some(said));
    }

    #[test]
    fn what_is_no_object_is_nothing() {
        for garbage in ["", "null", "[1]", "\"text\"", "{", "{}x", "\u{0}"] {
            assert_eq!(payload(garbage.as_bytes()), None, "{garbage:?}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(payload(deep.as_bytes()), None);
        assert_eq!(payload(&vec![b' '; INPUT_MAX + 1]), None);
    }

    #[test]
    fn a_long_payload_keeps_its_fields_and_both_ends_of_its_texts() {
        let prompt = format!("begin{}é{}[#a1b2]", "ß".repeat(60_000), "x".repeat(60_000));
        let said = json!({ "prompt": prompt, "n": 7, "tool_response": { "stdout": "x" } });
        let kept = payload(said.to_string().as_bytes()).unwrap();
        let text = kept["prompt"].as_str().unwrap();
        assert!(text.starts_with("begin") && text.ends_with("[#a1b2]"), "{text}");
        assert!(kept.to_string().len() < PAYLOAD_MAX);
        assert_eq!(kept["n"], 7);
        assert_eq!(kept.get("tool_response"), None);
    }

    #[test]
    fn many_fields_are_cut_too() {
        let mut said = json!({});
        for n in 0..10_000 {
            said[format!("field{n}")] = json!("0123456789");
        }
        said["x".repeat(100_000)] = json!(1);
        let kept = payload(said.to_string().as_bytes()).unwrap();
        assert_eq!(kept.as_object().unwrap().len(), FIELDS_MAX);
    }

    #[test]
    fn a_full_spool_loses_its_oldest() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..6 {
            fs::write(dir.path().join(format!("{n:020}-1.json")), "").unwrap();
        }
        fs::write(dir.path().join("half.tmp-1-1"), "").unwrap();
        make_room(dir.path(), 4);
        let mut left = whole_files(dir.path()).unwrap();
        left.sort();
        let expected: Vec<OsString> = (3..6).map(|n| format!("{n:020}-1.json").into()).collect();
        assert_eq!(left, expected);
    }

    #[test]
    fn the_nearest_ancestor_is_named_first() {
        let parent = std::os::unix::process::parent_id().cast_signed();
        let found = parents();
        assert_eq!(found.first().map(|process| process.pid), Some(parent));
        assert!(found.len() <= PARENTS_MAX);
    }
}
