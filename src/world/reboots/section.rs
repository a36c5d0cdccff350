//! Finding one's way in a Markdown file's bytes: the section `## Reboots`, its end and its list
//! items. Pure.

use std::ops::Range;
use std::time::SystemTime;

use crate::world::clock;

/// One list item under the heading, of whatever shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The first date in it that can be read.
    pub at: Option<SystemTime>,
    /// What follows `boot_id=`.
    pub boot_id: Option<String>,
    /// The whole item's first line, without its bullet.
    pub line: String,
}

/// Where a new line goes, and what must be around it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The byte before which it is inserted.
    pub(crate) at: usize,
    before: String,
    after: &'static str,
    newline: &'static str,
}

impl Place {
    /// The bytes to insert for `line`.
    pub(crate) fn dress(&self, line: &str) -> Vec<u8> {
        let Self { before, after, newline, .. } = self;
        format!("{before}{line}{newline}{after}").into_bytes()
    }
}

/// The place of the next entry: after the last line of the section that is not blank.
pub(crate) fn place(text: &[u8]) -> Place {
    let lines = lines(text);
    let newline = newline_of(text, &lines);
    let unended = if text.is_empty() || text.ends_with(b"\n") { "" } else { newline };
    let Some(section) = section(text, &lines) else {
        let gap = if text.is_empty() { "" } else { newline };
        let before = format!("{unended}{gap}## Reboots{newline}{newline}");
        return Place { at: text.len(), before, after: "", newline };
    };
    let blank = |index: &usize| is_blank(&text[lines[*index].clone()]);
    let last = section.clone().rev().find(|index| !blank(index)).unwrap_or(section.start);
    let is_item = last > section.start && item(&text[lines[last].clone()]).is_some();
    // An item stands right under the one before it, and one line below anything else.
    let under = if !is_item && section.contains(&(last + 1)) { last + 1 } else { last };
    let at = lines[under].end;
    let gap = if is_item || under > last { "" } else { newline };
    let before = if at == text.len() { format!("{unended}{gap}") } else { gap.to_owned() };
    let next_is_text = at < text.len() && !section.contains(&(under + 1));
    let after = if next_is_text { newline } else { "" };
    Place { at, before, after, newline }
}

/// Every list item of the section.
pub(crate) fn entries(text: &[u8]) -> Vec<Entry> {
    let lines = lines(text);
    let Some(section) = section(text, &lines) else { return Vec::new() };
    section.skip(1).filter_map(|index| item(&text[lines[index].clone()])).map(entry).collect()
}

fn entry(item: String) -> Entry {
    let words = || {
        item.split(|c: char| c.is_whitespace() || "`*()[],;|".contains(c)).filter(|w| !w.is_empty())
    };
    Entry {
        at: words().find_map(|word| clock::parse_rfc3339(word.trim_end_matches(['.', ':']))),
        boot_id: words().find_map(|word| word.strip_prefix("boot_id=")).map(str::to_owned),
        line: item,
    }
}

/// Each line with its end.
fn lines(text: &[u8]) -> Vec<Range<usize>> {
    let mut begin = 0;
    text.split_inclusive(|b| *b == b'\n')
        .map(|line| {
            let range = begin..begin + line.len();
            begin = range.end;
            range
        })
        .collect()
}

/// The file's own line end, by its first line.
fn newline_of(text: &[u8], lines: &[Range<usize>]) -> &'static str {
    let first = lines.first().map_or(&[][..], |line| &text[line.clone()]);
    if first.ends_with(b"\r\n") { "\r\n" } else { "\n" }
}

/// The lines of the section, its heading first. A heading in a code block is an example, unless
/// there is no other (a code block that was never closed).
fn section(text: &[u8], lines: &[Range<usize>]) -> Option<Range<usize>> {
    let line = |index: usize| &text[lines[index].clone()];
    let fenced = fenced(text, lines);
    let is_ours = |index: &usize| is_heading(line(*index));
    let open = (0..lines.len()).find(|index| !fenced[*index] && is_ours(index));
    let (start, heed_fences) = match open {
        Some(start) => (start, true),
        None => ((0..lines.len()).find(is_ours)?, false),
    };
    let ends = |index: &usize| {
        (!heed_fences || !fenced[*index]) && matches!(level(line(*index)), Some(1 | 2))
    };
    let end = (start + 1..lines.len()).find(ends).unwrap_or(lines.len());
    Some(start..end)
}

fn fenced(text: &[u8], lines: &[Range<usize>]) -> Vec<bool> {
    let mut open: Option<&[u8]> = None;
    lines
        .iter()
        .map(|line| {
            let line = text[line.clone()].trim_ascii_start();
            let fence = [&b"```"[..], b"~~~"].into_iter().find(|fence| line.starts_with(fence));
            let was_open = open.is_some();
            match (open, fence) {
                (None, Some(fence)) => open = Some(fence),
                (Some(begun), Some(fence)) if begun == fence => open = None,
                (None | Some(_), None | Some(_)) => {}
            }
            was_open || fence.is_some()
        })
        .collect()
}

fn is_heading(line: &[u8]) -> bool {
    level(line) == Some(2)
        && line.trim_ascii().trim_ascii_start().strip_prefix(b"##").is_some_and(|title| {
            let title = String::from_utf8_lossy(title);
            title.trim_end_matches('#').trim() == "Reboots"
        })
}

/// The level of a heading line.
fn level(line: &[u8]) -> Option<usize> {
    let body = line.trim_ascii_start();
    let level = body.iter().take_while(|b| **b == b'#').count();
    let spaced = body.get(level).is_none_or(u8::is_ascii_whitespace);
    ((1..=6).contains(&level) && spaced && line.len() - body.len() < 4).then_some(level)
}

/// The text of a top-level list item: `-`, `*`, `+`, `1.` or `1)`.
fn item(line: &[u8]) -> Option<String> {
    let body = line.trim_ascii_start();
    if line.len() - body.len() > 1 {
        return None;
    }
    let digits = body.iter().take_while(|b| b.is_ascii_digit()).count();
    let bullets: &[u8] = if digits > 0 { b".)" } else { b"-*+" };
    let rest = body.get(digits + 1..)?;
    let is_bullet = bullets.contains(&body[digits]) && rest.first()?.is_ascii_whitespace();
    let text = String::from_utf8_lossy(rest.trim_ascii());
    (is_bullet && !text.trim().is_empty()).then(|| text.into_owned())
}

fn is_blank(line: &[u8]) -> bool {
    line.trim_ascii().is_empty()
}
