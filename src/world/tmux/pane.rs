//! The one pane of a server: what it is doing, what it shows, what runs in it, and single keys.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use tmux_interface::{
    CapturePane, ClearHistory, CopyMode, DisplayMessage, Formats, RespawnPane, SendKeys,
    TmuxCommand,
};
use tokio::time::sleep;

use super::control::ControlError;
use super::quote::Words;
use super::{Server, process};
use crate::decide::{Exit, Process};

/// How often tmux is asked how a program ended: 1, 2, 4 … ms between, half a second in all.
const EXIT_LOOKS: u32 = 10;

/// The program in a pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaneProgram {
    /// Its pid, as tmux says.
    pub pid: i32,
    /// The same with its start time; `None` if it had ended, and tmux had reaped it, before
    /// anybody could look. Then [`Server::last_words`] still says how.
    pub process: Option<Process>,
}

impl PaneProgram {
    pub(super) fn look(pid: i32, server: Process) -> Self {
        Self { pid, process: process::identify_child(pid, server) }
    }
}

/// What is left of a program that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastWords {
    /// How it ended.
    pub exit: Exit,
    /// All it has shown, what has scrolled away included; `None` if the pane is another's by now.
    pub screen: Option<String>,
}

/// A pane as tmux sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaneState {
    /// The pid of the program, dead or alive.
    pub pid: i32,
    /// Its terminal is closed. True also of a living program that closed it.
    pub dead: bool,
    /// How the program ended, if it did and tmux knows.
    pub exit: Option<Exit>,
    /// Where the cursor is.
    pub cursor: Cursor,
    /// A person is scrolling in it, say: keys would not reach the program.
    pub in_mode: bool,
}

/// A cursor in cells, from 0 at the top left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Cells to its left.
    pub column: usize,
    /// Lines above it.
    pub row: usize,
    /// The program shows it. One that draws its own may have left it anywhere.
    pub shown: bool,
}

impl Server {
    /// Looks at the pane.
    ///
    /// # Errors
    /// [`ControlError`].
    pub async fn state(&self) -> Result<PaneState, ControlError> {
        let answer = self.control.command(self.state_words()).await?;
        read_state(&answer)
    }

    /// How the program `pid` ended, and everything it showed. To be asked when its pidfd has fired:
    /// tmux before 3.6 loses one in ten notices of a child's death, and a SIGCHLD sent to it makes
    /// it look again. [`Exit::Unknown`] if the pane runs something else by now, or tmux cannot tell.
    ///
    /// # Errors
    /// [`ControlError`].
    pub async fn last_words(&self, pid: i32) -> Result<LastWords, ControlError> {
        let (mut look, mut seen) = (0, None);
        loop {
            self.remind_of_children();
            let (state, screen) = self.look(true).await?;
            if state.pid != pid {
                // Respawned between two looks, by somebody who knew of the death already.
                return Ok(LastWords { exit: Exit::Unknown, screen: seen });
            }
            look += 1;
            seen = Some(screen);
            if state.exit.is_some() || look == EXIT_LOOKS {
                let exit = state.exit.unwrap_or(Exit::Unknown);
                return Ok(LastWords { exit, screen: seen });
            }
            sleep(Duration::from_millis(1 << (look - 1))).await;
        }
    }

    /// What the pane shows, trailing blanks removed: with `history` everything that has scrolled
    /// away too, with `joined` each line that was wrapped by the terminal in one piece.
    ///
    /// # Errors
    /// [`ControlError`].
    pub async fn capture(&self, history: bool, joined: bool) -> Result<String, ControlError> {
        let answer = self.control.command(self.capture_words(history, joined)).await?;
        Ok(read_screen(&answer))
    }

