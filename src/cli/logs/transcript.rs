//! A session's transcript as text, where its agent has one.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context as _;

use super::super::args::Lines;
use super::super::client::{AT_ONCE, Client};
use super::super::failure::Failure;
use super::super::render::put_raw;
use super::start_of_last;
use crate::agents::{Places, Profile, profile};
use crate::config::{Config, Program, Unit};
use crate::daemon::environment_of;
use crate::world::logs::Follower;
use crate::world::tail::{Stretch, last_lines};
use crate::world::transcripts;

/// So many times as many records are looked at as lines are wanted: most are book-keeping.
const RECORDS_PER_LINE: usize = 4;

/// A longer record is passed over, in bytes.
const RECORD_MAX: usize = 32 << 20;

/// How much is read at a time, in bytes.
const BLOCK: usize = 256 * 1024;

/// A transcript, and who can read it.
pub(super) struct Transcript {
    file: PathBuf,
    profile: &'static dyn Profile,
}

impl Transcript {
    /// That of the session's conversation, if the daemon knows which that is, else the newest of its
    /// directory; none for a session that has said nothing yet, or whose program keeps none.
    pub(super) fn of(config: &Config, client: &Client, name: &str) -> Option<Self> {
        let unit = config.units.values().find(|unit| unit.name.as_str() == name)?;
        let Program::Agent { agent, .. } = &unit.program else {
            return None;
        };
        let profile = profile(*agent);
        let places = places(unit, profile)?;
        let known = client.status(AT_ONCE).ok().and_then(|status| {
            let mut units = status.units.into_iter();
            units.find(|unit| unit.name == name)?.conversation
        });
        let file = match known {
            Some(conversation) => of_conversation(profile, &places, &conversation),
            None => newest(profile, &places, unit),
        };
        Some(Self { file: file?, profile })
    }

    /// Prints its last lines, and what is added if asked to.
    pub(super) fn show(&self, lines: Lines, follow: bool) -> Result<(), Failure> {
        let shown = self.file.display();
        let cannot = || format!("cannot read {shown}");
        let (mut records, end) = match lines {
            Lines(usize::MAX) => self.put_all().with_context(cannot)??,
            Lines(lines) => self.put_last(lines).with_context(cannot)??,
        };
        if !follow {
            return Ok(());
        }
        let cannot = || format!("cannot follow {shown}");
        for piece in Follower::new(&self.file, end).with_context(cannot)? {
            put_raw(self.text(&mut records, &piece.with_context(cannot)?).as_bytes())?;
        }
        Ok(())
    }

    /// All of it; the record that was begun, and where the file ends.
    fn put_all(&self) -> io::Result<Result<(Records, u64), Failure>> {
        let mut file = File::open(&self.file)?;
        let (mut records, mut end, mut block) = (Records::default(), 0, vec![0; BLOCK]);
        loop {
            let read = file.read(&mut block)?;
            if read == 0 {
                return Ok(Ok((records, end)));
            }
            end += read as u64;
            let text = self.text(&mut records, block.get(..read).unwrap_or_default());
            if let Err(failure) = put_raw(text.as_bytes()) {
                return Ok(Err(failure));
            }
        }
    }

    /// The last `lines` lines of the text; as [`Transcript::put_all`].
    fn put_last(&self, lines: usize) -> io::Result<Result<(Records, u64), Failure>> {
        // At least one, so that a record which is being written is known from its beginning.
        let mut wanted = lines.saturating_mul(RECORDS_PER_LINE).max(1);
        loop {
            let file = File::open(&self.file)?;
            let end = file.metadata()?.len();
            let bytes = last_lines(&[Stretch { file, from: 0, to: end }], wanted)?;
            let mut records = Records::default();
            let text = self.text(&mut records, &bytes);
            let records_there = bytes.iter().filter(|byte| **byte == b'\n').count();
            // Fewer than were asked for: there are no more, or no more than may be looked at.
            let is_all = records_there < wanted;
            if is_all || text.bytes().filter(|byte| *byte == b'\n').count() >= lines {
                let from = start_of_last(text.as_bytes(), lines);
                return Ok(put_raw(text.get(from..).unwrap_or_default().as_bytes())
                    .map(|()| (records, end)));
            }
            wanted = wanted.saturating_mul(RECORDS_PER_LINE);
        }
    }

