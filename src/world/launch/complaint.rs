//! The last words of an `exec-unit` that could not: one line that is on the pane before the
//! process ends.

use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::read;

/// tmux answers in well under a millisecond; without an answer the line may be lost, no more.
const SEEN_CEILING_MS: u16 = 500;

/// Asks a terminal where its cursor is. It answers when it has drawn all that came before.
const WHERE_IS_THE_CURSOR: &[u8] = b"\x1b[6n";

/// An error with all its causes.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a String cannot fail.
        let _written = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

/// Writes `line` and waits until the terminal has drawn it: tmux drops what it has not read when
/// it learns of a death.
pub(super) fn show(line: &str) {
    let mut stderr = io::stderr().lock();
    // There is nobody else to tell.
    let _written = stderr.write_all(format!("{line}\r\n").as_bytes());
    let stdin = io::stdin();
    if !stdin.is_terminal() || !io::stderr().is_terminal() {
        return;
    }
    let Ok(before) = tcgetattr(stdin.as_fd()) else {
        return;
    };
    let mut raw = before.clone();
    cfmakeraw(&mut raw);
    if tcsetattr(stdin.as_fd(), SetArg::TCSANOW, &raw).is_err() {
        return;
    }
    if stderr.write_all(WHERE_IS_THE_CURSOR).is_ok() {
        wait_for_answer();
    }
    let _restored = tcsetattr(stdin.as_fd(), SetArg::TCSANOW, &before);
}

fn wait_for_answer() {
    let stdin = io::stdin();
    let mut byte = [0];
    loop {
        let mut ready = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        match poll(&mut ready, PollTimeout::from(SEEN_CEILING_MS)) {
            Ok(1..) => {}
            _ => return,
        }
        // The answer ends with an R. It is read past the buffer of `Stdin`, which poll cannot see.
        match read(stdin.as_fd(), &mut byte) {
            Ok(1) if byte != *b"R" => {}
            _ => return,
        }
    }
}
