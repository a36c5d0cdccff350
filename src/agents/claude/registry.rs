//! Its files of living sessions, and what a command line says of a conversation.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::Deserialize;

use crate::agents::Live;
use crate::agents::text;
use crate::decide::{Dialog, Doing, Process};

/// Options after which a conversation is named. The short one may have it in the same word.
const OPENING: [&str; 3] = ["--resume", "--session-id", "-r"];

/// What we read of a file; everything else in it may change as it likes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    pid: i32,
    /// Field 22 of `/proc/PID/stat`, as text.
    proc_start: String,
    session_id: String,
    cwd: PathBuf,
    /// Not there until the session is ready.
    status: Option<String>,
    waiting_for: Option<String>,
    /// Milliseconds since 1970.
    status_updated_at: Option<u64>,
    version: Option<String>,
    name: Option<String>,
}

pub(super) fn read(file: &[u8]) -> Option<Live> {
    let file: File = serde_json::from_slice(file).ok()?;
    let status = file.status.unwrap_or_default();
    let doing = match status.as_str() {
        "busy" => Some(Doing::Working),
        "idle" => Some(Doing::Idle),
        "waiting" => Some(Doing::Dialog(match file.waiting_for.as_deref() {
            Some("permission prompt") => Dialog::Permission,
            Some("input needed") => Dialog::Question,
            Some(_) | None => Dialog::Other,
        })),
        _ => None,
    };
    let evidence = match (status.as_str(), file.waiting_for) {
        ("", _) => "no status yet".to_owned(),
        (_, Some(what)) => format!("{status} ({what})"),
        (_, None) => status,
    };
    let since = file.status_updated_at.map(Duration::from_millis);
    Some(Live {
        process: Process { pid: file.pid, start: file.proc_start.parse().ok()? },
        conversation: file.session_id,
        name: file.name,
        directory: file.cwd,
        doing,
        since: since.and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since)),
        evidence: text::evidence(&evidence),
        version: file.version,
    })
}

pub(super) fn opens(arguments: &[&[u8]]) -> Option<String> {
    let (program, words) = arguments.split_first()?;
    if !is_claude(program) && !words.first().is_some_and(|script| is_claude(script)) {
        return None;
    }
    let mut words = words.iter().map(|word| std::str::from_utf8(word).unwrap_or_default());
    let mut found = None;
    while let Some(word) = words.next() {
        if word == "--" {
            break;
        }
        let named = OPENING.iter().find_map(|option| {
            let rest = word.strip_prefix(option)?;
            match rest.strip_prefix('=') {
                _ if rest.is_empty() => words.next().filter(|next| !next.starts_with('-')),
                Some(value) => Some(value),
                None if option.len() == 2 => Some(rest),
                None => None,
            }
        });
        if word == "--fork-session" {
            // What it resumes it only copies.
            return None;
        }
        found = named.or(found);
    }
    found.filter(|conversation| !conversation.is_empty()).map(str::to_owned)
}

/// Its program, in whatever folder and wrapping.
fn is_claude(word: &[u8]) -> bool {
    let name = word.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    // The npm package of old releases is started as `node …/claude-code/cli.js`.
    contains(name, b"claude") || (name == b"cli.js" && contains(word, b"claude-code"))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As 2.1.330 writes it.
    const WAITING: &[u8] = br#"{"pid":27273,"sessionId":"b859e814-b548-4529-a73a-62b99b8b10fc","cwd":"/srv/w","startedAt":1795284875508,"procStart":"1172900","version":"2.1.330","peerProtocol":1,"peerFeatures":["notify_idle"],"kind":"interactive","entrypoint":"cli","pidDomain":"linux:3d12:pid:[4026531836]","asksForConvertedSkills":null,"messagingSocketPath":"/tmp/cc-socks/27273.sock","name":"w-b5","nameSource":"derived","nameSince":1795284875509,"status":"waiting","updatedAt":1795284879682,"statusUpdatedAt":1795284879682,"waitingFor":"input needed"}"#;

    fn opened(words: &[&str]) -> Option<String> {
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        opens(&words)
    }

    #[test]
    fn a_file_names_the_process_the_conversation_and_what_it_does() {
        let live = read(WAITING).unwrap();
        assert_eq!(live.process, Process { pid: 27273, start: 1_172_900 });
        assert_eq!(live.conversation, "b859e814-b548-4529-a73a-62b99b8b10fc");
        assert_eq!(live.directory, PathBuf::from("/srv/w"));
        assert_eq!(live.doing, Some(Doing::Dialog(Dialog::Question)));
        assert_eq!(live.evidence, "waiting (input needed)");
        assert_eq!(live.version.as_deref(), Some("2.1.330"));
        assert_eq!(live.name.as_deref(), Some("w-b5"));
        let since = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_284_879_682);
        assert_eq!(live.since, Some(since));
    }

    #[test]
    fn a_session_that_is_not_ready_yet_lives_all_the_same() {
        let file = br#"{"pid":7,"sessionId":"a","cwd":"/","procStart":"9"}"#;
        let live = read(file).unwrap();
        assert_eq!((live.doing, live.since), (None, None));
        assert_eq!(live.evidence, "no status yet");
        let other = br#"{"pid":7,"sessionId":"a","cwd":"/","procStart":"9","status":"dreaming"}"#;
        assert_eq!(read(other).unwrap().doing, None);
    }

    #[test]
    fn half_a_file_is_none() {
        for end in 0..WAITING.len() {
            assert_eq!(read(&WAITING[..end]), None, "{end} bytes");
        }
        assert_eq!(read(br#"{"pid":7,"sessionId":"a","cwd":"/","procStart":"x"}"#), None);
    }

    #[test]
    fn a_command_line_says_which_conversation_it_opens() {
        let id = || Some("abc-1".to_owned());
        assert_eq!(opened(&["claude", "--resume", "abc-1"]), id());
        assert_eq!(opened(&["/opt/claude", "--resume=abc-1", "--model", "x"]), id());
        assert_eq!(opened(&["claude", "-r", "abc-1"]), id());
        assert_eq!(opened(&["claude", "-rabc-1"]), id());
        assert_eq!(opened(&["claude", "--model", "x", "--session-id", "abc-1", "--", "hi"]), id());
        assert_eq!(opened(&["node", "/usr/bin/claude", "--resume", "abc-1"]), id());
        assert_eq!(opened(&["node", "/lib/@anthropic-ai/claude-code/cli.js", "-r", "abc-1"]), id());
        assert_eq!(opened(&["/nix/store/x/bin/.claude-wrapped", "-r", "abc-1"]), id());
    }

    #[test]
    fn what_opens_no_conversation_opens_none() {
        assert_eq!(opened(&[]), None);
        assert_eq!(opened(&["claude"]), None);
        assert_eq!(opened(&["claude", "--resume"]), None);
        assert_eq!(opened(&["claude", "--resume", "--model", "x"]), None);
        assert_eq!(opened(&["claude", "--", "--resume", "abc-1"]), None);
        assert_eq!(opened(&["claude", "--resume", "abc-1", "--fork-session"]), None);
        assert_eq!(opened(&["rg", "--resume", "abc-1"]), None);
        assert_eq!(opened(&["supervisor", "exec-unit", "claude.json"]), None);
    }
}
