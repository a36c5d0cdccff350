//! The end of a session's program: noticed, explained, and its last screen kept.

use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::{LAST_WORDS_CEILING, Session};
use crate::daemon::told::chain;
use crate::decide::{Event, Exit, Process};
use crate::world::tmux::{ControlError, LastWords};
use crate::world::{clock, screens};

/// Whoever types sees within this time that the program has ended.
const TYPING_CEILING: Duration = Duration::from_millis(500);

impl Session {
    pub(super) fn watch(self: &Rc<Self>, process: Process, handle: OwnedFd) {
        let this = Rc::clone(self);
        self.watched.watch(process, handle, async move |handle| {
            let unit = this.unit.name.clone();
            // The text may be what has ended it; that it arrived is told first.
            let _ = tokio::time::timeout(TYPING_CEILING, this.typing.lock()).await;
            // The kernel knows without a word from tmux, unless it is an old one and tmux was
            // faster. Then the next life is begun while the last screen is on its way: both go
            // over the one connection, in this order.
            let exit = this.shared.reaper.borrow_mut().exit_of(process, Some(&handle));
            let exit = this.watched.told_apart(exit);
            // An agent that ends by itself may say why it could not begin.
            let may_complain = this.profile.is_some() && !matches!(exit, Exit::Signal(_));
            if exit != Exit::Unknown && !may_complain {
                let keeping = Arc::clone(&this.keeping).try_lock_owned();
                this.shared.post(Event::Exited { unit, process, exit });
                tokio::task::spawn_local(async move {
                    let words = this.last_words(process.pid).await;
                    this.keep(process.pid, &LastWords { exit, ..words });
                    drop(keeping);
                });
                return;
            }
            let mut words = this.last_words(process.pid).await;
            words.exit = match exit {
                Exit::Unknown => this.watched.told_apart(words.exit),
                Exit::Code(_) | Exit::Signal(_) | Exit::OutOfMemory => exit,
            };
            this.complain(process, &words);
            this.shared.post(Event::Exited { unit, process, exit: words.exit });
            this.keep(process.pid, &words);
        });
    }

    /// How a program ended, as far as tmux knows, and everything it showed.
    pub(super) async fn last_words(self: &Rc<Self>, pid: i32) -> LastWords {
        let asked = async {
            let tmux = self.shared.tmux.as_ref()?;
            // A connection shows that it has ended only when it is used.
            for _ in 0..2 {
                self.connect(tmux).await.ok()?;
                match self.server()?.last_words(pid).await {
                    Err(ControlError::Closed) => {}
                    other => return other.ok(),
                }
            }
            None
        };
        let answer = tokio::time::timeout(LAST_WORDS_CEILING, asked).await.ok().flatten();
        answer.unwrap_or(LastWords { exit: Exit::Unknown, screen: None })
    }

    /// Puts the last screen into the session's log, for `logs`. On a thread of its own: the next
    /// life need not wait for the disk.
    pub(super) fn keep(&self, pid: i32, words: &LastWords) {
        let LastWords { exit, screen: Some(screen) } = words else { return };
        let at = clock::rfc3339(clock::now().wall);
        let text = format!("--- pid {pid} {exit} at {at}; its screen was:\n{screen}\n");
        let (unit, log) = (self.unit.name.clone(), self.shared.log_path(&self.unit.name));
        self.shared.logs.before_start(&log);
        self.shared.logs.watch(&log);
        tokio::task::spawn_blocking(move || {
            if let Err(error) = screens::keep(&log, &text) {
                tracing::warn!(%unit, error = chain(&error), "the last screen is lost");
            }
        });
    }

    pub(super) async fn ended_at_once(self: &Rc<Self>, pid: i32) -> String {
        let words = self.last_words(pid).await;
        self.keep(pid, &words);
        let (exit, name) = (words.exit, &self.unit.name);
        format!("it {exit} at once; `supervisor logs {name}` shows its screen")
    }

    /// Passes on what a program says before it ends, if that calls for another start than usual.
    fn complain(&self, process: Process, words: &LastWords) {
        let (Some(profile), Some(screen)) = (self.profile, &words.screen) else { return };
        if let Some(complaint) = profile.complaint(screen) {
            let why = complaint.to_string();
            let unit = self.unit.name.clone();
            self.shared.post(Event::Complained { unit, process, about: complaint, why });
        }
    }
}
