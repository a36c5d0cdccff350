//! No text, however damaged, makes the reading panic.

use super::*;

/// Pseudo-random numbers that are the same at each run (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (limit.max(1) as u64)).unwrap()
    }
}

/// What is put in: the marks of TOML, and values of every type.
const PIECES: [&str; 24] = [
    "\"",
    "'",
    "[",
    "]",
    "{",
    "}",
    "=",
    ".",
    ",",
    "\n",
    "#",
    "\\",
    "[[",
    "]]",
    "é",
    "\0",
    "5",
    "-1",
    "true",
    "\"0s\"",
    "1979-05-27",
    "nan",
    "[a]\n",
    "99999999999999999999",
];

fn damage(dice: &mut Dice, text: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(String::from).collect();
    for _ in 0..=dice.below(4) {
        let at = dice.below(lines.len());
        let other = dice.below(lines.len());
        match dice.below(5) {
            0 => drop(lines.remove(at)),
            1 => lines.swap(at, other),
            2 => lines.insert(at, lines[other].clone()),
            3 => {
                let piece = PIECES[dice.below(PIECES.len())];
                if let Some((key, _)) = lines[at].split_once(" = ") {
                    lines[at] = format!("{key} = {piece}");
                }
            }
            _ => {
                let chars: Vec<char> = lines[at].chars().collect();
                let (cut, piece) = (dice.below(chars.len()), PIECES[dice.below(PIECES.len())]);
                let gone = dice.below(3);
                let head: String = chars.iter().take(cut).collect();
                let tail: String = chars.iter().skip(cut + gone).collect();
                lines[at] = format!("{head}{piece}{tail}");
            }
        }
    }
    lines.join("\n")
}

#[test]
fn a_damaged_text_gives_a_configuration_or_an_error_with_a_place() {
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let mut wrong = 0;
    for _ in 0..400 {
        let text = damage(&mut dice, EVERYTHING);
        let Err(error) = parse(&text) else { continue };
        wrong += 1;
        let ConfigError::Invalid { problems, .. } = error else { panic!("{error}") };
        assert!(!problems.is_empty());
        let lines = text.lines().count() + 1;
        for problem in problems {
            assert!((1..=lines).contains(&problem.line), "{problem}");
            assert!(!problem.what.contains('\n'), "{problem}");
        }
    }
    assert!(wrong > 200, "only {wrong} texts were wrong: the damage is too small");
}

#[test]
fn very_long_and_very_deep_texts_are_only_errors() {
    for text in [
        "a.".repeat(5000) + "b = 1",
        "x = ".to_string() + &"[".repeat(5000),
        "x = ".to_string() + &"{a=".repeat(5000),
        "k".repeat(1_000_000) + " = 1",
        "[services.".to_string() + &"n".repeat(1_000_000) + "]",
        "\u{feff}[supervisor]\r\nstate_dir = 5\r\n".to_string(),
    ] {
        assert!(parse(&text).is_err());
    }
}

#[test]
fn a_chain_of_hundreds_of_units_is_no_circle() {
    let mut text = String::from("[services.u0]\ncommand = ['u']\n");
    for n in 1..300 {
        text += &format!("[services.u{n}]\ncommand = ['u']\nafter = ['u{}']\n", n - 1);
    }
    assert_eq!(good(&text).units.len(), 300);
}
