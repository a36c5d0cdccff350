//! Files and answers of the system and of programs around us.

use regex::Regex;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::{head, now};
use crate::world::cgroup::tree;
use crate::world::git::sections;
use crate::world::json_keys::{Wanted, edit};
use crate::world::reboots::section;
use crate::world::tmux::wire;
use crate::world::{http, probes, procs};

/// Lines of `/proc`, and heads of answers.
pub fn kernel(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Some(stat) = procs::parse(7, data) {
        assert_eq!(stat.process.pid, 7);
    }
    for line in text.lines() {
        if let Some((root, place)) = tree::cgroup2_mount(line) {
            let length = root.as_os_str().len() + place.as_os_str().len();
            assert!(length <= line.len() && line.contains("cgroup2"), "{line:?}");
        }
    }
    if let Some(status) = probes::status(data) {
        assert!(status < 1000 && data.starts_with(b"HTTP/1."), "{status} of {text:?}");
    }
    let (v4, v6) = text.split_once("\n\n").unwrap_or((&text, ""));
    if probes::has_default_route(v4, v6) {
        assert!(text.contains("00"), "{text:?}");
    }
    if let Some(patience) = http::patience(&text, now()) {
        assert!(patience.as_secs() <= 6 * 60 * 60);
    }
}

/// What a control client of tmux prints, which comes in pieces of any size.
pub fn tmux(data: &[u8]) {
    let (size, stream) = data.split_first().map_or((1, data), |(size, rest)| (*size, rest));
    let whole = read([stream].into_iter());
    let pieces = read(stream.chunks(usize::from(size).max(1)));
    assert_eq!(whole, pieces, "in pieces of {size}");
    let body = |it: &wire::Said| match it {
        wire::Said::Answer(answer) => answer.body.len(),
        wire::Said::Unasked(_) => 0,
    };
    assert!(whole.0.iter().map(body).sum::<usize>() <= stream.len());
}

/// What was said, and whether the stream made sense to its end.
fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<wire::Said>, bool) {
    let mut reader = wire::Reader::default();
    let mut said = Vec::new();
    let mut pieces = pieces;
    let makes_sense = pieces.all(|piece| reader.feed(piece, &mut said).is_ok());
    (said, makes_sense)
}

/// A user's JSON file into which keys are put.
pub fn json_keys(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let contains = |text: &str| Wanted::Contains(json!(text));
    let keys: [(&[&str], Wanted); 6] = [
        (&["a"], Wanted::Is(json!(true))),
        (&["a", "b \"c\"", "d"], Wanted::Is(json!({ "x": [1] }))),
        (&["l"], contains("k")),
        (&["a", "l"], contains("}")),
        (&["d"], Wanted::Default(json!("dark"))),
        (&[], Wanted::Is(json!(7))),
    ];
    for (path, wanted) in keys {
        let path: Vec<String> = path.iter().map(|name| (*name).to_owned()).collect();
        let Ok(Some(edited)) = edit::edit(&text, &path, &wanted) else { continue };
        serde_json::from_str::<IgnoredAny>(&edited).expect("still JSON");
        let again = edit::edit(&edited, &path, &wanted);
        assert!(matches!(again, Ok(None)), "{again:?} after {edited:?}");
        let (Ok(before), Ok(after)) =
            (serde_json::from_str::<Value>(&text), serde_json::from_str::<Value>(&edited))
        else {
            continue;
        };
        let at = path.iter().try_fold(&after, |value, name| value.get(name)).expect("the key");
        match &wanted {
            Wanted::Is(value) | Wanted::Default(value) => assert_eq!(at, value),
            Wanted::Contains(value) => {
                assert!(at.as_array().is_some_and(|list| list.contains(value)), "{at}");
            }
        }
        let others = |value: &Value| {
            let mut value = value.clone();
            if let (Some(first), Value::Object(members)) = (path.first(), &mut value) {
                members.remove(first);
            }
            value
        };
        if !path.is_empty() {
            assert_eq!(others(&before), others(&after), "{edited:?}");
        }
    }
}

/// A log of reboots, into which a line is put.
pub fn reboots(data: &[u8]) {
    const LINE: &str = "- 2026-05-27T06:15:25Z boot_id=b1 kernel=6 after=crash previous_uptime=0s";
    let before = section::entries(data);
    for entry in &before {
        assert!(!entry.line.trim().is_empty(), "{entry:?}");
    }
    let place = section::place(data);
    let mut text = data.to_vec();
    let dressed = place.dress(LINE);
    text.splice(place.at..place.at, dressed.iter().copied());
    assert!(text.len() == data.len() + dressed.len() && dressed.len() < LINE.len() + 40);
    let after = section::entries(&text);
    let (last, others) = after.split_last().expect("an entry");
    assert_eq!(last.boot_id.as_deref(), Some("b1"), "{}", String::from_utf8_lossy(&text));
    assert!(last.at.is_some() && others == before, "{}", String::from_utf8_lossy(&text));
}

/// A file of a repository: a line with a heading, one with a pattern, and the text.
pub fn markdown(data: &[u8]) {
    let (heading, rest) = head(data);
    let (pattern, text) = head(rest);
    let lines = sections::lines(text);
    let mut end = 0;
    for found in sections::sections(&lines, &heading) {
        assert!(end <= found.start && found.start < found.end && found.end <= lines.len());
        assert_eq!(lines[found.start].trim(), heading.trim());
        end = found.end;
    }
    let Ok(pattern) = Regex::new(&pattern) else { return };
    for (place, line) in sections::matching(&lines, &pattern) {
        assert_eq!(lines[place], line);
    }
}
