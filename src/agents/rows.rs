//! A captured pane as rows of plain text, with the little of their look that says something: what
//! is dim is a suggestion, what is inverse is the cursor, what has a colour is not the agent's.

/// How a stretch of a row looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::agents) struct Look {
    /// Half as bright.
    pub(in crate::agents) dim: bool,
    /// Foreground and background exchanged: the cursor that the program draws itself.
    pub(in crate::agents) inverse: bool,
    /// The foreground, as some number; 0 is the terminal's own.
    pub(in crate::agents) colour: u32,
}

/// One row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::agents) struct Row {
    /// Its text, without blanks at the end (a no-break space is none).
    pub(in crate::agents) text: String,
    /// From which byte on which look holds.
    looks: Vec<(usize, Look)>,
}

impl Row {
    /// Nothing is on it.
    pub(in crate::agents) fn is_blank(&self) -> bool {
        self.text.chars().all(char::is_whitespace)
    }

    /// The look of the character that begins at `byte`.
    pub(in crate::agents) fn look(&self, byte: usize) -> Look {
        let after = self.looks.partition_point(|(from, _)| *from <= byte);
        let before = after.checked_sub(1).and_then(|at| self.looks.get(at));
        before.map_or_else(Look::default, |(_, look)| *look)
    }
}

/// The rows of a capture, without the blank ones at the end; and whether it tells what is dim and
/// what has a colour. One without escapes does not, nor does that of a program that was told to use
/// no colours: it still draws its cursor.
pub(in crate::agents) fn rows(text: &str) -> (Vec<Row>, bool) {
    let mut look = Look::default();
    let mut rows: Vec<Row> = text.split('\n').map(|line| row(line, &mut look)).collect();
    let used = rows.iter().rposition(|row| !row.is_blank()).map_or(0, |last| last + 1);
    rows.truncate(used);
    let tells = |look: &Look| look.dim || look.colour != 0;
    let tells = rows.iter().flat_map(|row| &row.looks).any(|(_, look)| tells(look));
    (rows, tells)
}

/// The text of rows with every white space taken out: where a pane breaks its lines says nothing.
pub(in crate::agents) fn squeezed(rows: &[Row]) -> String {
    squeeze(&rows.iter().map(|row| row.text.as_str()).collect::<Vec<_>>().join("\n"))
}

/// A text with every white space taken out.
pub(in crate::agents) fn squeeze(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

fn row(line: &str, look: &mut Look) -> Row {
    let mut row = Row { text: String::with_capacity(line.len()), looks: vec![(0, *look)] };
    let mut rest = line;
    while let Some((plain, escape)) = rest.split_once('\x1b') {
        push(&mut row.text, plain);
        rest = sequence(escape, look);
        row.looks.push((row.text.len(), *look));
    }
    push(&mut row.text, rest);
    row.text.truncate(row.text.trim_end_matches(' ').len());
    row
}

fn push(text: &mut String, plain: &str) {
    text.extend(plain.chars().filter(|c| !c.is_control()));
}

/// What follows the escape sequence that begins here; one that sets looks is obeyed.
fn sequence<'t>(escape: &'t str, look: &mut Look) -> &'t str {
    if let Some(rest) = escape.strip_prefix('[') {
        let Some(end) = rest.find(|c: char| ('\x40'..='\x7e').contains(&c)) else {
            return "";
        };
        let (parameters, rest) = rest.split_at(end);
        if rest.starts_with('m') {
            obey(parameters, look);
        }
        return rest.get(1..).unwrap_or_default();
    }
    if let Some(rest) = escape.strip_prefix(']') {
        // A title or a link: to a bell, or to the escape that begins its end.
        let end = rest.find(['\x07', '\x1b']).unwrap_or(rest.len());
        let rest = rest.get(end..).unwrap_or_default();
        return rest.strip_prefix('\x07').or_else(|| rest.strip_prefix("\x1b\\")).unwrap_or(rest);
    }
    let mut rest = escape.chars();
    // The choice of a character set has one character more than the other short ones.
    if rest.next().is_some_and(|c| "()*+".contains(c)) {
        rest.next();
    }
    rest.as_str()
}

fn obey(parameters: &str, look: &mut Look) {
    let mut numbers = parameters.split([';', ':']).map(|number| number.parse().unwrap_or(0));
    while let Some(number) = numbers.next() {
        match number {
            0 => *look = Look::default(),
            2 => look.dim = true,
            22 => look.dim = false,
            7 => look.inverse = true,
            27 => look.inverse = false,
            30..=37 | 90..=97 => look.colour = number,
            39 => look.colour = 0,
            38 => look.colour = long_colour(&mut numbers),
            48 => {
                long_colour(&mut numbers);
            }
            _ => {}
        }
    }
}

/// `5;N` of a palette or `2;R;G;B`, as one number that is none of the short ones.
fn long_colour(numbers: &mut impl Iterator<Item = u32>) -> u32 {
    const PALETTE: u32 = 1 << 24;
    const TRUE: u32 = 1 << 25;
    let mut next = || numbers.next().unwrap_or(0) & 0xff;
    match next() {
        5 => PALETTE | next(),
        2 => TRUE | next() << 16 | next() << 8 | next(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_taken_out_and_looks_kept() {
        let (rows, tells) =
            rows("\x1b[39m❯\u{a0}\x1b[7mP\x1b[0;2mress\x1b[0m up  \x1b]8;;x\x1b\\\n");
        assert!(tells);
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].text, "❯\u{a0}Press up");
        assert!(rows[0].look(5).inverse && !rows[0].look(5).dim);
        assert!(rows[0].look(6).dim && !rows[0].look(6).inverse);
        assert_eq!(rows[0].look(10), Look::default());
    }

    #[test]
    fn a_cursor_alone_tells_nothing_of_colours() {
        assert!(!rows("❯\u{a0}\x1b[7mR\x1b[0m\x1b[39m\x1b[49mun").1);
        assert!(!rows("plain").1);
        assert!(rows("\x1b[2mdim").1 && rows("\x1b[31mred").1);
    }

    #[test]
    fn looks_go_on_over_the_end_of_a_row() {
        let (rows, _) = rows("\x1b[38;5;220ma\nb\x1b[48;2;1;2;3mc\x1b[39md");
        assert_eq!(rows[1].look(0), rows[0].look(0));
        assert_eq!(rows[1].look(1).colour, rows[0].look(0).colour);
        assert_eq!(rows[1].look(2).colour, 0);
    }

    #[test]
    fn no_capture_is_too_broken_to_be_read() {
        for text in ["", "\x1b", "\x1b[", "\x1b[3", "\x1b]0;x", "\x1b(", "a\x1b[38;5mb", "\n\n \n"]
        {
            rows(text);
        }
        assert_eq!(rows("a\x1b[38;5mb\x1b(Bc").0[0].text, "abc");
    }
}
