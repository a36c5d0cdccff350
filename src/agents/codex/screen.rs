//! What its pane shows. Only the lowest part counts: the input line with the footer below it and what
//! stands directly above it, or what has come in its place. What stands further up is history.

use crate::agents::rows::{Row, rows, squeeze, squeezed};
use crate::agents::{Composer, ScreenReading, ScreenText, Shows};
use crate::decide::{Complaint, Dialog, Doing, Failure, Wedge};

/// Evidence is a few words of a screen, not the screen.
pub(super) const EVIDENCE_MAX: usize = 200;

/// In front of what is typed, of what was entered, and of the option that is chosen.
const PROMPT: char = '›';
/// What stands in an empty input line, as a suggestion.
const SUGGESTION: &str = "Ask Codex to do anything";
/// In front of an error.
const ERROR: char = '■';
/// In front of what goes on: one of them, turn by turn.
const TURNING: [&str; 2] = ["• ", "◦ "];
/// Behind what goes on.
const INTERRUPT: &str = "esc to interrupt";
/// What has been entered and waits.
const QUEUED: [&str; 2] = ["• Messages to be submitted after", "• Queued "];
/// The name of the program at the top.
const NAME: &str = ">_ OpenAI Codex";
/// What tmux writes below the last words of a program.
const PANE_IS_DEAD: &str = "Pane is dead";
/// The footer below the input line has no more rows than this.
const FOOTER_MAX: usize = 4;

/// Texts of errors, squeezed, and what each means.
const ERRORS: &[(&str, Failure)] = &[
    ("hityourusagelimit", Failure::Limited { until: None }),
    ("Quotaexceeded.", Failure::Unpaid),
    ("unexpectedstatus401", Failure::LoggedOut),
    ("refreshtokenfailed", Failure::LoggedOut),
    ("doesnotexistoryoudonothaveaccesstoit", Failure::Misconfigured),
    ("Notooloutputfoundforfunctioncall", Failure::Wedged(Wedge::Poisoned)),
    ("Notoolcallfoundforfunctioncalloutput", Failure::Wedged(Wedge::Poisoned)),
];

/// What a dialog says, squeezed, and what it is.
const DIALOGS: &[(&str, Dialog, &str)] = &[
    ("Trustthisfolder?", Dialog::Start, "it asks whether the directory is trusted"),
    ("Hooksneedreview", Dialog::Start, "it asks whether new hooks are trusted"),
    ("SigninwithChatGPT", Dialog::Start, "it asks for a login: run `codex login` as this user"),
    ("Updateavailable", Dialog::Start, "it offers an update"),
    ("Wouldyouliketo", Dialog::Permission, "it asks for permission"),
    ("Approachingratelimits", Dialog::Limit, "it offers another model before a limit"),
    (
        "Thisconversationisopeninanotherapp",
        Dialog::Other,
        "its conversation is open in another process",
    ),
];

/// Its last words, squeezed, and whether they are about its conversation.
const LAST_WORDS: &[(&str, bool)] =
    &[("ERROR:NosavedsessionfoundwithID", true), ("Tocontinuethissession,run:", false)];

pub(super) fn read(screen: &ScreenText<'_>) -> ScreenReading {
    let (rows, tells) = rows(screen.text);
    let last = rows.iter().rposition(|row| row.text.starts_with(PROMPT));
    if let Some(first) = last
        && let Some(input) = input(&rows, first)
    {
        let above = above(rows.get(..first).unwrap_or_default());
        let composer = composer(input, tells);
        let reading = reading(Shows::Doing(above.doing), above.why);
        return ScreenReading { composer, queued: above.queued, ..reading };
    }
    let (shows, why) = in_its_place(&rows, last);
    reading(shows, why)
}

/// What an error means that ended a turn, by its text; none for what is not known.
pub(super) fn failure_of(text: &str) -> Option<Failure> {
    let text = squeeze(text);
    ERRORS.iter().find(|(words, _)| text.contains(words)).map(|(_, failure)| *failure)
}

/// Only as the last words of a program that has ended: in a conversation they are a quotation.
pub(super) fn complaint(last_screen: &str) -> Option<Complaint> {
    let (rows, _) = rows(last_screen);
    let (_, about_conversation) = last_words(&rows)?;
    about_conversation.then_some(Complaint::Conversation)
}

fn reading(shows: Shows, why: String) -> ScreenReading {
    ScreenReading { shows, why, composer: Composer::Absent, queued: None }
}

/// The rows of the input line that begins at `first`, if it is one: below it is the footer, and below
/// that nothing.
fn input(rows: &[Row], first: usize) -> Option<&[Row]> {
    let rows = rows.get(first..)?;
    if is_option(rows.first()?) {
        return None;
    }
    let footer = rows.iter().rposition(Row::is_blank)? + 1;
    let is_footer = |row: &Row| row.text.starts_with("  ");
    let below = rows.get(footer..)?;
    let (input, goes_on) = (rows.get(..footer)?, rows.get(1..footer)?);
    let is_its = below.len() <= FOOTER_MAX && below.iter().all(is_footer);
    let indented = goes_on.iter().all(|row| row.is_blank() || is_footer(row));
    (is_its && indented).then_some(input)
}

