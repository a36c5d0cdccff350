//! Where an agent program's transcripts lie: folders of folders of files. Not here: what their names
//! and their lines say.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::tail;

/// A name is told at the beginning of a transcript, and again whenever it is opened, in bytes.
const STRETCH: u64 = 256 * 1024;

/// The file whose name is wanted, `depth` folders below `folder`: of several the one in the last
/// folder by name, for folders named after days come in their order. None if there is none.
pub fn find(folder: &Path, depth: usize, is_wanted: &dyn Fn(&str) -> bool) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?.flatten();
    if depth == 0 {
        let wanted = |name: &std::ffi::OsStr| name.to_str().is_some_and(is_wanted);
        let mut files = entries.filter(|entry| wanted(&entry.file_name())).map(|it| it.path());
        return files.find(|file| file.is_file());
    }
    let is_folder = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| !kind.is_file());
    let mut folders: Vec<PathBuf> = entries.filter(is_folder).map(|entry| entry.path()).collect();
    folders.sort_unstable();
    folders.iter().rev().find_map(|folder| find(folder, depth - 1, is_wanted))
}

/// The newest file, `depth` folders below `folder`, of whose first and last stretch a line is
/// wanted. None if there is none.
pub fn newest(folder: &Path, depth: usize, is_wanted: &dyn Fn(&[u8]) -> bool) -> Option<PathBuf> {
    let mut files = Vec::new();
    all(folder, depth, &mut files);
    files.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let is_its = |path: &Path| {
        let has = |bytes: &[u8]| bytes.split(|byte| *byte == b'\n').any(is_wanted);
        first_bytes(path).is_ok_and(|bytes| has(&bytes))
            || tail::last_bytes(path, STRETCH).is_ok_and(|bytes| has(&bytes))
    };
    files.into_iter().map(|(_, path)| path).find(|path| is_its(path))
}

fn all(folder: &Path, depth: usize, files: &mut Vec<(SystemTime, PathBuf)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(data) = entry.metadata() else { continue };
        if depth == 0 && data.is_file() {
            files.push((data.modified().unwrap_or(SystemTime::UNIX_EPOCH), entry.path()));
        } else if depth > 0 && data.is_dir() {
            all(&entry.path(), depth - 1, files);
        }
    }
}

fn first_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(STRETCH).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_files_with_the_wanted_line_the_newest_is_found() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a")).unwrap();
        let file = |name: &str, text: &str, age: u64| {
            let path = dir.path().join("a").join(name);
            fs::write(&path, text).unwrap();
            let at = SystemTime::now() - std::time::Duration::from_secs(age);
            fs::File::options().append(true).open(&path).unwrap().set_modified(at).unwrap();
            path
        };
        file("old", "x\nname\n", 20);
        let wanted = file("new", "name\ny\n", 10);
        file("other", "z\n", 0);
        assert_eq!(newest(dir.path(), 1, &|line| line == b"name"), Some(wanted));
        assert_eq!(newest(dir.path(), 1, &|line| line == b"nobody"), None);
    }

    #[test]
    fn a_file_is_found_at_its_depth_and_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["2026/11/20", "2026/11/21", "2026/09/30"] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        for file in ["2026/11/20/a-1", "2026/09/30/a-1", "2026/11/a-2", "2026/11/21/b"] {
            fs::write(dir.path().join(file), "").unwrap();
        }
        let found = |name: &str| {
            let found = find(dir.path(), 3, &|it| it == name)?;
            Some(found.strip_prefix(dir.path()).unwrap().to_owned())
        };
        assert_eq!(found("a-1"), Some("2026/11/20/a-1".into()));
        assert_eq!(found("a-2"), None);
        assert_eq!(find(dir.path(), 0, &|_| true), None, "a folder is no transcript");
        assert_eq!(find(&dir.path().join("none"), 3, &|_| true), None);
    }
}
