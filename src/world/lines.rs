//! The whole lines of a file that grows, each once, from an offset on. Not here: when to look
//! again, and what the lines say.

use std::io;
use std::path::Path;

use super::logs::Reader;

/// How much is read at a time.
const BLOCK: usize = 64 * 1024;

/// Longer lines are passed over: they do not make us large.
const LINE_MAX: usize = 32 * 1024 * 1024;

/// Reads whole lines.
#[derive(Debug)]
pub struct Lines {
    reader: Reader,
    unended: Vec<u8>,
    /// In the middle of a line that is passed over.
    skips: bool,
    /// Where the line in hand begins.
    begin: u64,
}

/// A line, and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Without its end.
    pub text: &'a [u8],
    /// Where it begins.
    pub begin: u64,
}

/// What one reading came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// So many bytes were read.
    pub bytes: usize,
    /// The file has become shorter or is another one: it was read from its beginning.
    pub anew: bool,
}

impl Lines {
    /// From the line on that begins at `offset`.
    pub fn from(path: &Path, offset: u64) -> Self {
        let reader = Reader::new(path, offset);
        Self { reader, unended: Vec::new(), skips: false, begin: offset }
    }

    /// From the first line on that begins in the last `most` bytes of the file.
    ///
    /// # Errors
    /// The file is not there, or its length cannot be had.
    pub fn last(path: &Path, most: u64) -> io::Result<Self> {
        let from = path.metadata()?.len().saturating_sub(most);
        // A line that ends right before begins there.
        let before = from.saturating_sub(1);
        Ok(Self { skips: from > 0, ..Self::from(path, before) })
    }

    /// Where the first line begins that has not been given whole.
    pub fn offset(&self) -> u64 {
        self.begin
    }

    /// Gives the lines that are whole by now, of at most `most` bytes; none are left if fewer bytes
    /// were read.
    ///
    /// # Errors
    /// The file cannot be read. One that is not there has no lines.
    pub fn read(&mut self, most: usize, mut each: impl FnMut(Line<'_>)) -> io::Result<Reading> {
        let mut block = vec![0; BLOCK];
        let mut reading = Reading::default();
        while reading.bytes < most {
            let before = self.reader.offset();
            let n = self.reader.read(&mut block)?;
            let from = self.reader.offset().saturating_sub(n as u64);
            if from != before {
                self.unended.clear();
                (self.skips, self.begin, reading.anew) = (false, from, true);
            }
            if n == 0 {
                break;
            }
            reading.bytes += n;
            self.take(&block[..n], from, &mut each);
        }
        Ok(reading)
    }

    fn take(&mut self, block: &[u8], mut at: u64, each: &mut impl FnMut(Line<'_>)) {
        for piece in block.split_inclusive(|byte| *byte == b'\n') {
            at += piece.len() as u64;
            if !self.skips && self.unended.len() + piece.len() > LINE_MAX {
                self.unended = Vec::new();
                self.skips = true;
            }
            let text = piece.strip_suffix(b"\n");
            if self.skips {
                self.skips = text.is_none();
            } else if let Some(text) = text {
                let begin = self.begin;
                if self.unended.is_empty() {
                    each(Line { text, begin });
                } else {
                    self.unended.extend_from_slice(text);
                    each(Line { text: &self.unended, begin });
                    self.unended.clear();
                }
            } else {
                self.unended.extend_from_slice(piece);
            }
            if text.is_some() {
                self.begin = at;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Write;

    use super::*;

    struct Stage {
        _dir: tempfile::TempDir,
        file: File,
        path: std::path::PathBuf,
    }

    impl Stage {
        fn new(text: &str) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("a.jsonl");
            fs::write(&path, text).unwrap();
            let file = File::options().append(true).open(&path).unwrap();
            Self { _dir: dir, file, path }
        }

        fn adds(&mut self, text: &str) {
            self.file.write_all(text.as_bytes()).unwrap();
        }
    }

    fn all(lines: &mut Lines) -> Vec<(u64, String)> {
        let mut all = Vec::new();
        let each = |line: Line<'_>| {
            all.push((line.begin, String::from_utf8(line.text.to_vec()).unwrap()));
        };
        lines.read(usize::MAX, each).unwrap();
        all
    }

    #[test]
    fn each_line_is_given_once_and_whole() {
        let mut stage = Stage::new("one\ntw");
        let mut lines = Lines::from(&stage.path, 0);
        assert_eq!(all(&mut lines), [(0, "one".to_owned())]);
        assert_eq!(lines.offset(), 4, "who reads on there misses nothing");
        stage.adds("o\n\nth");
        assert_eq!(all(&mut lines), [(4, "two".to_owned()), (8, String::new())]);
        let mut other = Lines::from(&stage.path, lines.offset());
        stage.adds("ree\n");
        assert_eq!(all(&mut lines), [(9, "three".to_owned())]);
        assert_eq!(all(&mut other), [(9, "three".to_owned())]);
        assert_eq!(all(&mut lines), []);
    }

    #[test]
    fn the_end_begins_with_a_whole_line() {
        let stage = Stage::new("one\ntwo\nthree\n");
        for (most, count) in [(100, 3), (14, 3), (13, 2), (10, 2), (9, 1), (6, 1), (5, 0), (0, 0)] {
            let mut lines = Lines::last(&stage.path, most).unwrap();
            assert_eq!(all(&mut lines).len(), count, "{most}");
            assert_eq!(lines.offset(), 14, "{most}");
        }
        assert!(Lines::last(&stage.path.with_extension("none"), 5).is_err());
    }

    #[test]
    fn a_file_that_was_cut_is_read_anew_and_one_that_is_not_there_later() {
        let mut stage = Stage::new("one\ntwo\n");
        let mut lines = Lines::from(&stage.path, 0);
        all(&mut lines);
        stage.file.set_len(0).unwrap();
        stage.adds("x\n");
        let reading = lines.read(usize::MAX, |line| assert_eq!(line.text, b"x")).unwrap();
        assert_eq!(reading, Reading { bytes: 2, anew: true });

        let path = stage.path.with_extension("later");
        let mut later = Lines::from(&path, 0);
        assert_eq!(all(&mut later), []);
        fs::write(&path, "here\n").unwrap();
        assert_eq!(all(&mut later), [(0, "here".to_owned())]);
    }

    #[test]
    fn a_line_without_end_does_not_make_us_large() {
        let mut stage = Stage::new("");
        let mut lines = Lines::from(&stage.path, 0);
        for _ in 0..3 {
            stage.adds(&"x".repeat(LINE_MAX / 2));
            assert_eq!(all(&mut lines), []);
            assert!(lines.unended.len() <= LINE_MAX);
        }
        stage.adds("\nshort\n");
        assert_eq!(all(&mut lines).len(), 1);
    }

    #[test]
    fn of_a_large_file_only_the_end_is_read() {
        let mut stage = Stage::new(&"x".repeat(8 << 20));
        stage.adds("\nlast\n");
        let mut lines = Lines::last(&stage.path, 1 << 20).unwrap();
        let mut count = 0;
        let reading = lines.read(usize::MAX, |_| count += 1).unwrap();
        assert_eq!(count, 1);
        assert!(reading.bytes < 2 << 20, "{reading:?}");
    }
}
