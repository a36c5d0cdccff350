//! Keeps the logs of services from filling the disk: a task that sleeps until one of them has
//! grown.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use tokio::sync::mpsc;

use super::told::chain;
use crate::config::Config;
use crate::world::logs::{self, LogKeeper, Rotation};

/// Where the task hears of logs.
pub(super) struct LogKeeping {
    watched: RefCell<BTreeSet<std::path::PathBuf>>,
    tell: mpsc::UnboundedSender<std::path::PathBuf>,
    punching: bool,
    max: u64,
    keep: u32,
}

impl LogKeeping {
    /// Starts the task.
    pub(super) fn begin(config: &Config) -> io::Result<Self> {
        let (max, keep) = (config.supervisor.log_max, config.supervisor.log_keep);
        let keeper = LogKeeper::new(max, keep)?;
        let (tell, told) = mpsc::unbounded_channel();
        tokio::task::spawn_local(run(keeper, told));
        let folder = config.supervisor.state_dir.join("logs");
        let punching = logs::supports_punching(&folder);
        if !punching {
            tracing::warn!(
                folder = %folder.display(),
                "no holes can be punched there: a log is rotated only when its service starts"
            );
        }
        Ok(Self { watched: RefCell::default(), tell, punching, max, keep })
    }

    /// A service is about to write to this log, which need not be there yet. Nobody writes to it
    /// now.
    pub(super) fn before_start(&self, log: &Path) {
        if self.punching {
            return;
        }
        if let Err(error) = logs::begin_anew(log, self.max, self.keep) {
            tracing::warn!("{}", chain(&error));
        }
    }

    /// A service writes to this log.
    pub(super) fn watch(&self, log: &Path) {
        if self.punching && self.watched.borrow_mut().insert(log.to_owned()) {
            // The task ends only with the daemon.
            let _ = self.tell.send(log.to_owned());
        }
    }
}

async fn run(mut keeper: LogKeeper, mut told: mpsc::UnboundedReceiver<std::path::PathBuf>) {
    let (done, mut rotated) = mpsc::unbounded_channel::<Rotation>();
    loop {
        tokio::select! {
            log = told.recv() => match log {
                Some(log) => {
                    if let Err(error) = keeper.watch(&log) {
                        tracing::warn!("{}", chain(&error));
                    }
                }
                None => return,
            },
            Some(rotation) = rotated.recv() => keeper.rotated(&rotation),
            () = keeper.due() => {
                let (rotations, errors) = keeper.check();
                errors.iter().for_each(|error| tracing::warn!("{}", chain(error)));
                for rotation in rotations {
                    let done = done.clone();
                    // Copying blocks for as long as the disk needs.
                    tokio::task::spawn_blocking(move || {
                        if let Err(error) = rotation.run() {
                            tracing::warn!("{}", chain(&error));
                        }
                        let _ = done.send(rotation);
                    });
                }
            }
        }
    }
}
