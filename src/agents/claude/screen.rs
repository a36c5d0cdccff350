//! What its pane shows. Only the lowest part counts: the input line with what is directly above and
//! below it, or a box in its place. What stands further up is history. Not here: since when it has
//! been so, which no screen tells.

mod composer;
mod layout;
mod options;
mod says;

use std::ffi::OsStr;
use std::time::SystemTime;

use self::layout::{BELONGS, Bottom, Composed, bottom, last_entry, said, turning};
use super::limits;
use crate::agents::rows::{Row, rows, squeeze, squeezed};
use crate::agents::text::one_line;
use crate::agents::{Choice, Composer, ScreenReading, ScreenText, Shows};
use crate::decide::{Complaint, Dialog, Doing, Failure};

/// Evidence is a few words of a screen, not the screen.
const EVIDENCE_MAX: usize = 200;

/// Its last words have no more paragraphs.
const LAST_PARAGRAPHS: usize = 6;

/// What tmux writes below the last words of a program.
const PANE_IS_DEAD: &str = "Pane is dead";

pub(super) fn read(screen: &ScreenText<'_>) -> ScreenReading {
    let (rows, tells) = rows(screen.text);
    match bottom(&rows) {
        Bottom::Composer(composed) => {
            let at_start = screen.cursor.map(|cursor| cursor == (2, composed.first));
            let composer = composer::read(composed.input, at_start, tells);
            let (doing, why) = takes_a_prompt(&composed, tells, screen.now);
            ScreenReading { composer, ..reading(Shows::Doing(doing), why) }
        }
        Bottom::Asks(asks) => {
            let (asks, why) = dialog(asks, screen.directory);
            reading(Shows::Doing(Doing::Dialog(asks)), why)
        }
        Bottom::Other => {
            let (shows, why) = neither(&rows);
            reading(shows, why)
        }
    }
}

/// The option of the usage-limit dialog that waits for the reset and goes on then.
pub(super) fn waiting(screen: &ScreenText<'_>) -> Result<Choice, String> {
    let (rows, _) = rows(screen.text);
    let Bottom::Asks(asks) = bottom(&rows) else { return Err("there is no dialog".to_owned()) };
    match dialog(asks, None) {
        (Dialog::Limit, _) => options::waiting(asks),
        (_, name) => Err(format!("it is another dialog ({name})")),
    }
}

/// What an error means that ended a turn, by its text, but for when a limit is reset; none for what
/// is not known.
pub(super) fn failure_of(text: &str) -> Option<Failure> {
    says::error(&squeeze(text)).map(|error| error.means)
}

/// Only as the last words of a program that has ended: in a conversation they are a quotation.
pub(super) fn complaint(last_screen: &str) -> Option<Complaint> {
    let (rows, _) = rows(last_screen);
    // Advice that it gives at its end, even where there was nothing to resume.
    let advice = rows.iter().rposition(|row| row.text.starts_with(says::HOW_TO_RESUME));
    let advised = advice.and_then(|begin| rows.get(..begin));
    let mut rest = advised.filter(|rows| last_paragraph(rows).is_some()).unwrap_or(&rows);
    // What it is about may stand above what a person could do about it.
    for paragraph in 0..LAST_PARAGRAPHS {
        let (before, last) = last_paragraph(rest)?;
        match says::last_words(&squeezed(last)) {
            Some(Some(about)) => return Some(about),
            None if paragraph == 0 => return None,
            Some(None) | None => rest = before,
        }
    }
    None
}

fn reading(shows: Shows, why: String) -> ScreenReading {
    ScreenReading { shows, why, composer: Composer::Absent, queued: None }
}

fn takes_a_prompt(composed: &Composed<'_>, tells: bool, now: SystemTime) -> (Doing, String) {
    let limited = |by: &str| Doing::Failed(Failure::Limited { until: limits::reset(by, now) });
    let entry = last_entry(composed.above);
    if let Some(turning) = entry.and_then(turning) {
        let text = squeezed(turning);
        if text.contains(&squeeze(says::LIMIT_RETRIED)) {
            return (limited(&text), quoted(turning));
        }
        if says::GOES_ON.iter().any(|words| text.contains(&squeeze(words))) {
            return (Doing::Working, quoted(turning));
        }
    }
    let footer = squeezed(composed.footer);
    if interruptible(&footer) {
        return (Doing::Working, format!("`{}` below the input line", says::INTERRUPT));
    }
    if footer.contains(&squeeze(says::LIMIT_NOTICE)) {
        return (limited(&footer), quoted(composed.footer));
    }
    if let Some(failed) = entry.and_then(|entry| failure(composed.above, entry, tells, now)) {
        return failed;
    }
    (Doing::Idle, "the input line, and nothing that goes on".to_owned())
}

