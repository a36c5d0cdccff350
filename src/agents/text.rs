//! Text of any length as a few words, and what is shown of a record.

/// What evidence says of names and words that a program tells is no longer than so many characters.
pub(in crate::agents) const EVIDENCE_MAX: usize = 160;

/// Text of any length and shape as evidence.
pub(in crate::agents) fn evidence(text: &str) -> String {
    let text: String = text.chars().filter(|c| c.is_whitespace() || !c.is_control()).collect();
    one_line(text.split_whitespace(), EVIDENCE_MAX)
}

/// The date of a record up to its second, as it is shown; none if it is none.
pub(in crate::agents) fn second(timestamp: &str) -> Option<&str> {
    let is_part = |byte: u8| byte.is_ascii_digit() || b"-:T".contains(&byte);
    timestamp.get(..19).filter(|date| date.bytes().all(is_part))
}

/// Words in one line, at most so many characters of it.
pub(in crate::agents) fn one_line<'t>(
    words: impl IntoIterator<Item = &'t str>,
    most: usize,
) -> String {
    let mut text = words.into_iter().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = text.char_indices().nth(most) {
        text.truncate(end);
        text.push('…');
    }
    text
}
