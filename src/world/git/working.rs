//! What stands in the working file and is not committed. Nothing leads out of the working tree: a
//! link on the way is not followed. Not here: what is committed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use git2::Oid;
use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat2};
use rustix::io::Errno;

use super::open::Opened;
use super::reader::{Wanted, digest};
use super::{FILE_MAX, GitError, sections};

/// A line, file or section of the working file that is not in HEAD like this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uncommitted {
    /// `w:` and a digest of the text alone: when it is committed, it gets another identity.
    pub id: String,
    /// The line or the heading; empty for a file.
    pub text: String,
    /// Of a heading: the lines behind it.
    pub section: Option<String>,
}

/// What of the working file is not in `committed`, the version in HEAD.
pub(super) fn uncommitted(
    opened: &Opened,
    file: &Path,
    committed: Option<Oid>,
    wanted: &Wanted,
) -> Result<Vec<Uncommitted>, GitError> {
    let Some(now) = read(opened, file)? else { return Ok(Vec::new()) };
    let before = committed.map(|blob| opened.content(blob, file)).transpose()?.unwrap_or_default();
    // With CRLF in the working tree alone a file is not changed.
    let (now, before) = (sections::lines(&now), sections::lines(&before));
    if now == before {
        return Ok(Vec::new());
    }
    Ok(match wanted {
        Wanted::Change => {
            let id = id(&now.join("\n"));
            vec![Uncommitted { id, text: String::new(), section: None }]
        }
        Wanted::Line(pattern) => {
            let mut known: BTreeMap<&str, usize> = BTreeMap::new();
            for (_, line) in sections::matching(&before, pattern) {
                *known.entry(line).or_default() += 1;
            }
            let lines = sections::matching(&now, pattern).filter(|(_, line)| {
                match known.get_mut(line).filter(|count| **count > 0) {
                    Some(count) => {
                        *count -= 1;
                        false
                    }
                    None => true,
                }
            });
            let lines = lines.map(|(_, line)| (id(line), line.to_owned()));
            lines.map(|(id, text)| Uncommitted { id, text, section: None }).collect()
        }
        Wanted::Heading(heading) => {
            let texts = |lines: &[String]| -> Vec<(String, String)> {
                let sections = sections::sections(lines, heading).into_iter();
                let text = |it: std::ops::Range<usize>| {
                    (lines[it.start].clone(), lines[it.start + 1..it.end].join("\n"))
                };
                sections.map(text).collect()
            };
            let known = texts(&before);
            let new = texts(&now).into_iter().filter(|section| !known.contains(section));
            new.map(|(text, body)| Uncommitted {
                id: id(&format!("{text}\n{body}")),
                text,
                section: Some(body),
            })
            .collect()
        }
    })
}

/// The identity of a line while it is not committed.
pub fn uncommitted_id(line: &str) -> String {
    id(line)
}

fn id(text: &str) -> String {
    format!("w:{}", digest("working", &[text.as_bytes()]))
}

/// The working file; none without one, and in a bare repository.
fn read(opened: &Opened, file: &Path) -> Result<Option<Vec<u8>>, GitError> {
    let Some(top) = opened.repo.workdir() else { return Ok(None) };
    let failed = |source: Errno| match source {
        Errno::LOOP | Errno::XDEV | Errno::ISDIR => GitError::NotAFile {
            path: opened.path.clone(),
            file: file.to_string_lossy().into_owned(),
        },
        other => GitError::Unreadable { path: top.join(file), source: io::Error::from(other) },
    };
    let flags = OFlags::CLOEXEC | OFlags::DIRECTORY | OFlags::PATH;
    let folder = open(top, flags, Mode::empty()).map_err(failed)?;
    // A pipe must not hold us, nor a link lead elsewhere.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let handle = match openat2(&folder, file, flags, Mode::empty(), inside) {
        Ok(handle) => File::from(handle),
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        Err(errno) => return Err(failed(errno)),
    };
    let unreadable = |source| GitError::Unreadable { path: top.join(file), source };
    let metadata = handle.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(failed(Errno::ISDIR));
    }
    let mut content = Vec::new();
    handle.take(FILE_MAX as u64 + 1).read_to_end(&mut content).map_err(unreadable)?;
    if content.len() > FILE_MAX {
        let (path, file) = (opened.path.clone(), file.to_string_lossy().into_owned());
        return Err(GitError::TooBig {
            path,
            file,
            bytes: metadata.len().max(content.len() as u64),
        });
    }
    Ok(Some(content))
}