/// `› 1. Yes`: an option of a dialog.
fn is_option(row: &Row) -> bool {
    let text = row.text.trim_start_matches(PROMPT).trim_start();
    text.split_once(". ").is_some_and(|(number, _)| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn composer(input: &[Row], tells: bool) -> Composer {
    let Some(first) = input.first() else { return Composer::Absent };
    let begin = first.text.trim_start_matches(PROMPT).trim_start();
    let is_dim = first.look(first.text.len() - begin.len()).dim;
    let rest = || input.iter().skip(1).map(|row| row.text.trim());
    let text = [begin].into_iter().chain(rest()).collect::<Vec<_>>().join("\n");
    let text = text.trim();
    let is_suggestion = if tells { is_dim } else { text == SUGGESTION };
    match text.is_empty() || is_suggestion {
        true => Composer::Empty,
        false => Composer::Text(text.to_owned()),
    }
}

/// What stands above the input line.
struct Above {
    doing: Doing,
    why: String,
    queued: Option<String>,
}

fn above(rows: &[Row]) -> Above {
    let mut queued = None;
    for paragraph in paragraphs(rows) {
        let Some(first) = paragraph.first() else { break };
        if QUEUED.iter().any(|words| first.text.starts_with(words)) {
            queued = Some(quoted(paragraph, usize::MAX));
        } else if goes_on(first) {
            let why = quoted(paragraph, EVIDENCE_MAX);
            return Above { doing: Doing::Working, why, queued };
        } else {
            let text = squeezed(paragraph);
            if let Some(text) = text.strip_prefix(ERROR).filter(|it| !is_no_error(it)) {
                let failure = failure_of(text).unwrap_or(Failure::Errored);
                let why = quoted(paragraph, EVIDENCE_MAX);
                return Above { doing: Doing::Failed(failure), why, queued };
            }
            break;
        }
    }
    let why = "the input line, and nothing that goes on".to_owned();
    Above { doing: Doing::Idle, why, queued }
}

/// A person, or a death, has broken the turn off.
fn is_no_error(squeezed: &str) -> bool {
    squeezed.starts_with("Conversationinterrupted")
}

/// `• Working (6s • esc to interrupt)`; a narrow pane cuts the words off.
fn goes_on(row: &Row) -> bool {
    let Some(text) = TURNING.iter().find_map(|marker| row.text.strip_prefix(marker)) else {
        return false;
    };
    let Some((_, inside)) = text.split_once('(') else { return false };
    let Some((_, keys)) = inside.split_once("• ") else { return false };
    match keys.split_once('…') {
        Some((begun, _)) if !begun.contains(')') => begun.len() > 2 && INTERRUPT.starts_with(begun),
        Some(_) | None => keys.starts_with(INTERRUPT),
    }
}

/// Paragraphs from the last to the first.
fn paragraphs(rows: &[Row]) -> impl Iterator<Item = &[Row]> {
    rows.rsplit(Row::is_blank).filter(|paragraph| !paragraph.is_empty())
}

/// No input line.
fn in_its_place(rows: &[Row], last: Option<usize>) -> (Shows, String) {
    let screen = squeezed(rows);
    if screen.is_empty() {
        return (Shows::Unknown, "the screen is empty".to_owned());
    }
    if let Some((words, _)) = last_words(rows) {
        return (Shows::Dead, words);
    }
    if rows.last().is_some_and(|row| row.text.starts_with(PANE_IS_DEAD)) {
        return (Shows::Unknown, "its program has ended without a word".to_owned());
    }
    let option = last.and_then(|last| rows.get(last)).filter(|row| is_option(row));
    let known = DIALOGS.iter().filter_map(|known| Some((screen.rfind(known.0)?, known)));
    let known = known.max_by_key(|(at, _)| *at).map(|(_, known)| known);
    let is_locked = known.is_some_and(|(_, asks, _)| *asks == Dialog::Other);
    match (known, option) {
        (Some((_, asks, what)), Some(_)) => {
            (Shows::Doing(Doing::Dialog(*asks)), (*what).to_owned())
        }
        (Some((_, asks, what)), None) if is_locked || *asks == Dialog::Start => {
            (Shows::Doing(Doing::Dialog(*asks)), (*what).to_owned())
        }
        (None, Some(option)) => {
            let why = format!("a dialog: {}", quoted(std::slice::from_ref(option), EVIDENCE_MAX));
            (Shows::Doing(Doing::Dialog(Dialog::Other)), why)
        }
        (_, None) if rows.iter().any(|row| row.text.trim_start().starts_with(NAME)) => {
            (Shows::Starting, "the program's name, and no input line yet".to_owned())
        }
        (_, None) => (Shows::Unknown, "neither an input line nor a dialog".to_owned()),
    }
}

/// The last paragraph, without what tmux or a shell has to add, if it is one of its last words.
fn last_words(rows: &[Row]) -> Option<(String, bool)> {
    let end =
        rows.iter().rposition(|row| !row.is_blank() && !row.text.starts_with(PANE_IS_DEAD))?;
    let paragraph = paragraphs(rows.get(..=end)?).next()?;
    let text = squeezed(paragraph);
    let (_, about) = LAST_WORDS.iter().find(|(words, _)| text.starts_with(words))?;
    Some((quoted(paragraph, EVIDENCE_MAX), *about))
}

/// The text of rows in one line.
fn quoted(rows: &[Row], most: usize) -> String {
    let words = rows.iter().flat_map(|row| row.text.split_whitespace());
    let is_marker =
        |word: &&str| !word.contains(char::is_alphanumeric) && word.chars().count() == 1;
    let text = words.skip_while(is_marker).collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests;
