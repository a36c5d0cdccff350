//! Rust source text as words and signs: just enough to tell code from comments and strings.

/// A word, a `::`, or one other sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

/// One line of a comment.
#[derive(Clone, Debug)]
pub(crate) struct Comment {
    pub(crate) text: String,
    pub(crate) line: usize,
}

/// The tokens and the comments of a file. A literal is the token `""`.
pub(crate) fn cut(text: &str) -> (Vec<Token>, Vec<Comment>) {
    let mut cutter = Cutter { chars: text.chars().collect(), at: 0, line: 1 };
    let (mut tokens, mut comments) = (Vec::new(), Vec::new());
    while let Some(first) = cutter.peek(0) {
        let (line, start) = (cutter.line, cutter.at);
        let next = cutter.peek(1);
        if first.is_whitespace() {
            cutter.step();
            continue;
        }
        if first == '/' && matches!(next, Some('/' | '*')) {
            cutter.skip_comment();
            let text = cutter.since(start);
            let lines = text.lines().enumerate();
            comments.extend(lines.map(|(i, it)| Comment { text: it.to_owned(), line: line + i }));
            continue;
        }
        let text = if cutter.skip_literal() {
            "\"\"".to_owned()
        } else if is_word(first) {
            cutter.skip_while(is_word);
            cutter.since(start)
        } else if first == ':' && next == Some(':') {
            cutter.step();
            cutter.step();
            "::".to_owned()
        } else {
            cutter.step();
            first.to_string()
        };
        tokens.push(Token { text, line });
    }
    (tokens, comments)
}

struct Cutter {
    chars: Vec<char>,
    at: usize,
    line: usize,
}

impl Cutter {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn since(&self, start: usize) -> String {
        self.chars[start..self.at].iter().collect()
    }

    fn step(&mut self) {
        if self.peek(0) == Some('\n') {
            self.line += 1;
        }
        self.at = (self.at + 1).min(self.chars.len());
    }

    fn skip_while(&mut self, wanted: impl Fn(char) -> bool) {
        while self.peek(0).is_some_and(&wanted) {
            self.step();
        }
    }

    /// Block comments nest.
    fn skip_comment(&mut self) {
        if self.peek(1) == Some('/') {
            return self.skip_while(|c| c != '\n');
        }
        let mut depth = 0;
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some('/'), Some('*')) => depth += 1,
                (Some('*'), Some('/')) => depth -= 1,
                (None, _) => return,
                (Some(_), _) => {
                    self.step();
                    continue;
                }
            }
            self.step();
            self.step();
            if depth == 0 {
                return;
            }
        }
    }

    /// A string, a raw string, a character or a lifetime; false if here is none of them.
    fn skip_literal(&mut self) -> bool {
        let mut prefix = 0;
        while matches!(self.peek(prefix), Some('b' | 'c' | 'r')) && prefix < 2 {
            prefix += 1;
        }
        let raw = prefix > 0 && self.peek(prefix - 1) == Some('r');
        let mut hashes = 0;
        while raw && self.peek(prefix + hashes) == Some('#') {
            hashes += 1;
        }
        match self.peek(prefix + hashes) {
            Some('"') => {
                (0..=prefix + hashes).for_each(|_| self.step());
                self.skip_string(raw, hashes);
                true
            }
            Some('\'') if hashes == 0 && !raw => {
                (0..prefix).for_each(|_| self.step());
                self.skip_quote();
                true
            }
            _ => false,
        }
    }

    fn skip_string(&mut self, raw: bool, hashes: usize) {
        while let Some(c) = self.peek(0) {
            self.step();
            if c == '\\' && !raw {
                self.step();
            } else if c == '"' && (0..hashes).all(|i| self.peek(i) == Some('#')) {
                (0..hashes).for_each(|_| self.step());
                return;
            }
        }
    }

    /// `'a'` and `'\n'` are characters, `'a` is a lifetime.
    fn skip_quote(&mut self) {
        self.step();
        if self.peek(0) == Some('\\') {
            self.step();
            self.step();
            self.skip_while(|c| c != '\'');
            self.step();
        } else if self.peek(1) == Some('\'') {
            self.step();
            self.step();
        } else {
            self.skip_while(is_word);
        }
    }
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}
