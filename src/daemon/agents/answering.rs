//! Answering a dialog that a session is at. A key goes in only while the very dialog is seen; then
//! it is seen to be gone. Not here: which dialog is answered, and how.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::Known;
use super::typing::{in_registry, see};
use crate::agents::{Choice, Profile, ScreenReading, ScreenText};
use crate::daemon::told::chain;
use crate::decide::{Answer, Dialog, Doing, Process};
use crate::world::tmux::{ControlError, Server};

/// All of it takes a second; a terminal that needs longer hangs.
const CEILING: Duration = Duration::from_secs(25);
/// A mark has moved, and a dialog has gone, within this time of the key.
const SEEN_CEILING: Duration = Duration::from_secs(3);
/// Between two looks at the screen.
const PAUSE: Duration = Duration::from_millis(50);
/// No dialog has more options.
const MOVES_MAX: usize = 12;

/// Who answers at the terminal of one session.
pub(in crate::daemon) struct Hand<'a> {
    pub(in crate::daemon) server: Rc<Server>,
    pub(in crate::daemon) known: &'a Known,
    pub(in crate::daemon) process: Process,
    pub(in crate::daemon) directory: Option<&'a Path>,
}

#[derive(Debug, thiserror::Error)]
enum NotAnswered {
    #[error("{0}")]
    Because(String),
    #[error("its terminal")]
    Terminal(#[from] ControlError),
}

impl Hand<'_> {
    /// Answers the dialog that the session is at, if it is still that one.
    ///
    /// # Errors
    /// Why no dialog was answered, or why nobody knows whether one was.
    pub(in crate::daemon) async fn answer(
        &self,
        dialog: Dialog,
        answer: Answer,
    ) -> Result<(), String> {
        let answered = async {
            match (answer, dialog) {
                (Answer::Escape, Dialog::Permission | Dialog::Question) => {
                    self.escape(dialog).await
                }
                (Answer::Wait, Dialog::Limit) => self.wait_for_the_limit().await,
                // Escape ends a start, and nobody knows what it does to what is not known.
                (Answer::Escape | Answer::Wait, _) => Err(because("no such dialog is answered so")),
            }
        };
        match timeout(CEILING, answered).await {
            Ok(answered) => answered.map_err(|error| chain(&error)),
            Err(_) => Err("its terminal did not answer in time".to_owned()),
        }
    }

    /// What is asked in the middle of a turn, by the program or by the agent, stands in one of two
    /// boxes; which of them a plan is, the channels do not agree on.
    async fn escape(&self, dialog: Dialog) -> Result<(), NotAnswered> {
        let is_asked = |it: &Dialog| matches!(it, Dialog::Permission | Dialog::Question);
        let seen = self.see().await?;
        let shown = shown(&seen).filter(is_asked);
        let shown = shown.ok_or_else(|| because(&format!("not there any more: {}", seen.why)))?;
        let listed = match in_registry(self.known, self.process) {
            Some((Doing::Dialog(listed), _)) => Some(listed).filter(is_asked),
            Some((Doing::Working | Doing::Idle | Doing::Failed(_), _)) | None => None,
        };
        let listed = listed.ok_or_else(|| because("its registry does not say that it asks"))?;
        if shown != dialog && listed != dialog {
            return Err(because("it asks something else by now"));
        }
        self.server.send_key("Escape").await?;
        self.is_gone().await
    }

    /// The mark is moved to the option that waits, and Enter pressed when it is seen to stand there.
    async fn wait_for_the_limit(&self) -> Result<(), NotAnswered> {
        if let Some((Doing::Working, evidence)) = in_registry(self.known, self.process) {
            return Err(because(&format!("it is in a turn ({evidence})")));
        }
        let first = self.choice().await?;
        let mut choice = first.clone();
        for _ in 0..MOVES_MAX {
            let key = match (choice.above, choice.below) {
                (0, 0) => {
                    self.server.send_key("Enter").await?;
                    return self.is_gone().await;
                }
                (0, _) => "Down",
                (_, _) => "Up",
            };
            self.server.send_key(key).await?;
            choice = self.moved(&choice).await?;
            if choice.text != first.text {
                return Err(because("its options changed while the mark was moved"));
            }
        }
        Err(because("the mark does not come to stand on the option that waits"))
    }

    /// Where the mark stands once it has moved. A screen that is half drawn says nothing.
    async fn moved(&self, from: &Choice) -> Result<Choice, NotAnswered> {
        let deadline = Instant::now() + SEEN_CEILING;
        loop {
            let choice = self.choice().await;
            let late = Instant::now() >= deadline;
            match choice {
                Ok(choice) if choice != *from => return Ok(choice),
                Ok(_) if late => return Err(because("its mark does not move")),
                Err(error @ NotAnswered::Because(_)) if late => return Err(error),
                Err(error @ NotAnswered::Terminal(_)) => return Err(error),
                Ok(_) | Err(NotAnswered::Because(_)) => sleep(PAUSE).await,
            }
        }
    }

    async fn choice(&self) -> Result<Choice, NotAnswered> {
        let choice = self.look(|profile, screen| profile.waiting(screen)).await?;
        choice.map_err(NotAnswered::Because)
    }

    /// Waits until no dialog is seen, twice: between two of them the screen may be half drawn.
    async fn is_gone(&self) -> Result<(), NotAnswered> {
        let deadline = Instant::now() + SEEN_CEILING;
        let mut gone = false;
        loop {
            sleep(PAUSE).await;
            let seen = self.see().await?;
            let before = std::mem::replace(&mut gone, shown(&seen).is_none());
            if before && gone {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(because(&format!(
                    "a key was pressed, and still there is {}",
                    seen.why
                )));
            }
        }
    }

    async fn see(&self) -> Result<ScreenReading, ControlError> {
        self.look(|profile, screen| profile.screen(screen)).await
    }

    async fn look<T>(
        &self,
        read: impl FnOnce(&dyn Profile, &ScreenText<'_>) -> T,
    ) -> Result<T, ControlError> {
        see(&self.server, self.known, self.directory, read).await
    }
}

/// The dialog that a screen shows.
fn shown(seen: &ScreenReading) -> Option<Dialog> {
    match seen.shows.doing() {
        Some(Doing::Dialog(dialog)) => Some(dialog),
        Some(Doing::Working | Doing::Idle | Doing::Failed(_)) | None => None,
    }
}

fn because(why: &str) -> NotAnswered {
    NotAnswered::Because(why.to_owned())
}

#[cfg(test)]
mod tests;
