//! Where in the file system a process's cgroup lies.

use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::{NoCgroups, Roots};

/// The directory of the cgroup that a process runs in, by the two files of it in /proc.
pub(super) fn directory_of(roots: &Roots) -> Result<PathBuf, NoCgroups> {
    let read = |path: &PathBuf| {
        fs::read_to_string(path)
            .map_err(|source| NoCgroups::Unreadable { path: path.clone(), source })
    };
    let own = read(&roots.own)?;
    let own = own.lines().find_map(|l| l.strip_prefix("0::")).ok_or(NoCgroups::NotMounted)?;
    let mounts = read(&roots.mountinfo)?;
    mounts
        .lines()
        .filter_map(cgroup2_mount)
        // A mount may show only a part of the tree, and ours may lie outside of it.
        .filter_map(|(root, point)| Some(point.join(Path::new(own).strip_prefix(root).ok()?)))
        .find(|directory| directory.join("cgroup.procs").exists())
        .ok_or(NoCgroups::NotMounted)
}

/// Of a line of mountinfo for cgroup2: which part of the tree is mounted, and where.
pub(crate) fn cgroup2_mount(line: &str) -> Option<(PathBuf, PathBuf)> {
    let (mount, filesystem) = line.split_once(" - ")?;
    if filesystem.split(' ').next() != Some("cgroup2") {
        return None;
    }
    let mut fields = mount.split(' ').skip(3);
    Some((unescape(fields.next()?), unescape(fields.next()?)))
}

/// mountinfo writes blanks, tabs, line ends and backslashes as `\040` and the like.
fn unescape(field: &str) -> PathBuf {
    let mut bytes = Vec::new();
    let mut rest = field.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).and_then(|d| std::str::from_utf8(d).ok());
        match digits.and_then(|d| u8::from_str_radix(d, 8).ok()).filter(|_| *first == b'\\') {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    std::ffi::OsString::from_vec(bytes).into()
}
