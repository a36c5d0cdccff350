//! Text for people: colours, aligned tables, relative times, exits in words. Everything is written
//! with colour; [`put`] takes it out again where nobody would see it.

use std::borrow::Cow;
use std::io::{IsTerminal, Write};

use anstream::adapter::strip_str;
use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::failure::Failure;
use crate::protocol::LastExit;

pub(super) const PLAIN: Style = Style::new();
pub(super) const BOLD: Style = Style::new().bold();
pub(super) const FAINT: Style = Style::new().dimmed();
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
pub(super) const BUSY: Style = AnsiColor::Cyan.on_default();
pub(super) const ODD: Style = AnsiColor::Yellow.on_default();
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();

/// Between two columns.
const GAP: &str = "  ";

/// How, and when, somebody looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    /// Columns of the terminal; `None` = no terminal, nothing is cut.
    pub(super) width: Option<usize>,
    /// Lines of the terminal.
    pub(super) height: Option<usize>,
    /// What relative times are relative to.
    pub(super) now: Timestamp,
}

impl View {
    /// As standard output is now.
    pub(super) fn of_stdout() -> Self {
        let stdout = std::io::stdout();
        let size = stdout.is_terminal().then(|| rustix::termios::tcgetwinsize(&stdout).ok());
        // A terminal that does not know its size says 0.
        let known = |n: u16| (n > 0).then_some(usize::from(n));
        let size = size.flatten();
        Self {
            width: size.and_then(|size| known(size.ws_col)),
            height: size.and_then(|size| known(size.ws_row)),
            now: Timestamp::now(),
        }
    }

    /// Whether a person looks at it.
    pub(super) fn is_terminal(&self) -> bool {
        self.width.is_some()
    }
}

/// Writes to standard output, coloured if a terminal is there and nobody objects.
///
/// # Errors
/// [`Failure::Output`]
pub(super) fn put(text: &str) -> Result<(), Failure> {
    put_raw(seen(text).as_bytes())
}

/// `text` as it is seen on standard output: without its colours where none are wanted.
pub(super) fn seen(text: &str) -> Cow<'_, str> {
    if anstream::AutoStream::choice(&std::io::stdout()) == anstream::ColorChoice::Never {
        Cow::Owned(strip_str(text).to_string())
    } else {
        Cow::Borrowed(text)
    }
}

/// Writes to standard output, byte for byte.
///
/// # Errors
/// [`Failure::Output`]
pub(super) fn put_raw(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(Failure::Output)
}

/// Writes `value` as JSON for people to read too.
///
/// # Errors
/// [`Failure::Output`], or a value that JSON cannot hold.
pub(super) fn put_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::failed(format!("cannot write JSON: {error}")))?;
    put_raw(format!("{text}\n").as_bytes())
}

/// `text` in `style`.
pub(super) fn paint(style: Style, text: &str) -> String {
    if style.is_plain() || text.is_empty() {
        return text.to_owned();
    }
    format!("{style}{text}{style:#}")
}

/// `text` without anything that could move the cursor, colour the terminal or turn the writing
/// round: names and reasons come from files and programs that need not mean well.
pub(super) fn clean(text: &str) -> String {
    text.chars()
        .filter_map(|c| match c {
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => None,
            c if c.is_control() => Some(' '),
            c => Some(c),
        })
        .collect()
}

/// One field of a table: pieces of text, each in its style.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell(Vec<(String, Style)>);

impl Cell {
    pub(super) fn new(style: Style, text: &str) -> Self {
        Self::default().with(style, text)
    }

    /// The same with one more piece, set off from the others by a space.
    pub(super) fn with(mut self, style: Style, text: &str) -> Self {
        if !text.is_empty() {
            if !self.0.is_empty() {
                self.0.push((" ".to_owned(), PLAIN));
            }
            self.0.push((clean(text), style));
        }
        self
    }

