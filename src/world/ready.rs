//! Waiting for the line by which a service says that it is ready. The offset can be saved, so
//! that a successor goes on where this one was. Not here: how long that may take.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::inotify::{AsyncWatcher, WatchMask};
use super::logs::Reader;

/// How much is read at a time.
const BLOCK: usize = 64 * 1024;

/// Between two looks where the kernel cannot tell: no inotify instance, or no log yet.
const LOOK: Duration = Duration::from_millis(250);

/// Looks for a text in what is written to a log after an offset. The text may come in any number
/// of writes, in a line of any length, and the line need not have ended.
#[derive(Debug)]
pub struct ReadyWatch {
    path: PathBuf,
    text: Vec<u8>,
    reader: Reader,
    /// The end of what was read: shorter than the text.
    rest: Vec<u8>,
    watcher: Option<AsyncWatcher>,
    watched: bool,
}

impl ReadyWatch {
    /// For `text` after `offset` in the log at `path`.
    pub fn new(path: &Path, offset: u64, text: &str) -> Self {
        Self {
            path: path.into(),
            text: text.as_bytes().into(),
            reader: Reader::new(path, offset),
            rest: Vec::new(),
            // The user's instances may be used up; then we look by the clock.
            watcher: AsyncWatcher::new().ok(),
            watched: false,
        }
    }

    /// Where a successor must go on.
    pub fn offset(&self) -> u64 {
        self.reader.offset() - self.rest.len() as u64
    }

    /// Looks at what there is; answers the offset after the text, if it is there.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn scan_now(&mut self) -> io::Result<Option<u64>> {
        let mut block = vec![0; BLOCK];
        loop {
            let before = self.reader.offset();
            let n = self.reader.read(&mut block)?;
            let begin = self.reader.offset() - n as u64;
            if begin != before {
                // The log was begun anew, or a part is gone: no line goes over that.
                self.rest.clear();
            }
            self.rest.extend_from_slice(&block[..n]);
            let found = self.rest.windows(self.text.len().max(1)).position(|w| w == self.text);
            if let Some(at) = found.or(self.text.is_empty().then_some(0)) {
                return Ok(Some(self.offset() + (at + self.text.len()) as u64));
            }
            if n == 0 {
                return Ok(None);
            }
            let keep = self.text.len().saturating_sub(1).min(self.rest.len());
            self.rest.drain(..self.rest.len() - keep);
        }
    }

    /// Waits until the text is there; for ever, if it does not come: the caller has the deadline.
    /// Answers the offset after it. Cancel-safe.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn found(&mut self) -> io::Result<u64> {
        loop {
            // Watched before it is looked at, so that no change falls between.
            self.watch();
            if let Some(at) = self.scan_now()? {
                return Ok(at);
            }
            match &mut self.watcher {
                Some(watcher) if self.watched => drop(watcher.changed().await?),
                Some(_) | None => tokio::time::sleep(LOOK).await,
            }
        }
    }

    fn watch(&mut self) {
        if let Some(watcher) = &mut self.watcher
            && !self.watched
        {
            self.watched = watcher.add(&self.path, WatchMask::MODIFY).is_ok();
        }
    }
}

#[cfg(test)]
mod tests;
