//! The lines of a text, and its sections by headings as Markdown has them. Not here: where the
//! text is from.

use std::ops::Range;

use regex::Regex;

/// The lines of a text without their ends, a carriage return included. What is no UTF-8 is replaced.
pub(crate) fn lines(text: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(text);
    text.lines().map(str::to_owned).collect()
}

/// The lines that match, by their place from 0.
pub(crate) fn matching<'a>(
    lines: &'a [String],
    pattern: &'a Regex,
) -> impl Iterator<Item = (usize, &'a str)> {
    let lines = lines.iter().map(String::as_str).enumerate();
    lines.filter(|(_, line)| pattern.is_match(line))
}

/// The sections under each heading line that is `heading`, spaces around it aside: the heading's
/// place up to the next heading of its level or a higher one. What stands in a fenced block is no
/// heading. A `heading` without `#` is a line that ends at any heading.
pub(crate) fn sections(lines: &[String], heading: &str) -> Vec<Range<usize>> {
    let heading = heading.trim();
    let level = level(heading).unwrap_or(usize::MAX);
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut open = false;
    let mut fence: Option<(char, usize)> = None;
    for (place, line) in lines.iter().enumerate() {
        let line = line.trim();
        match (fence, fence_of(line)) {
            (None, Some((mark, length, _))) => fence = Some((mark, length)),
            (Some((mark, length)), Some((theirs, more, true)))
                if theirs == mark && more >= length =>
            {
                fence = None;
            }
            (Some(_), _) => {}
            (None, None) if line == heading => {
                if let (true, Some(last)) = (open, found.last_mut()) {
                    last.end = place;
                }
                found.push(place..place + 1);
                open = true;
                continue;
            }
            (None, None) if self::level(line).is_some_and(|it| it <= level) => open = false,
            (None, None) => {}
        }
        if let (true, Some(last)) = (open, found.last_mut()) {
            last.end = place + 1;
        }
    }
    found
}

/// How many `#` a heading has; none for another line.
fn level(line: &str) -> Option<usize> {
    let rest = line.trim_start_matches('#');
    let level = line.len() - rest.len();
    ((1..=6).contains(&level) && (rest.is_empty() || rest.starts_with([' ', '\t'])))
        .then_some(level)
}

/// The mark of a line that opens or closes a fenced block, how long it is, and whether nothing
/// follows it.
fn fence_of(line: &str) -> Option<(char, usize, bool)> {
    let mark = line.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
    let rest = line.trim_start_matches(mark);
    let length = line.len() - rest.len();
    (length >= 3 && !(mark == '`' && rest.contains('`')))
        .then(|| (mark, length, rest.trim().is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str, heading: &str) -> Vec<String> {
        let lines = lines(text.as_bytes());
        let sections = sections(&lines, heading);
        sections.into_iter().map(|section| lines[section].join("|")).collect()
    }

    #[test]
    fn a_section_goes_up_to_the_next_heading_of_its_level_or_above() {
        let text = "# Status\nx\n## DONE\nall\n### how\nwell\n## Next\ny\n";
        assert_eq!(texts(text, "## DONE"), ["## DONE|all|### how|well"]);
        assert_eq!(texts(text, "  ## DONE "), ["## DONE|all|### how|well"]);
        assert_eq!(texts(text, "# Status").len(), 1);
        assert_eq!(texts(text, "## DON"), [""; 0]);
    }

    #[test]
    fn a_heading_that_stands_twice_has_two_sections() {
        assert_eq!(texts("## DONE\na\n## DONE\nb", "## DONE"), ["## DONE|a", "## DONE|b"]);
    }

    #[test]
    fn a_heading_in_a_fenced_block_is_an_example_and_no_heading() {
        let text = "how:\n```\n## DONE\n```\n~~~~ text\n## DONE\n~~~\n## DONE\n~~~~\n";
        assert_eq!(texts(text, "## DONE"), [""; 0]);
        assert_eq!(
            texts("## Blocked\n```\n# a comment\n```\nb\n# c", "## Blocked"),
            ["## Blocked|```|# a comment|```|b"]
        );
    }
}