/// A narrow pane cuts the words off; a typed text hides them.
fn interruptible(footer: &str) -> bool {
    let words = squeeze(says::INTERRUPT);
    footer.split('·').skip(1).any(|part| match part.split_once('…') {
        Some((begun, _)) => begun.len() > 2 && words.starts_with(begun),
        None => part.starts_with(&words),
    }) || footer.starts_with(&words)
}

/// The error that the last turn ended with. After a good turn stands what it took; older versions
/// say that after an error too, and then only the colour sets one apart from a quotation.
fn failure(above: &[Row], entry: &[Row], tells: bool, now: SystemTime) -> Option<(Doing, String)> {
    let turned = turning(entry);
    if turned.is_some_and(|turned| squeezed(turned).contains(&squeeze(says::WELL_OVER))) {
        return None;
    }
    let over = turned.is_some();
    let entry = if over { last_entry(above.get(..above.len() - entry.len())?)? } else { entry };
    let said = said(entry)?;
    let first = said.first()?;
    let (marker, text) = first.text.trim_start().split_once(char::is_whitespace)?;
    let colour = |text: &str| first.look(first.text.len() - text.len()).colour;
    let (marker_colour, colour) = (colour(first.text.trim_start()), colour(text.trim_start()));
    let is_own = colour != 0 && (marker.starts_with(BELONGS) || colour == marker_colour);
    if if tells { !is_own } else { over } {
        return None;
    }
    let paragraph = said.iter().position(Row::is_blank).and_then(|end| said.get(..end));
    let paragraph = paragraph.unwrap_or(said);
    let squeezed = squeezed(paragraph);
    let error = says::error(squeezed.strip_prefix(marker)?)?;
    Some((Doing::Failed(limits::dated(error.means, &squeezed, now)), quoted(paragraph)))
}

fn dialog(asks: &[Row], directory: Option<&OsStr>) -> (Dialog, String) {
    let Some(dialog) = says::dialog_of(&squeezed(asks)) else {
        let title = asks.iter().find(|row| !row.is_blank());
        return (Dialog::Other, format!("a dialog: {}", quoted(title.as_slice())));
    };
    if dialog.spared.is_empty() {
        return (dialog.asks, dialog.name.to_owned());
    }
    let directory = directory.map(|directory| directory.to_string_lossy().into_owned());
    let directory = directory.or_else(|| directory_in(asks)).unwrap_or_else(|| "…".to_owned());
    let spared = dialog.spared.replace("{directory}", &directory);
    (dialog.asks, format!("{}: {spared}", dialog.name))
}

/// The trust dialog names the directory below its title.
fn directory_in(asks: &[Row]) -> Option<String> {
    let mut texts = asks.iter().map(|row| row.text.trim()).filter(|text| !text.is_empty());
    texts.next().filter(|title| *title == says::TRUST_TITLE)?;
    texts.next().filter(|text| text.starts_with('/')).map(str::to_owned)
}

/// Neither an input line nor a box.
fn neither(rows: &[Row]) -> (Shows, String) {
    let screen = squeezed(rows);
    if screen.is_empty() {
        return (Shows::Unknown, "the screen is empty".to_owned());
    }
    let last = last_paragraph(rows).map(|(_, last)| last);
    if let Some(paragraph) = last.filter(|it| says::last_words(&squeezed(it)).is_some()) {
        return (Shows::Dead, quoted(paragraph));
    }
    if let Some((asks, spared)) = says::onboarding(&screen) {
        let why = format!("the first start asks ({asks}): {spared}");
        return (Shows::Doing(Doing::Dialog(Dialog::Start)), why);
    }
    if rows.len() < 20 && screen.contains("ClaudeCodev") && last_entry(rows).is_none() {
        return (Shows::Starting, "the program's name, and no input line yet".to_owned());
    }
    (Shows::Unknown, "neither an input line nor a dialog".to_owned())
}

/// The last paragraph, without what tmux has to add, and what stands before it. One that is indented
/// is part of a conversation.
fn last_paragraph(rows: &[Row]) -> Option<(&[Row], &[Row])> {
    let is_word = |row: &Row| !row.is_blank() && !row.text.starts_with(PANE_IS_DEAD);
    let rows = rows.get(..=rows.iter().rposition(is_word)?)?;
    let begin = rows.iter().rposition(Row::is_blank).map_or(0, |blank| blank + 1);
    let (before, last) = rows.split_at_checked(begin)?;
    last.first().filter(|row| !row.text.starts_with("  ")).map(|_| (before, last))
}

/// The text of rows in one line.
fn quoted<R: std::borrow::Borrow<Row>>(rows: &[R]) -> String {
    let words = rows.iter().flat_map(|row| row.borrow().text.split_whitespace());
    // A marker is a word of one character that is no letter.
    let is_marker =
        |word: &&str| !word.contains(char::is_alphanumeric) && word.chars().count() == 1;
    one_line(words.skip_while(is_marker), EVIDENCE_MAX)
}

#[cfg(test)]
mod tests;