    /// Runs `argv` (at least two words, or tmux would hand the one to a shell) in the pane. The
    /// last screen and all that has scrolled away are forgotten, so that the program begins with an
    /// empty pane. A program that still runs there only gets a SIGHUP: see first that it is gone.
    ///
    /// # Errors
    /// [`ControlError`].
    pub async fn respawn(
        &self,
        argv: &[OsString],
        directory: Option<&Path>,
    ) -> Result<PaneProgram, ControlError> {
        let forget = ClearHistory::new().target_pane(self.pane().to_string());
        let respawn = RespawnPane::new().kill().target_pane(self.pane().to_string());
        let mut words = Words::from(respawn.build());
        if let Some(directory) = directory {
            words = words.and(["-c".into(), escape_format(directory)]);
        }
        let mut format = Formats::new();
        format.pane_pid();
        let ask = self.print(&format.to_string());
        let commands = vec![forget.build().into(), words.and(["--"]).and(argv), ask];
        let answers = self.control.sequence(commands).await?;
        let answer = answers.last().map(|answer| String::from_utf8_lossy(answer).into_owned());
        let answer = answer.unwrap_or_default();
        let Ok(pid) = answer.trim().parse() else {
            return Err(strange(answer));
        };
        let program = PaneProgram::look(pid, self.process());
        self.program.set(program);
        Ok(program)
    }

    /// Types `text` as it stands; no part of it is taken for the name of a key.
    ///
    /// # Errors
    /// [`ControlError`].
    pub async fn send_literal(&self, text: &str) -> Result<(), ControlError> {
        let keys = SendKeys::new().disable_lookup().target_pane(self.pane().to_string());
        self.send(Words::from(keys.build()).and(["--", text])).await
    }

    /// Presses the key that tmux calls `name`: `Enter`, `Escape`, `C-u`.
    ///
    /// # Errors
    /// [`ControlError`].
    pub async fn send_key(&self, name: &str) -> Result<(), ControlError> {
        let keys = SendKeys::new().target_pane(self.pane().to_string());
        self.send(Words::from(keys.build()).and(["--", name])).await
    }

    /// Whatever mode the pane is in is left in the same breath: there, keys are commands to tmux.
    async fn send(&self, keys: Words) -> Result<(), ControlError> {
        let leave = CopyMode::new().cancel().target_pane(self.pane().to_string());
        self.control.sequence(vec![leave.build().into(), keys]).await?;
        Ok(())
    }

    /// The screen, one string per row, and the state of the same moment.
    pub(super) async fn look(&self, history: bool) -> Result<(PaneState, String), ControlError> {
        let commands = vec![self.state_words(), self.capture_words(history, false)];
        let answers = self.control.sequence(commands).await?;
        let [state, screen] = &answers[..] else {
            return Err(strange(String::new()));
        };
        Ok((read_state(state)?, read_screen(screen)))
    }

    fn state_words(&self) -> Words {
        let mut format = Formats::new();
        format.separator(',').pane_pid().pane_dead().pane_dead_status();
        format.cursor_x().cursor_y().cursor_flag().pane_in_mode();
        self.print(&format!("{format},#{{pane_dead_signal}}"))
    }

    /// The pane and what it shows, colours as escape sequences: by these a suggestion is told
    /// from what a person typed.
    ///
    /// # Errors
    /// [`ControlError`].
    pub async fn sight(&self) -> Result<(PaneState, String), ControlError> {
        let capture = CapturePane::new().stdout().target_pane(self.pane().to_string());
        let capture = capture.escape_sequences().build().into();
        let answers = self.control.sequence(vec![self.state_words(), capture]).await?;
        let [state, screen] = &answers[..] else {
            return Err(strange(String::new()));
        };
        Ok((read_state(state)?, read_screen(screen)))
    }

    fn capture_words(&self, history: bool, joined: bool) -> Words {
        let mut capture = CapturePane::new().stdout().target_pane(self.pane().to_string());
        if history {
            capture = capture.start_line("-");
        }
        if joined {
            capture = capture.join();
        }
        capture.build().into()
    }

