//! Hostile text made harmless. Whoever may name a branch, title a pull request or write to a relay
//! chooses words that an agent with tools will read; here they lose what could steer a terminal,
//! hide from a person, or look like the frame that the words are shown in. Pure. Not here: which
//! fields are shown at all (that is [`super::letter`]'s).

mod redact;

pub use redact::redact;

/// The longest branch or tag that is shown, in characters.
pub const REFERENCE_MAX: usize = 200;
/// The longest title, name or number that is shown, in characters.
pub const LINE_MAX: usize = 200;
/// The longest link that is shown, in bytes.
const LINK_MAX: usize = 500;

/// Hosts that links may lead to.
const HOSTS: [&str; 2] = ["dev.azure.com", "github.com"];
/// Domains whose hosts links may lead to: the older addresses of Azure DevOps.
const DOMAINS: [&str; 1] = [".visualstudio.com"];

/// Words that, in angle brackets, frame what an agent is shown.
const FRAMES: [&str; 9] = [
    "message",
    "context",
    "internal",
    "system",
    "attachment",
    "assistant",
    "user",
    "human",
    "tool",
];

/// A branch, tag or definition-like name in a strict alphabet, whatever else is in it written as
/// `%XX`; at most [`REFERENCE_MAX`] characters.
pub fn reference(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(REFERENCE_MAX));
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"._/-+#".contains(&byte) {
            shown.push(char::from(byte));
        } else {
            shown.push_str(&format!("%{byte:02X}"));
        }
        if shown.len() > REFERENCE_MAX {
            return cap(&shown, REFERENCE_MAX);
        }
    }
    shown
}

/// One line of at most `most` characters: a title, a person's name.
pub fn line(text: &str, most: usize) -> String {
    if is_plain_line(text) {
        return cap(&redact(text), most);
    }
    let shown: String = plain(text)
        .chars()
        .map(|c| match c {
            '<' => '‹',
            '>' => '›',
            // A trigger word begins with it.
            '@' => '＠',
            '`' => '\'',
            c if c.is_whitespace() => ' ',
            c => c,
        })
        .collect();
    let words: Vec<&str> = shown.split_whitespace().collect();
    cap(&redact(&words.join(" ")), most)
}

/// Whether [`line()`] would change nothing of it: one word after the other, and no character that it
/// looks for.
fn is_plain_line(text: &str) -> bool {
    let harmless = |byte: u8| {
        byte == b' ' || (byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'@' | b'`'))
    };
    text.bytes().all(harmless) && text.trim() == text && !text.contains("  ")
}

/// A text of several lines of at most `most` characters, as one agent writes to another: whatever
/// looks like the frame of a prompt is broken, and the rest stays readable, code included.
pub fn prose(text: &str, most: usize) -> String {
    cap(&redact(&without_frames(&plain(text))), most)
}

/// A commit in hexadecimal, or nothing.
pub fn commit(text: &str) -> Option<String> {
    let hex = (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    hex.then(|| text.to_ascii_lowercase())
}

/// A link to a host that we know, or nothing.
pub fn link(text: &str) -> Option<String> {
    let rest = text.strip_prefix("https://")?;
    let harmless = |byte: u8| byte.is_ascii_graphic() && !b"<>\"'`\\{}|^@".contains(&byte);
    if text.len() > LINK_MAX || !rest.bytes().all(harmless) {
        return None;
    }
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    let known = HOSTS.contains(&host.as_str());
    let known = known || DOMAINS.iter().any(|domain| host.ends_with(domain) && is_name(&host));
    known.then(|| text.to_owned())
}

/// Whether it is a host's name without a port.
fn is_name(host: &str) -> bool {
    host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
}

/// At most `most` characters, with a mark where something is missing.
pub fn cap(text: &str, most: usize) -> String {
    if text.len() <= most || text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// Without control sequences, HTML comments and whatever nobody sees.
fn plain(text: &str) -> String {
    without_comments(&without_escapes(text))
        .chars()
        .filter(|c| !is_unseen(*c))
        .map(|c| if c == '\t' { ' ' } else { c })
        .collect()
}

/// Whether a reader would not see it, or would see what follows differently for it.
fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{17b4}'
            | '\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    ) || (c.is_control() && !matches!(c, '\n' | '\t'))
}

/// Terminal sequences are taken out whole, so that no remnant of them stays as text. An escape within
/// one begins another, as in a terminal.
fn without_escapes(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let introducer = match c {
            // Between it and what ends a short one, more may stand: a character set is chosen so.
            '\u{1b}' => {
                while chars.next_if(|c| (' '..='/').contains(c)).is_some() {}
                chars.next_if(|c| ('0'..='~').contains(c))
            }
            '\u{9b}' => Some('['),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => Some(']'),
            c => {
                kept.push(c);
                continue;
            }
        };
        let ends: fn(char) -> bool = match introducer {
            Some('[') => |c| ('@'..='~').contains(&c),
            Some(']' | 'P' | 'X' | '^' | '_') => |c| matches!(c, '\u{7}' | '\u{9c}'),
            Some(_) | None => continue,
        };
        while chars.next_if(|c| *c != '\u{1b}').is_some_and(|c| !ends(c)) {}
    }
    kept
}

/// What a person would not see on a web page, an agent shall not read either.
fn without_comments(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<!--") {
        kept.push_str(before);
        rest = after.split_once("-->").map_or("", |(_, after)| after);
    }
    kept.push_str(rest);
    kept
}

/// A comment that came to be only when something within it was taken out is broken as well.
fn without_frames(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        kept.push_str(before);
        let word = after.trim_start_matches(|c: char| "/!?".contains(c) || c.is_whitespace());
        let frame = after.starts_with("!--")
            || FRAMES.iter().any(|frame| {
                word.get(..frame.len()).is_some_and(|word| word.eq_ignore_ascii_case(frame))
            });
        kept.push(if frame { '‹' } else { '<' });
        rest = after;
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests;
