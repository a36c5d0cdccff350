//! What NanoClaw, its agents and their containers leave, as the gateway reads it.

use super::{head, now};
use crate::gateway::nanoclaw_v1::row_time as row;
use crate::nanoclaw::{is_folder, runs, transcripts};

/// The note of a container that has ended, and a transcript with its first line as the mark.
pub fn nanoclaw(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Some(run) = runs::parse(&text) {
        assert!(run.began <= run.ended, "{run:?}");
        assert!(!run.is_good() || run.output || run.code == Some(0), "{run:?}");
    }
    let (mark, rest) = head(data);
    let transcripts = transcripts::Transcripts(vec![String::from_utf8_lossy(rest).into_owned()]);
    if transcripts.answer(&mark) {
        let rest = String::from_utf8_lossy(rest);
        let asked = rest.find(&mark).expect("the mark");
        let after = rest.get(asked..).unwrap_or_default();
        assert!(after.contains("\"type\":\"assistant\""), "no answer follows {mark:?}");
    }
    if is_folder(&text) {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        assert!(text.len() <= 64 && text.bytes().all(plain) && text != "global", "{text:?}");
    }
}

/// The latest date in NanoClaw's database: ours is later, as a text and as a date.
pub fn row_time(data: &[u8]) {
    let latest = String::from_utf8_lossy(data);
    let read = row::parse(&latest);
    let Some(next) = row::after(&latest, now()) else { return };
    assert!(next.as_str() > &*latest, "{next:?} after {latest:?}");
    assert_eq!(next.len(), "2026-05-27T06:15:25.001Z".len(), "{next:?} after {latest:?}");
    let at = row::parse(&next).expect("a date of ours");
    if let Some(read) = read {
        assert!(at > read, "{next:?} after {latest:?}");
    }
    let later = row::after(&next, now());
    assert!(later.is_none_or(|later| later > next), "{next:?}");
}