    /// The pieces joined by `between`.
    pub(super) fn joined(pieces: Vec<(Style, String)>, between: &str) -> Self {
        let mut cell = Self::default();
        for (style, text) in pieces.into_iter().filter(|(_, text)| !text.is_empty()) {
            if !cell.0.is_empty() {
                cell.0.push((between.to_owned(), FAINT));
            }
            cell.0.push((clean(&text), style));
        }
        cell
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn width(&self) -> usize {
        self.0.iter().map(|(text, _)| text.width()).sum()
    }

    pub(super) fn painted(&self) -> String {
        self.0.iter().map(|(text, style)| paint(*style, text)).collect()
    }

    /// Cut to `room` columns, the last of which says that there was more.
    fn cut(self, room: usize) -> Self {
        if self.width() <= room {
            return self;
        }
        let Some(mut left) = room.checked_sub(1) else { return Self::default() };
        let mut cut = Self::default();
        for (text, style) in self.0 {
            let mut kept = String::new();
            let whole = text.chars().all(|c| {
                let width = c.width().unwrap_or(0);
                let fits = width <= left;
                if fits {
                    left -= width;
                    kept.push(c);
                }
                fits
            });
            cut.0.push((kept, style));
            if !whole {
                break;
            }
        }
        cut.0.push(("…".to_owned(), FAINT));
        cut
    }
}

/// Rows under aligned headings. Only the last column is ever cut; one with nothing in it is left out.
#[derive(Debug)]
pub(super) struct Table<const N: usize> {
    heads: [&'static str; N],
    rows: Vec<[Cell; N]>,
    least: [usize; N],
}

impl<const N: usize> Table<N> {
    /// With columns as wide as what is in them. Empty heads are left out.
    pub(super) fn new(heads: [&'static str; N], rows: Vec<[Cell; N]>) -> Self {
        Self { heads, rows, least: [0; N] }
    }

    /// With columns of at least so many characters.
    pub(super) fn at_least(self, least: [usize; N]) -> Self {
        Self { least, ..self }
    }

    /// As lines, each ended.
    pub(super) fn text(self, width: Option<usize>) -> String {
        let heads = self.heads.map(|head| Cell::new(FAINT, head));
        let headed = heads.iter().any(|head| !head.is_empty());
        let rows: Vec<[Cell; N]> = headed.then_some(heads).into_iter().chain(self.rows).collect();
        let widths: Vec<usize> = (0..N)
            .zip(self.least)
            .map(|(i, least)| {
                let cells = rows.iter().filter_map(|row| row.get(i));
                cells.map(Cell::width).max().unwrap_or(0).max(least)
            })
            .collect();
        let before_last: usize = (widths.iter().take(N.saturating_sub(1)))
            .filter(|width| **width > 0)
            .map(|width| width + GAP.len())
            .sum();
        let room = width.map(|width| width.saturating_sub(before_last));
        let mut text = String::new();
        for row in rows {
            let filled = row.iter().rposition(|cell| !cell.is_empty()).unwrap_or(0);
            for (i, (cell, width)) in row.into_iter().zip(&widths).enumerate().take(filled + 1) {
                let cell = match room {
                    Some(room) if i + 1 == N => cell.cut(room),
                    Some(_) | None => cell,
                };
                text.push_str(&cell.painted());
                if i < filled && *width > 0 {
                    text.push_str(&" ".repeat(width.saturating_sub(cell.width())));
                    text.push_str(GAP);
                }
            }
            text.push('\n');
        }
        text
    }
}

/// `text` in lines of at most `width` columns, broken between words; a word that is longer has a line
/// of its own.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}

/// An RFC 3339 time as a distance from `now`: `3m 12s ago`, `in 4m`. What is no time stays as it is.
pub(super) fn relative(at: &str, now: Timestamp) -> String {
    let Ok(then) = at.parse::<Timestamp>() else { return at.to_owned() };
    let seconds = now.as_second().saturating_sub(then.as_second());
    match seconds {
        0 => "just now".to_owned(),
        1.. => format!("{} ago", span(seconds.unsigned_abs())),
        ..0 => format!("in {}", span(seconds.unsigned_abs())),
    }
}

/// How long since an RFC 3339 time, without "ago".
pub(super) fn since(at: &str, now: Timestamp) -> String {
    match at.parse::<Timestamp>() {
        Ok(then) => span(now.as_second().saturating_sub(then.as_second()).max(0).unsigned_abs()),
        Err(_) => at.to_owned(),
    }
}

/// The two largest units of a number of seconds.
pub(super) fn span(seconds: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let largest = UNITS.iter().position(|(size, _)| seconds >= *size).unwrap_or(UNITS.len() - 1);
    let mut left = seconds;
    let mut words = Vec::new();
    for (size, name) in UNITS.iter().skip(largest).take(2) {
        let count = left / size;
        left %= size;
        if count > 0 || words.is_empty() {
            words.push(format!("{count}{name}"));
        }
    }
    words.join(" ")
}

/// `at`, relative and exact.
pub(super) fn both(at: &str, now: Timestamp) -> String {
    match relative(at, now) {
        same if same == at => same,
        distance => format!("{distance} ({at})"),
    }
}

/// How a process ended, in words.
pub(super) fn exit(exit: &LastExit) -> String {
    match exit {
        LastExit { oom: true, .. } => "killed by the kernel: out of memory".to_owned(),
        LastExit { known: true, signal: Some(signal), .. } => format!("killed by SIG{signal}"),
        LastExit { known: true, code: Some(code), .. } => format!("exited with {code}"),
        LastExit { .. } => "unknown: nobody could say how it ended".to_owned(),
    }
}

/// `1 unit`, `2 units`
pub(super) fn count(number: usize, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests;
