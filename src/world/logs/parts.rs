//! Which archives a log has, and which bytes of the log itself they already hold.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::world::files;

/// How many bytes before an archive's end are compared with the log, to know that the log is the
/// one that it was copied from.
const COMPARED: u64 = 4096;

/// One archive. An empty one only says that a generation has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Archive {
    pub(super) generation: u64,
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) path: PathBuf,
}

impl Archive {
    /// Its name beside `log`: it sorts by age.
    pub(super) fn name(log: &Path, generation: u64, from: u64, to: u64) -> PathBuf {
        files::with_suffix(log, &format!(".{generation:04}-{from:013}-{to:013}"))
    }

    fn parse(path: PathBuf, log_name: &str) -> Option<Self> {
        let rest = path.file_name()?.to_str()?.strip_prefix(log_name)?.strip_prefix('.')?;
        let mut numbers = rest.split('-');
        let mut number = || {
            let digits = numbers.next()?;
            digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
        };
        let (generation, from, to) = (number()?, number()?, number()?);
        let is_all = numbers.next().is_none();
        (is_all && from <= to).then_some(Self { generation, from, to, path })
    }
}

/// The archives of `log`, the oldest first.
pub(super) fn archives(log: &Path) -> io::Result<Vec<Archive>> {
    let Some(name) = log.file_name().and_then(|name| name.to_str()) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in fs::read_dir(files::folder_of(log))? {
        found.extend(Archive::parse(entry?.path(), name));
    }
    found.sort_by_key(|part| (part.generation, part.to, part.from));
    Ok(found)
}

/// Notes that the log, which is not there, will begin at offset 0 again.
pub(super) fn begin_generation(log: &Path) -> io::Result<()> {
    let parts = archives(log)?;
    let Some(last) = parts.last() else { return Ok(()) };
    if last.to == 0 {
        return Ok(());
    }
    let marker = Archive::name(log, last.generation + 1, 0, 0);
    OpenOptions::new().write(true).create(true).truncate(false).mode(super::MODE).open(marker)?;
    for old in parts.iter().filter(|part| part.to == 0) {
        // It said that an earlier generation had begun, and is of no use any more.
        let _ = fs::remove_file(&old.path);
    }
    Ok(())
}

/// The generation that `file` (the log) is of.
pub(super) fn generation_of(file: &File, parts: &[Archive]) -> io::Result<u64> {
    let newest = parts.last().map_or(0, |part| part.generation);
    let is_of_it = cut(file, parts)?.is_some() || parts.last().is_none_or(|part| part.to == 0);
    Ok(if is_of_it { newest } else { newest + 1 })
}

/// Up to where the archives hold what is (or was) in `file`; `None` if they hold nothing of it,
/// because it was begun anew or emptied by hand.
pub(super) fn cut(file: &File, parts: &[Archive]) -> io::Result<Option<u64>> {
    let Some(last) = parts.last().filter(|part| part.to > 0) else { return Ok(None) };
    if file.metadata()?.len() < last.to {
        return Ok(None);
    }
    let archive = match File::open(&last.path) {
        Ok(archive) => archive,
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(err) => return Err(err),
    };
    let from = last.to.saturating_sub(COMPARED).max(last.from);
    let kept = super::super::tail::read_range(&archive, from - last.from, last.to - last.from)?;
    let there = super::super::tail::read_range(file, from, last.to)?;
    // What was punched reads as zeros.
    let same = kept.len() == there.len() && kept.iter().zip(&there).all(|(k, t)| *t == 0 || k == t);
    Ok(same.then_some(last.to))
}

/// The first byte of `file` that is in no archive.
pub(super) fn begin(file: &File, parts: &[Archive]) -> io::Result<u64> {
    match cut(file, parts)? {
        Some(cut) => Ok(cut),
        None => super::first_text(file),
    }
}

/// Reads from the archive that holds byte `at` of `generation`. Answers where what was read begins
/// (later than `at`, where the archive that held it is gone) and how much it is; `None` if there
/// is nothing up to `cut`.
pub(super) fn read_at(
    parts: &[Archive],
    generation: u64,
    at: u64,
    block: &mut [u8],
) -> io::Result<Option<(u64, usize)>> {
    let mut holding = parts.iter().filter(|part| part.generation == generation && part.to > at);
    let Some(part) = holding.next() else { return Ok(None) };
    let at = at.max(part.from);
    let want = usize::try_from(part.to - at).unwrap_or(block.len()).min(block.len());
    let Some(archive) = super::open_if_there(&part.path)? else { return Ok(None) };
    let n = archive.read_at(&mut block[..want], at - part.from)?;
    Ok((n > 0).then_some((at, n)))
}
