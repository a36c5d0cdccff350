//! One file of one repository that is looked at, and when a look says nothing. Not here: what is made
//! of what it says.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::daemon::told::chain;
use crate::world::git::{self, Ask, Reader, Reading, Tips, Wanted};

/// A rebase takes seconds; one that a person has to resolve is told after this time.
const HALF_DONE: Duration = Duration::from_secs(10 * 60);

/// A repository that can be looked at: a clone, or a mirror of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    /// Which commits are looked at.
    pub(super) tips: Tips,
}

impl Place {
    /// It is one of ours, of a remote.
    pub(super) fn is_mirror(&self) -> bool {
        self.tips != Tips::Clone
    }
}

/// A file there.
pub(super) struct Source {
    pub(super) place: Place,
    reader: Reader,
    /// Since when a rebase or a merge is half done.
    half_done: Option<Instant>,
}

impl Source {
    pub(super) fn new(place: &Place, file: &str, wanted: Wanted, working: bool) -> Self {
        let (repo, file, tips) = (place.path.clone(), file.to_owned(), place.tips.clone());
        let working = working && !place.is_mirror();
        let reader = Reader::new(Ask { repo, file, tips, wanted, working });
        Self { place: place.clone(), reader, half_done: None }
    }

    /// Looks; none if that says nothing: a remote that was never fetched is told of where it is
    /// fetched, and what is half done is looked at when it is over.
    ///
    /// # Errors
    /// Nobody could look, or it is half done for long.
    pub(super) fn read(&mut self) -> Result<Option<Reading>, String> {
        if self.place.is_mirror() && !git::mirror::was_fetched(&self.place.path) {
            return Ok(None);
        }
        let reading = self.reader.read().map_err(|error| chain(&error))?;
        if reading.settled {
            self.half_done = None;
            return Ok(Some(reading));
        }
        let since = *self.half_done.get_or_insert_with(Instant::now);
        if since.elapsed() >= HALF_DONE {
            let place = self.place.path.display();
            return Err(format!(
                "a rebase or a merge is half done in {place}: end it, or abort it"
            ));
        }
        Ok(None)
    }
}
