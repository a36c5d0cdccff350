//! One line typed into a program that offers no channel but its screen, and the proof that it
//! arrived. Whether this is the moment to type is decided elsewhere.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use unicode_width::UnicodeWidthChar;

use super::Server;
use super::control::ControlError;
use super::pane::{Cursor, PaneState};

/// How much of the text's end must be seen, in characters without blanks.
const TAIL: usize = 60;

/// How long the text may take to show, and again the Enter to have an effect.
const ECHO_CEILING: Duration = Duration::from_secs(3);

/// The first wait between two looks at the screen; it doubles.
const LOOK_FIRST: Duration = Duration::from_millis(20);

/// The longest wait between two looks.
const LOOK_MAX: Duration = Duration::from_millis(200);

/// Agents take text and Enter that come within 120 ms of each other for a paste, and the Enter
/// for a newline in it.
const ENTER_AFTER: Duration = Duration::from_millis(300);

/// How far from the cursor's row a program's own frame may put the text, in rows.
const NEAR: usize = 3;

/// Why a text was not typed, or may not have been.
#[derive(Debug, thiserror::Error)]
pub enum Untyped {
    /// Nothing to type.
    #[error("there is no text to type")]
    Empty,
    /// A newline would submit half of the text, and another control character is a key.
    #[error("the text holds the control character {0:?}: only one plain line can be typed")]
    Control(char),
    /// Nobody is there to read it.
    #[error("the pane's program has ended")]
    Dead,
    /// It did not show, so Enter was not pressed, and the line was cleared again with C-u.
    #[error("the text did not show on the screen within {} s; it was cleared and not submitted", ECHO_CEILING.as_secs())]
    NoEcho,
    /// It shows, Enter was pressed twice, and nothing changed.
    #[error("the text shows on the screen, but pressing Enter changed nothing")]
    NotSubmitted,
    /// tmux failed half-way: the text may or may not have been typed.
    #[error("could not type into the pane, or not see whether it worked")]
    Unknown(#[from] ControlError),
}

impl Server {
    /// Types `text` and Enter. Enter is pressed only once the text is seen, and it alone is
    /// pressed a second time.
    ///
    /// # Errors
    /// [`Untyped`].
    pub async fn type_and_confirm(&self, text: &str) -> Result<(), Untyped> {
        if text.trim().is_empty() {
            return Err(Untyped::Empty);
        }
        if let Some(control) = text.chars().find(|c| c.is_control()) {
            return Err(Untyped::Control(control));
        }
        let (state, screen) = self.look(false).await?;
        if state.dead {
            return Err(Untyped::Dead);
        }
        let before = Sight::new(&state, &screen);
        self.send_literal(text).await?;
        let typed = Instant::now();
        let tail = tail(text);
        let Some(shown) = self.wait_for_sight(|now| now.shows_more(&tail, &before)).await? else {
            self.send_key("C-u").await?;
            return Err(Untyped::NoEcho);
        };
        sleep_until(typed + ENTER_AFTER).await;
        for _press in 0..2 {
            self.send_key("Enter").await?;
            if self.wait_for_sight(|now| now.moved_on(&shown)).await?.is_some() {
                return Ok(());
            }
        }
        Err(Untyped::NotSubmitted)
    }

    /// Looks until what is seen is `wanted`; `None` if that did not happen.
    async fn wait_for_sight(
        &self,
        wanted: impl Fn(&Sight) -> bool,
    ) -> Result<Option<Sight>, ControlError> {
        let deadline = Instant::now() + ECHO_CEILING;
        let mut pause = LOOK_FIRST;
        loop {
            let (state, screen) = self.look(false).await?;
            let sight = Sight::new(&state, &screen);
            if wanted(&sight) {
                return Ok(Some(sight));
            }
            if timeout_at(deadline, sleep(pause)).await.is_err() {
                return Ok(None);
            }
            pause = (pause * 2).min(LOOK_MAX);
        }
    }
}

/// A screen as far as it matters here: without blanks and frames, so that it does not matter
/// where a terminal or a program wrapped a line.
#[derive(Debug, PartialEq, Eq)]
struct Sight {
    /// What stands before the cursor.
    to_cursor: String,
    /// Each row.
    rows: Vec<String>,
    cursor: Cursor,
    dead: bool,
}

impl Sight {
    fn new(state: &PaneState, screen: &str) -> Self {
        let mut to_cursor = String::new();
        for (row, line) in screen.lines().enumerate().take(state.cursor.row + 1) {
            let end =
                if row < state.cursor.row { line.len() } else { cut(line, state.cursor.column) };
            to_cursor.extend(essence(line.get(..end).unwrap_or(line)));
        }
        let rows = screen.lines().map(|line| essence(line).collect()).collect();
        Self { to_cursor, rows, cursor: state.cursor, dead: state.dead }
    }

