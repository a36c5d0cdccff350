//! What stands in the input line, and who put it there.

use crate::agents::Composer;
use crate::agents::rows::{Row, squeeze};

/// What the program itself puts there, for captures that do not tell what is dim.
const SUGGESTIONS: [&str; 4] = [
    "Once fixed, resend your message",
    "Press up to edit queued messages",
    "Resend your message to try again",
    "Run /rewind to go back",
];

/// The same, where only its beginning is known.
const SUGGESTIONS_BEGIN: [&str; 1] = ["Try \""];

/// Reads the rows of an input line. `at_start` says that the cursor stands at its beginning, if that
/// is known; `tells` that the rows tell what is dim.
pub(super) fn read(input: &[Row], at_start: Option<bool>, tells: bool) -> Composer {
    let typed: Vec<String> = input.iter().enumerate().map(|(n, row)| typed(n == 0, row)).collect();
    let typed = typed.join("\n").trim().to_owned();
    let at_start = drawn_at_start(input).or(at_start);
    if typed.is_empty() || (!tells && at_start.unwrap_or_else(|| is_suggestion(&typed))) {
        return Composer::Empty;
    }
    Composer::Text(typed)
}

/// Whether the cursor that the program draws itself stands at the beginning, if it draws one.
fn drawn_at_start(input: &[Row]) -> Option<bool> {
    let first = input.first()?;
    let looks = |row: &Row| row.text.char_indices().any(|(at, _)| row.look(at).inverse);
    input.iter().any(looks).then(|| first.look(sign(&first.text)).inverse)
}

/// What of a row has been typed: without its sign or indentation, and without what is dim. The
/// cursor hides that the first character of a suggestion is dim too.
fn typed(first: bool, row: &Row) -> String {
    let text = row.text.as_str();
    let sign = if first { sign(text) } else { 0 };
    let body = text.get(sign..).unwrap_or_default();
    let characters = || body.char_indices().filter(|(_, c)| !c.is_whitespace());
    let look = |at: usize| row.look(sign + at);
    let dim = characters().any(|(at, _)| look(at).dim);
    if dim && characters().all(|(at, _)| look(at).dim || look(at).inverse) {
        return String::new();
    }
    let body: String =
        body.char_indices().filter(|(at, _)| !look(*at).dim).map(|(_, c)| c).collect();
    let indented = body.chars().take(if first { 0 } else { 2 }).take_while(|c| c.is_whitespace());
    let indented: usize = indented.map(char::len_utf8).sum();
    body.get(indented..).unwrap_or_default().trim_end().to_owned()
}

/// How many bytes the sign takes; none where so much is typed that its row is out of sight.
fn sign(text: &str) -> usize {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(_), None) => text.len(),
        (Some(_), Some('\u{a0}')) => text.len() - chars.as_str().len(),
        (Some(_), Some(_)) | (None, _) => 0,
    }
}

fn is_suggestion(typed: &str) -> bool {
    let typed = squeeze(typed);
    SUGGESTIONS.iter().any(|it| squeeze(it) == typed)
        || SUGGESTIONS_BEGIN.iter().any(|it| typed.starts_with(&squeeze(it)))
}