    fn print(&self, format: &str) -> Words {
        print(&self.pane().to_string(), format).into()
    }

    fn remind_of_children(&self) {
        if let Ok(Some(pidfd)) = process::open(self.process()) {
            // A server that is gone needs no reminding, and the next command will say so.
            let _unsent = process::signal(&pidfd, Signal::CHILD);
        }
    }
}

/// `display-message` that prints `format` as it holds for `target`.
pub(super) fn print<'a>(target: &str, format: &str) -> TmuxCommand<'a> {
    DisplayMessage::new().print().target_pane(target.to_owned()).message(format.to_owned()).build()
}

/// tmux expands formats in a directory's name.
fn escape_format(directory: &Path) -> OsString {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let mut bytes = Vec::new();
    for &byte in directory.as_os_str().as_bytes() {
        if byte == b'#' {
            bytes.push(b'#');
        }
        bytes.push(byte);
    }
    OsString::from_vec(bytes)
}

fn read_screen(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer);
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n").trim_end_matches('\n').to_owned()
}

fn read_state(answer: &[u8]) -> Result<PaneState, ControlError> {
    let text = String::from_utf8_lossy(answer);
    parse_state(&text).ok_or_else(|| strange(text.into_owned()))
}

fn strange(answer: String) -> ControlError {
    ControlError::Strange { command: "display-message".to_owned(), answer }
}

fn parse_state(text: &str) -> Option<PaneState> {
    let fields: Vec<&str> = text.trim_end().split(',').collect();
    let &[pid, dead, status, column, row, shown, in_mode, signal] = &fields[..] else {
        return None;
    };
    let exit = match (status, signal) {
        ("", "") => None,
        ("", signal) => Some(parse_signal(signal).map_or(Exit::Unknown, Exit::Signal)),
        (status, _) => Some(Exit::Code(status.parse().ok()?)),
    };
    Some(PaneState {
        pid: pid.parse().ok()?,
        dead: dead == "1",
        exit,
        cursor: Cursor {
            column: column.parse().ok()?,
            row: row.parse().ok()?,
            shown: shown == "1",
        },
        in_mode: !matches!(in_mode, "" | "0"),
    })
}

/// A number, or the name without `SIG`, as the platform's tmux has it.
fn parse_signal(text: &str) -> Option<i32> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let name = format!("SIG{}", text.trim_start_matches("SIG").to_ascii_uppercase());
    name.parse::<nix::sys::signal::Signal>().ok().map(|signal| signal as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(text: &str) -> Option<Exit> {
        parse_state(text).unwrap().exit
    }

    #[test]
    fn the_state_of_a_pane_is_read_field_by_field() {
        let alive = parse_state("41,0,,7,3,1,0,\n").unwrap();
        let cursor = Cursor { column: 7, row: 3, shown: true };
        let expected = PaneState { pid: 41, dead: false, exit: None, cursor, in_mode: false };
        assert_eq!(alive, expected);
        assert!(parse_state("41,0,,7,3,0,1,").unwrap().in_mode);
        assert_eq!(parse_state("41,0,,7"), None);
        assert_eq!(parse_state("x,0,,7,3,1,0,"), None);
    }

    #[test]
    fn an_exit_is_a_code_or_a_signal_by_number_or_by_name_or_not_known() {
        assert_eq!(exit("41,1,3,0,0,1,0,"), Some(Exit::Code(3)));
        assert_eq!(exit("41,1,,0,0,1,0,9"), Some(Exit::Signal(9)));
        assert_eq!(exit("41,1,,0,0,1,0,kill"), Some(Exit::Signal(9)));
        assert_eq!(exit("41,1,,0,0,1,0,SIGTERM"), Some(Exit::Signal(15)));
        assert_eq!(exit("41,1,,0,0,1,0,nonsense"), Some(Exit::Unknown));
        assert_eq!(exit("41,1,,0,0,1,0,"), None);
    }
}