    /// The text's end stands right before the cursor and did not before; or it stands near the
    /// cursor more often than it did.
    fn shows_more(&self, tail: &str, before: &Self) -> bool {
        let arrived = self.to_cursor.ends_with(tail) && !before.to_cursor.ends_with(tail);
        arrived || self.near(tail).matches(tail).count() > before.near(tail).matches(tail).count()
    }

    /// What stands around the cursor, wide enough for a tail wrapped by a narrow frame; all, if
    /// the cursor is hidden and may be anywhere.
    fn near(&self, tail: &str) -> String {
        if !self.cursor.shown {
            return self.rows.concat();
        }
        let reach = NEAR + tail.chars().count() / 20;
        let from = self.cursor.row.saturating_sub(reach);
        self.rows.iter().skip(from).take(2 * reach + 1).map(String::as_str).collect()
    }

    fn moved_on(&self, before: &Self) -> bool {
        self.dead || self.cursor != before.cursor || self.to_cursor != before.to_cursor
    }
}

/// Without blanks and the lines that frames are drawn with.
fn essence(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '\u{2500}'..='\u{259f}'))
}

fn tail(text: &str) -> String {
    let all: Vec<char> = essence(text).collect();
    all.iter().skip(all.len().saturating_sub(TAIL)).collect()
}

/// Where in `line` the cell `column` begins, in bytes.
fn cut(line: &str, column: usize) -> usize {
    let mut cells = 0;
    for (at, c) in line.char_indices() {
        if cells >= column && c.width() != Some(0) {
            return at;
        }
        cells += c.width().unwrap_or(0);
    }
    line.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sight(screen: &str, row: usize, column: usize, shown: bool) -> Sight {
        let cursor = Cursor { column, row, shown };
        let state = PaneState { pid: 1, dead: false, exit: None, cursor, in_mode: false };
        Sight::new(&state, screen)
    }

    #[test]
    fn a_text_that_was_wrapped_is_still_seen() {
        let before = sight("$", 0, 2, true);
        let after = sight("$ hello wor\nld again", 1, 8, true);
        assert!(after.shows_more(&tail("hello world again"), &before));
    }

    #[test]
    fn a_text_inside_a_frame_is_seen_though_the_cursor_stands_below() {
        let before = sight("╭────╮\n│ >  │\n╰────╯\n hints", 3, 0, false);
        let after = sight("╭────╮\n│ > ab│\n│ cd │\n╰────╯\n hints", 4, 0, false);
        assert!(after.shows_more(&tail("ab cd"), &before));
    }

    #[test]
    fn an_older_copy_of_the_text_proves_nothing() {
        let before = sight("$ again\nagain\n$", 2, 2, true);
        let same = sight("$ again\nagain\n$", 2, 2, true);
        assert!(!same.shows_more("again", &before));
        let typed = sight("$ again\nagain\n$ again", 2, 7, true);
        assert!(typed.shows_more("again", &before));
    }

    #[test]
    fn a_prompt_that_ends_like_the_text_is_not_taken_for_it() {
        let before = sight("key", 0, 3, true);
        assert!(!before.shows_more("y", &before));
        assert!(sight("keyy", 0, 4, true).shows_more("y", &before));
    }

    #[test]
    fn what_stands_right_of_the_cursor_is_not_typed() {
        assert_eq!(sight("日本x ghost", 0, 5, true).to_cursor, "日本x");
        assert_eq!(sight("e\u{301}f", 0, 1, true).to_cursor, "e\u{301}");
        assert_eq!(sight("ab", 0, 9, true).to_cursor, "ab");
    }

    #[test]
    fn only_the_end_of_a_long_text_counts() {
        let long = format!("{} the end", "x".repeat(500));
        assert_eq!(tail(&long).chars().count(), TAIL);
        assert!(tail(&long).ends_with("xtheend"));
    }
}