    /// The text of the records that end in `piece`.
    fn text(&self, records: &mut Records, piece: &[u8]) -> String {
        let mut text = String::new();
        records.push(piece, |record| {
            if let Some(shown) = self.profile.transcript_line(record) {
                text.push_str(&shown);
                text.push('\n');
            }
        });
        text
    }
}

/// Pieces of a file put together to records.
#[derive(Debug, Default)]
struct Records {
    begun: Vec<u8>,
    /// The one that was begun is too long and passed over.
    passed_over: bool,
}

impl Records {
    fn push(&mut self, piece: &[u8], mut ended: impl FnMut(&[u8])) {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            if !self.passed_over {
                self.begun.extend_from_slice(part);
                self.passed_over = self.begun.len() > RECORD_MAX;
            }
            if part.ends_with(b"\n") {
                if !self.passed_over {
                    ended(&self.begun);
                }
                *self = Self::default();
            } else if self.passed_over {
                self.begun = Vec::new();
            }
        }
    }
}

/// In the unit's environment. Its environment file may be readable for the daemon alone, and seldom
/// says where a program keeps what.
fn places(unit: &Unit, profile: &dyn Profile) -> Option<Places> {
    let of = |unit: &Unit| environment_of(unit, "", std::env::vars_os()).ok();
    let environment = of(unit).or_else(|| of(&Unit { environment_file: None, ..unit.clone() }))?;
    profile.places(&|name| environment.get(std::ffi::OsStr::new(name)).cloned())
}

fn of_conversation(profile: &dyn Profile, places: &Places, conversation: &str) -> Option<PathBuf> {
    let is_its = |name: &str| profile.is_transcript(name, conversation);
    transcripts::find(&places.transcripts, profile.transcript_depth(), &is_its)
}

fn newest(profile: &dyn Profile, places: &Places, unit: &Unit) -> Option<PathBuf> {
    let directory = unit.directory.clone().or_else(|| std::env::current_dir().ok())?;
    // The program names the folder after the directory as the kernel names it.
    let directory = directory.canonicalize().unwrap_or(directory);
    let is_its = |folder: &PathBuf| {
        let name = folder.file_name().map(std::ffi::OsStr::to_string_lossy);
        name.is_some_and(|name| profile.is_transcript_folder(&name, &directory))
    };
    let files = folders(places).filter(is_its).flat_map(|folder| entries(&folder));
    let is_log = |file: &PathBuf| file.extension().is_some_and(|ending| ending == "jsonl");
    files.filter(is_log).max_by_key(|file| changed(file))
}

fn folders(places: &Places) -> impl Iterator<Item = PathBuf> {
    entries(&places.transcripts)
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path())
}

fn changed(file: &Path) -> Option<SystemTime> {
    file.metadata().and_then(|meta| meta.modified()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_put_together_from_pieces_of_any_length() {
        let text = b"one\ntwo\n\nthree\nbegun";
        for length in 1..text.len() {
            let (mut records, mut ended) = (Records::default(), Vec::new());
            for piece in text.chunks(length) {
                records.push(piece, |record| ended.push(record.to_vec()));
            }
            let expected: [&[u8]; 4] = [b"one\n", b"two\n", b"\n", b"three\n"];
            assert_eq!(ended, expected, "{length}");
            assert_eq!(records.begun, b"begun");
        }
    }

    #[test]
    fn a_record_that_is_too_long_is_passed_over_and_the_next_is_not() {
        let (mut records, mut ended) = (Records::default(), Vec::new());
        let piece = vec![b'x'; 1 << 20];
        for _ in 0..=(RECORD_MAX >> 20) {
            records.push(&piece, |record| ended.push(record.len()));
        }
        records.push(b"end\nnext\n", |record| ended.push(record.len()));
        assert_eq!(ended, [5]);
    }
}
