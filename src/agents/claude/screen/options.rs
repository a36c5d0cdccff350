//! The options of a dialog, and where its mark stands. They are told apart by their text alone: order
//! and numbers differ between versions. Not here: which keys are pressed.

use crate::agents::Choice;
use crate::agents::rows::{Row, squeezed};

/// Before the option that Enter takes.
const MARK: char = '❯';

/// What the option that waits for the reset of a limit, and goes on then, has in it.
const WAITS: [&str; 2] = ["wait", "continu"];

/// What it has not: these sell something, or say that it does not wait or does not go on.
const WAITS_NOT: [&str; 16] = [
    "upgrade", "plan", "buy", "purchase", "pay", "bill", "credit", "extra", "team", "api", "$",
    "switch", "stop", "without", "not", "don",
];

/// One option of a dialog.
#[derive(Debug)]
struct Listed {
    marked: bool,
    text: String,
}

/// Finds, in the rows of a box, the option that waits and goes on then.
///
/// # Errors
/// Why that is not certain.
pub(super) fn waiting(asks: &[Row]) -> Result<Choice, String> {
    let options = options(asks).ok_or("its options are not to be told apart")?;
    let marked = |(at, option): (usize, &Listed)| option.marked.then_some(at);
    let mark = options.iter().enumerate().find_map(marked).ok_or("no option is marked")?;
    let mut waiting = options.iter().enumerate().filter(|(_, option)| waits(&option.text));
    let Some((at, option)) = waiting.next() else {
        return Err("no option says to wait and to continue then".to_owned());
    };
    if waiting.next().is_some() {
        return Err("several options say to wait and to continue then".to_owned());
    }
    let (above, below) = (mark.saturating_sub(at), at.saturating_sub(mark));
    Ok(Choice { text: option.text.clone(), above, below })
}

/// `text` is squeezed.
fn waits(text: &str) -> bool {
    let text = text.to_lowercase();
    WAITS.iter().all(|word| text.contains(word)) && !WAITS_NOT.iter().any(|it| text.contains(it))
}

/// The options, in order: the paragraph in which one is marked. None if none is, or several are.
fn options(asks: &[Row]) -> Option<Vec<Listed>> {
    let mut paragraphs = asks.split(Row::is_blank);
    let is_marked = |row: &Row| row.text.trim_start().starts_with(MARK);
    let list = paragraphs.find(|rows| rows.iter().any(is_marked))?;
    let numbered = list.iter().any(|row| number(unmarked(row).1).is_some());
    let column = list.iter().find(|row| is_marked(row)).map(|row| unmarked(row).0)?;
    let mut groups: Vec<Vec<&Row>> = Vec::new();
    for row in list {
        let (indented, text) = unmarked(row);
        let begins = match numbered {
            true => number(text).is_some(),
            false => is_marked(row) || indented == column,
        };
        match groups.last_mut() {
            Some(group) if !begins => group.push(row),
            // What stands before the first option is none.
            None if !begins => {}
            Some(_) | None => groups.push(vec![row]),
        }
    }
    let listed = |group: Vec<&Row>| Listed {
        marked: group.iter().any(|row| is_marked(row)),
        text: said(&group),
    };
    let options: Vec<Listed> = groups.into_iter().map(listed).collect();
    (options.iter().filter(|option| option.marked).count() == 1).then_some(options)
}

/// What an option says, squeezed, without its mark and number.
fn said(group: &[&Row]) -> String {
    let rows: Vec<Row> = group.iter().map(|row| (*row).clone()).collect();
    let text = squeezed(&rows);
    let text = text.strip_prefix(MARK).unwrap_or(&text);
    number(text).unwrap_or(text).to_owned()
}

/// In which column the text of a row begins, and the text, without the mark.
fn unmarked(row: &Row) -> (usize, &str) {
    let text = row.text.trim_start();
    let text = text.strip_prefix(MARK).unwrap_or(text).trim_start();
    let before = row.text.len() - text.len();
    (row.text.get(..before).map_or(0, |before| before.chars().count()), text)
}

/// What follows a number and its point.
fn number(text: &str) -> Option<&str> {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.strip_prefix('.').filter(|_| rest.len() < text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agents::rows::rows;

    fn of(options: &str) -> Result<Choice, String> {
        let text = format!("  What do you want to do?\n\n{options}\n\n  Enter to confirm");
        waiting(&rows(&text).0)
    }

    fn away(options: &str) -> (usize, usize) {
        let choice = of(options).unwrap_or_else(|why| panic!("{options}: {why}"));
        assert!(choice.text.starts_with("Waithere,thencontinue"), "{choice:?}");
        (choice.above, choice.below)
    }

    const WAIT: &str = "Wait here, then continue automatically at Nov 24, 6:15pm";

    #[test]
    fn the_option_that_waits_is_found_wherever_it_stands() {
        let stop = "Stop and wait for limit to reset";
        let list = format!("  ❯ 1. {stop}\n    2. {WAIT}\n    3. Upgrade your plan");
        assert_eq!(away(&list), (0, 1));
        let list = format!("  ❯ 1. Upgrade your plan\n    2. {stop}\n    3. {WAIT}");
        assert_eq!(away(&list), (0, 2));
        let list = format!("    1. {WAIT}\n    2. {stop}\n  ❯ 3. Upgrade your plan");
        assert_eq!(away(&list), (2, 0));
        let list = format!("    1. {stop}\n  ❯ 2. {WAIT}");
        assert_eq!(away(&list), (0, 0));
        let list = format!("  ❯ {WAIT}\n    {stop}\n    Upgrade your plan");
        assert_eq!(away(&list), (0, 0));
        let list = format!("    {stop}\n    {WAIT}\n  ❯ Upgrade your plan");
        assert_eq!(away(&list), (1, 0));
    }

    #[test]
    fn an_option_may_take_several_rows() {
        let list = "  ❯ 1. Stop and wait for limit to\n       reset\n    2. Wait here, then continue\n       \
                    automatically at Nov 24, 6:15pm\n    3. Upgrade your plan";
        assert_eq!(away(list), (0, 1));
        let list = "  ❯ Stop and wait for\n      limit to reset\n    Wait here, then\n      continue \
                    automatically\n    Upgrade your plan";
        assert_eq!(away(list), (0, 1));
    }

    #[test]
    fn where_it_is_not_certain_nothing_is_chosen() {
        for list in [
            "  ❯ 1. Stop and wait for limit to reset\n    2. Upgrade your plan",
            "  ❯ 1. Stop and wait for limit to reset, then continue by hand",
            "  ❯ 1. Upgrade your plan, and continue without waiting",
            "  ❯ 1. Don't wait: continue with extra usage",
            "  ❯ 1. Wait here\n    2. Continue with API billing",
            "  ❯ 1. Upgrade your plan\n       You need not wait, and continue at once",
            "  ❯ 1. Wait, then continue\n    2. Wait here, then continue at 3pm",
            "  ❯ 1. Wait here, then continue\n  ❯ 2. Stop",
            "    1. Wait here, then continue\n    2. Stop",
            "",
        ] {
            assert!(of(list).is_err(), "{list}: {:?}", of(list));
        }
    }
}
