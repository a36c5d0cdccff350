//! Text of any length as a few words.

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
