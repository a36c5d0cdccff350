//! Where on a pane what stands. The program writes its own at the left edge: rules, the input line
//! between two of them, markers before each entry of the conversation. Whatever an agent, a tool or
//! a prompt says is indented below its marker, so a picture of a screen in it is never taken for
//! one.

use crate::agents::rows::{Row, squeezed};

/// The row above a box that has come up over the conversation.
const THICK: char = '▔';
/// The row above and below the input line, and above some boxes.
const THIN: char = '─';

/// Before what the agent says, before what was entered, and before what was entered for the shell.
const SAID: char = '●';
const ENTERED: char = '❯';
const SHELL: char = '!';
/// Before what happens now, and what it took when it is over: it turns.
const TURNING: [char; 7] = ['·', '✢', '✳', '✶', '✻', '✽', '*'];
/// Before what belongs to the entry above.
pub(super) const BELONGS: char = '⎿';

/// The lowest part of a pane, which says what the program is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bottom<'r> {
    /// It takes a prompt.
    Composer(Composed<'r>),
    /// It asks, in a box.
    Asks(&'r [Row]),
    /// Something else.
    Other,
}

/// A pane with an input line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Composed<'r> {
    /// What stands above it.
    pub(super) above: &'r [Row],
    /// The input line, which may have grown to several.
    pub(super) input: &'r [Row],
    /// The number of its first row in the pane.
    pub(super) first: usize,
    /// What stands below it.
    pub(super) footer: &'r [Row],
}

/// Finds it.
pub(super) fn bottom(rows: &[Row]) -> Bottom<'_> {
    if let Some(composed) = composed(rows) {
        return Bottom::Composer(composed);
    }
    asks(rows).map_or(Bottom::Other, Bottom::Asks)
}

/// The last entry of a conversation: from its marker on.
pub(super) fn last_entry(above: &[Row]) -> Option<&[Row]> {
    above.get(above.iter().rposition(|row| marker(row).is_some())?..)
}

/// The entry turns, or has turned: without the rows that belong to it.
pub(super) fn turning(entry: &[Row]) -> Option<&[Row]> {
    let first = entry.first()?;
    marker(first).filter(|marker| TURNING.contains(marker))?;
    let aside = |row: &Row| row.text.starts_with("     ");
    let end = entry.iter().position(|row| row.is_blank() || belongs(row) || aside(row));
    entry.get(..end.unwrap_or(entry.len()))
}

/// What the program or the agent says in an entry: all of it, or the answer that belongs to what was
/// entered. What belongs to a tool is not said.
pub(super) fn said(entry: &[Row]) -> Option<&[Row]> {
    let first = entry.first()?;
    if first.text.starts_with(SAID) {
        return Some(entry);
    }
    let answer = entry.iter().rposition(belongs).filter(|_| first.text.starts_with(ENTERED))?;
    entry.get(answer..)
}

/// The row is one of the program's rules.
fn is_rule(row: &Row) -> bool {
    row.text.starts_with(THICK) || is_thin(row)
}

/// Such a rule may have a name in it, or say how much is out of sight above.
fn is_thin(row: &Row) -> bool {
    let text = row.text.as_str();
    text.starts_with(THIN)
        && text.ends_with(THIN)
        && (text.starts_with("──") || text.chars().all(|c| c == THIN))
}

fn belongs(row: &Row) -> bool {
    row.text.trim_start().starts_with(BELONGS)
}

/// The marker at the left edge, with a blank after it.
fn marker(row: &Row) -> Option<char> {
    let mut chars = row.text.chars();
    let first = chars.next()?;
    let is_marker = [SAID, ENTERED, SHELL].contains(&first) || TURNING.contains(&first);
    (is_marker && chars.next() == Some(' ')).then_some(first)
}

fn composed(rows: &[Row]) -> Option<Composed<'_>> {
    let closes = rows.iter().rposition(is_rule).filter(|at| rows.get(*at).is_some_and(is_thin))?;
    // A rule that is wider than the pane takes several rows.
    let end = rows.get(..closes)?.iter().rposition(|row| !is_thin(row))? + 1;
    let opens = rows.get(..end)?.iter().rposition(is_rule)?;
    rows.get(opens).filter(|row| is_thin(row))?;
    let top = rows.get(..opens)?.iter().rposition(|row| !is_thin(row)).map_or(0, |last| last + 1);
    let (rule, input) = (squeezed(rows.get(top..=opens)?), rows.get(opens + 1..end)?);
    let scrolled = rule.contains('↑') && rule.contains("more");
    if !scrolled && !is_prompt(input.first()?) {
        return None;
    }
    Some(Composed {
        above: rows.get(..top)?,
        input,
        first: opens + 1,
        footer: rows.get(closes + 1..)?,
    })
}

/// The sign of the input line. The no-break space after it sets it apart from the sign before a
/// choice, and before what was entered.
fn is_prompt(row: &Row) -> bool {
    let mut chars = row.text.chars();
    match (chars.next(), chars.next()) {
        (Some(ENTERED), None) => true,
        (Some(sign), Some('\u{a0}')) => !sign.is_alphanumeric(),
        (Some(_), _) | (None, _) => false,
    }
}

/// A box: a rule, and at the very end the keys that leave it.
fn asks(rows: &[Row]) -> Option<&[Row]> {
    let paragraph = rows.iter().rposition(Row::is_blank).map_or(0, |blank| blank + 1);
    let keys = squeezed(rows.get(paragraph..)?);
    let leaves = ["Escto", "Enterto", "PressEnter"].iter().any(|key| keys.contains(key));
    let rule = rows.iter().rposition(is_rule)?;
    leaves.then(|| rows.get(rule + 1..)).flatten()
}
