//! The last lines of a text that lies in several files. Not here: which files, and in what order.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// How much is read at a time.
const BLOCK: u64 = 64 * 1024;

/// The most that is kept in memory: lines of any length do not make us large.
const MOST: usize = 32 * 1024 * 1024;

/// One stretch of a file.
#[derive(Debug)]
pub struct Stretch {
    /// The file.
    pub file: File,
    /// The first byte.
    pub from: u64,
    /// The byte after the last.
    pub to: u64,
}

/// The last `lines` lines of `stretches` (the oldest first) put together, as they are, with at
/// most 32 MiB: then only whole lines. A last line without an end counts as a line.
///
/// # Errors
/// A file cannot be read.
pub fn last_lines(stretches: &[Stretch], lines: usize) -> io::Result<Vec<u8>> {
    let mut blocks: Vec<Vec<u8>> = Vec::new();
    let (mut seen, mut kept) = (0, 0);
    'all: for stretch in stretches.iter().rev() {
        let mut to = stretch.to;
        while to > stretch.from {
            let from = to.saturating_sub(BLOCK).max(stretch.from);
            let block = read_range(&stretch.file, from, to)?;
            to = from;
            seen += block.iter().filter(|b| **b == b'\n').count();
            kept += block.len();
            blocks.push(block);
            // One more, because the line's beginning must be in hand too.
            if seen > lines || kept >= MOST {
                break 'all;
            }
        }
    }
    blocks.reverse();
    let mut text = blocks.concat();
    let mut begin = begin_of_last(&text, lines);
    if begin == 0 && kept >= MOST {
        // Cut off somewhere in a line, unless it is all one line.
        begin = text.iter().position(|b| *b == b'\n').map_or(0, |at| at + 1);
    }
    text.drain(..begin);
    Ok(text)
}

/// The last whole lines of a file, at most `most` bytes of them.
///
/// # Errors
/// The file cannot be read.
pub fn last_bytes(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let to = file.metadata()?.len();
    let from = to.saturating_sub(most);
    let mut bytes = read_range(&file, from, to)?;
    if from > 0 {
        let begin = bytes.iter().position(|b| *b == b'\n').map_or(bytes.len(), |at| at + 1);
        bytes.drain(..begin);
    }
    Ok(bytes)
}

fn begin_of_last(text: &[u8], lines: usize) -> usize {
    if lines == 0 {
        return text.len();
    }
    let body = text.strip_suffix(b"\n").unwrap_or(text);
    let ends = body.iter().enumerate().rev().filter(|(_, b)| **b == b'\n');
    ends.map(|(at, _)| at + 1).nth(lines - 1).unwrap_or(0)
}

/// The bytes of a range, or less where the file has become shorter.
pub(super) fn read_range(file: &File, from: u64, to: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX)];
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], from + filled as u64) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            Err(err) => return Err(err),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn stretches(texts: &[&str]) -> Vec<Stretch> {
        texts
            .iter()
            .map(|text| {
                let mut file = tempfile::tempfile().unwrap();
                file.write_all(text.as_bytes()).unwrap();
                Stretch { file, from: 0, to: text.len() as u64 }
            })
            .collect()
    }

    #[test]
    fn the_last_lines_are_found_across_files() {
        let check = |texts: &[&str], n, wanted: &str| {
            let got = last_lines(&stretches(texts), n).unwrap();
            assert_eq!(String::from_utf8(got).unwrap(), wanted, "{texts:?} {n}");
        };
        check(&["a\nb\n", "c\nd\n"], 3, "b\nc\nd\n");
        check(&["a\nb\n", "c\nd\n"], 2, "c\nd\n");
        check(&["a\nb\n", "c\nd\n"], 9, "a\nb\nc\nd\n");
        check(&["a\nb", "c\nd"], 2, "bc\nd");
        check(&["a\n", "", "\n"], 1, "\n");
        check(&["a\n"], 0, "");
        check(&[], 5, "");
        let long = "x".repeat(200_000);
        check(&["a\n", &format!("{long}\ny\n")], 2, &format!("{long}\ny\n"));
    }
}
