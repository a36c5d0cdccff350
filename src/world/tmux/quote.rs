//! The words of one tmux command, written so that tmux reads back exactly these bytes: for the
//! command line of a `tmux` process, and as a line of control mode.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use tmux_interface::TmuxCommand;

/// The words of one tmux command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words(Vec<OsString>);

impl From<TmuxCommand<'_>> for Words {
    fn from(command: TmuxCommand<'_>) -> Self {
        Self(command.to_vec().iter().map(|word| OsString::from(word.as_ref())).collect())
    }
}

impl Words {
    /// These words and then `more`.
    #[must_use]
    pub fn and<W: AsRef<OsStr>>(mut self, more: impl IntoIterator<Item = W>) -> Self {
        self.0.extend(more.into_iter().map(|word| word.as_ref().to_os_string()));
        self
    }

    /// The command's name: all that an error message may repeat of it. The other words may be
    /// long, or nobody else's business.
    pub fn name(&self) -> String {
        self.0.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Whether a word holds a NUL byte, which neither form can carry.
    pub(super) fn has_nul(&self) -> bool {
        self.0.iter().any(|word| word.as_bytes().contains(&0))
    }

    /// One line of control mode, newline included.
    pub(super) fn to_line(&self) -> Vec<u8> {
        let mut line = Vec::new();
        for word in &self.0 {
            if !line.is_empty() {
                line.push(b' ');
            }
            quote(word.as_bytes(), &mut line);
        }
        line.push(b'\n');
        line
    }

    /// Words for the command line of a `tmux` process.
    pub(super) fn into_argv(self) -> impl Iterator<Item = OsString> {
        self.0.into_iter().map(guard_last_semicolon)
    }
}

/// Several commands for one `tmux` process, which carries them out one after the other and stops
/// at the first that fails.
pub(super) fn sequence(commands: impl IntoIterator<Item = Words>) -> Vec<OsString> {
    let mut argv = Vec::new();
    for command in commands {
        if !argv.is_empty() {
            argv.push(OsString::from(";"));
        }
        argv.extend(command.into_argv());
    }
    argv
}

/// Writes `word` in double quotes. Inside them tmux still expands `$`, and `~` right after the
/// opening quote, and reads backslash escapes; a newline or another control character would end
/// or spoil the line, and a byte of 255 is taken for the end of all, so they are written as octal
/// escapes.
fn quote(word: &[u8], line: &mut Vec<u8>) {
    line.push(b'"');
    for &byte in word {
        match byte {
            b'"' | b'\\' | b'$' | b'~' => line.extend([b'\\', byte]),
            0..=0x1f | 0x7f | 0xff => line.extend(format!("\\{byte:03o}").bytes()),
            _ => line.push(byte),
        }
    }
    line.push(b'"');
}

/// On a command line tmux takes a word's last `;` for the end of the command, unless a backslash
/// stands before it, which it then removes.
fn guard_last_semicolon(word: OsString) -> OsString {
    let mut bytes = word.into_vec();
    if bytes.last() == Some(&b';') {
        bytes.insert(bytes.len() - 1, b'\\');
    }
    OsString::from_vec(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(words: &[&str]) -> String {
        String::from_utf8(Words(words.iter().map(OsString::from).collect()).to_line()).unwrap()
    }

    #[test]
    fn every_word_is_quoted_and_what_tmux_would_expand_is_escaped() {
        assert_eq!(line(&["send-keys", "-t", "%0"]), "\"send-keys\" \"-t\" \"%0\"\n");
        assert_eq!(line(&["~/$HOME"]), "\"\\~/\\$HOME\"\n");
        assert_eq!(line(&["a\"b\\c"]), "\"a\\\"b\\\\c\"\n");
        assert_eq!(line(&["a\nb\tc\u{1}d\u{7f}"]), "\"a\\012b\\011c\\001d\\177\"\n");
        assert_eq!(line(&["a;b 'c' #{d} {e} é"]), "\"a;b 'c' #{d} {e} é\"\n");
        assert_eq!(line(&["", "x"]), "\"\" \"x\"\n");
    }

    #[test]
    fn a_last_semicolon_is_guarded_on_the_command_line_and_separators_are_not() {
        let words = |list: &[&str]| Words(list.iter().map(OsString::from).collect());
        let argv = sequence([words(&["a", ";", "b;", "c\\;", "d;e"]), words(&["f"])]);
        assert_eq!(argv, ["a", "\\;", "b\\;", "c\\\\;", "d;e", ";", "f"]);
    }
}
