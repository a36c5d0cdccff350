//! What a control client prints: answers between guards, notifications outside them. Bytes in,
//! events out; no I/O.

use super::PaneId;

/// No answer is larger: the whole history of a pane is a few MiB.
const ANSWER_MAX: usize = 64 * 1024 * 1024;

/// What tmux says without being asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notification {
    /// The client is being ended, with tmux's reason if it gave one.
    Exit(Option<String>),
    /// A window is gone, and its panes with it.
    WindowClosed(String),
    /// A session was made or destroyed.
    SessionsChanged,
    /// A pane went into copy mode, say, or came out.
    PaneModeChanged(PaneId),
    /// Anything else, as the line it came in.
    Other(String),
}

/// One thing said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Answer(Answer),
    Unasked(Notification),
}

/// The output of one command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// It belongs to a command that came in through this very client.
    pub(crate) ours: bool,
    /// tmux refused the command, and the body says why.
    pub(crate) refused: bool,
    /// The lines, joined by newlines.
    pub(crate) body: Vec<u8>,
}

/// The stream makes no sense: what followed could be taken for the answer to a wrong command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Garbled;

/// Reads the stream.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    line: Vec<u8>,
    open: Option<Block>,
}

#[derive(Debug)]
struct Block {
    /// Time, number and flags as they stood after `%begin`: they stand after `%end` again, so
    /// that a pane whose text looks like a guard does not end the answer.
    guard: Vec<u8>,
    body: Vec<u8>,
    lines: usize,
}

impl Reader {
    /// Takes the next bytes and says what they completed.
    pub(crate) fn feed(&mut self, bytes: &[u8], said: &mut Vec<Said>) -> Result<(), Garbled> {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.line.extend_from_slice(piece);
            if self.line.last() == Some(&b'\n') {
                self.line.pop();
                let line = std::mem::take(&mut self.line);
                said.extend(self.take(&line)?);
            } else if self.line.len() > ANSWER_MAX {
                return Err(Garbled);
            }
        }
        Ok(())
    }

    fn take(&mut self, line: &[u8]) -> Result<Option<Said>, Garbled> {
        let Some(mut block) = self.open.take() else {
            return self.take_outside(line);
        };
        let (end, refused) = (
            guarded(line, b"%end ") == Some(&block.guard[..]),
            guarded(line, b"%error ") == Some(&block.guard[..]),
        );
        if end || refused {
            let ours = block.guard.rsplit(|&byte| byte == b' ').next() == Some(b"1");
            return Ok(Some(Said::Answer(Answer { ours, refused, body: block.body })));
        }
        if block.lines > 0 {
            block.body.push(b'\n');
        }
        block.body.extend_from_slice(line);
        block.lines += 1;
        if block.body.len() > ANSWER_MAX {
            return Err(Garbled);
        }
        self.open = Some(block);
        Ok(None)
    }

    fn take_outside(&mut self, line: &[u8]) -> Result<Option<Said>, Garbled> {
        if let Some(guard) = guarded(line, b"%begin ") {
            self.open = Some(Block { guard: guard.to_vec(), body: Vec::new(), lines: 0 });
            return Ok(None);
        }
        let stray = [&b"%end "[..], b"%error "].iter().any(|mark| line.starts_with(mark));
        if stray || !line.starts_with(b"%") {
            return Err(Garbled);
        }
        Ok(Some(Said::Unasked(notification(&String::from_utf8_lossy(line)))))
    }
}

fn guarded<'a>(line: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    line.strip_prefix(mark)
}

fn notification(line: &str) -> Notification {
    let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
    match name {
        "%exit" => Notification::Exit((!rest.is_empty()).then(|| rest.to_owned())),
        "%window-close" | "%unlinked-window-close" => Notification::WindowClosed(rest.to_owned()),
        "%sessions-changed" => Notification::SessionsChanged,
        "%pane-mode-changed" => match PaneId::parse(rest) {
            Some(pane) => Notification::PaneModeChanged(pane),
            None => Notification::Other(line.to_owned()),
        },
        _ => Notification::Other(line.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, step: usize) -> Result<Vec<Said>, Garbled> {
        let (mut reader, mut said) = (Reader::default(), Vec::new());
        for bytes in text.as_bytes().chunks(step) {
            reader.feed(bytes, &mut said)?;
        }
        Ok(said)
    }

    fn answer(ours: bool, refused: bool, body: &str) -> Said {
        Said::Answer(Answer { ours, refused, body: body.into() })
    }

    #[test]
    fn answers_and_notifications_come_out_whatever_the_pieces_they_arrive_in() {
        let text = "%begin 7 258 0\n%end 7 258 0\n%session-changed $0 unit\n\
                    %begin 7 259 1\none\n\ntwo\n%end 7 259 1\n%window-close @3\n\
                    %begin 8 260 1\nparse error: no\n%error 8 260 1\n%exit\n%exit too slow\n";
        for step in [1, 2, 3, 7, 1000] {
            assert_eq!(
                read(text, step).unwrap(),
                [
                    answer(false, false, ""),
                    Said::Unasked(Notification::Other("%session-changed $0 unit".into())),
                    answer(true, false, "one\n\ntwo"),
                    Said::Unasked(Notification::WindowClosed("@3".into())),
                    answer(true, true, "parse error: no"),
                    Said::Unasked(Notification::Exit(None)),
                    Said::Unasked(Notification::Exit(Some("too slow".into()))),
                ]
            );
        }
    }

    #[test]
    fn a_screen_that_shows_guards_does_not_end_the_answer() {
        let text = "%begin 7 9 1\n%end 7 8 1\n%begin 7 10 1\n%error 6 9 1\n%end 7 9 1\n";
        let body = "%end 7 8 1\n%begin 7 10 1\n%error 6 9 1";
        assert_eq!(read(text, 5).unwrap(), [answer(true, false, body)]);
    }

    #[test]
    fn an_answer_of_one_empty_line_and_of_none_are_both_empty() {
        assert_eq!(read("%begin 1 1 1\n\n%end 1 1 1\n", 9).unwrap(), [answer(true, false, "")]);
    }

    #[test]
    fn a_forged_guard_is_noticed_by_what_follows_it() {
        assert_eq!(read("%begin 7 9 1\n%end 7 9 1\nrest of the screen\n", 99), Err(Garbled));
        assert_eq!(read("%begin 7 9 1\n%end 7 9 1\n%end 7 9 1\n", 99), Err(Garbled));
    }
}
