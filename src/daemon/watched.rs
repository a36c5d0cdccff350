//! Tasks of which there is one at a time, and the process that is being watched.

use std::cell::RefCell;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use tokio::task::JoinHandle;

use crate::decide::{Exit, Process};
use crate::world::oom::OomCount;

/// At most one task at a time: a new one ends the one before.
#[derive(Default)]
pub(super) struct Slot(RefCell<Option<JoinHandle<()>>>);

impl Slot {
    pub(super) fn run(&self, task: impl Future<Output = ()> + 'static) {
        let new = tokio::task::spawn_local(task);
        if let Some(old) = self.0.borrow_mut().replace(new) {
            old.abort();
        }
    }

    pub(super) fn stop(&self) {
        if let Some(old) = self.0.borrow_mut().take() {
            old.abort();
        }
    }
}

/// The process that is being watched, so that whoever ends it can wait for its exit to be told.
pub(super) struct Watched {
    now: tokio::sync::watch::Sender<Option<Process>>,
    /// How often the kernel had killed for memory when the life began.
    memory: RefCell<Option<OomCount>>,
    slot: Slot,
}

impl Default for Watched {
    fn default() -> Self {
        Self {
            now: tokio::sync::watch::Sender::new(None),
            memory: RefCell::default(),
            slot: Slot::default(),
        }
    }
}

impl Watched {
    pub(super) fn is(&self, process: Process) -> bool {
        *self.now.borrow() == Some(process)
    }

    /// Runs `tell` when the handle says that the process has ended.
    pub(super) fn watch(
        self: &Rc<Self>,
        process: Process,
        pidfd: OwnedFd,
        tell: impl AsyncFnOnce(OwnedFd) + 'static,
    ) {
        if self.is(process) {
            return;
        }
        self.now.send_replace(Some(process));
        self.memory.replace(OomCount::of(process.pid));
        let this = Rc::clone(self);
        self.slot.run(async move {
            if let Err(error) = crate::world::pidfd::exited(&pidfd).await {
                // Without the handle nothing would ever be noticed again; systemd starts us anew.
                tracing::error!(pid = process.pid, %error, "cannot watch a process");
                std::process::abort();
            }
            tell(pidfd).await;
            this.now.send_if_modified(|now| now.take_if(|it| *it == process).is_some());
        });
    }

    /// A kill by the kernel because memory ran out is told from others.
    pub(super) fn told_apart(&self, exit: Exit) -> Exit {
        self.memory.borrow().as_ref().map_or(exit, |count| count.tell_apart(exit))
    }

    /// Waits until no process is watched: the exit of the last one has been told.
    pub(super) async fn told(&self) {
        let mut now = self.now.subscribe();
        // The sender lives as long as we do.
        let _ = now.wait_for(Option::is_none).await;
    }
}
