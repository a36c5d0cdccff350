//! Where in the file system a clone changes when something is committed, fetched or checked out:
//! found without libgit2, so that a damaged, a foreign and a missing clone can be watched, too. Not
//! here: the watching.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// How many folders of refs are watched in one clone; a slow look finds what is in others.
const REF_FOLDERS: usize = 256;

/// The longest `.git` file or `commondir` that is read.
const POINTER_MAX: u64 = 8 * 1024;

/// What is watched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Watched {
    /// A clone, a folder in one, or a bare repository; it need not be there yet.
    pub repo: PathBuf,
    /// A working file that counts before it is committed, from `repo`.
    pub file: Option<String>,
}

/// What in a watched folder is news.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cares {
    /// These names.
    pub(super) names: BTreeSet<OsString>,
    /// All names of refs.
    pub(super) refs: bool,
    /// When one of these names comes or goes, the places are to be found anew.
    pub(super) ways: BTreeSet<OsString>,
}

/// Folders and what is news in each.
pub(super) type Places = BTreeMap<PathBuf, Cares>;

/// Where it is to be watched at this moment.
pub(super) fn places(watched: &Watched) -> Places {
    let mut places = Places::new();
    let Ok(real) = watched.repo.canonicalize() else {
        on_the_way(&watched.repo, &mut places);
        return places;
    };
    let Some((top, git)) = real.ancestors().find_map(|it| Some((it, git_folder(it)?))) else {
        let ways = ["", ".git", "HEAD", "refs", "objects"].map(OsString::from);
        places.entry(real).or_default().ways.extend(ways);
        return places;
    };
    // To hear of it when it is moved or removed.
    places.entry(top.to_owned()).or_default().ways.insert(".git".into());
    places.entry(real.clone()).or_default();
    let common = pointer(&git.join("commondir")).map_or_else(|| git.clone(), |it| git.join(it));
    places.entry(git).or_default().names.insert("HEAD".into());
    let in_common = places.entry(common.clone()).or_default();
    in_common.names.insert("packed-refs".into());
    in_common.ways.extend(["refs", "reftable"].map(OsString::from));
    if common.join("reftable").is_dir() {
        places.entry(common.join("reftable")).or_default().names.insert("tables.list".into());
    }
    let refs = common.join("refs");
    places.entry(refs.clone()).or_default().ways.extend(["heads", "remotes"].map(OsString::from));
    let mut folders = vec![refs.join("heads"), refs.join("remotes"), refs.join("mirror")];
    let mut watched_refs = 0;
    while let Some(folder) = folders.pop().filter(|_| watched_refs < REF_FOLDERS) {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        let inner = entries.flatten().filter(|it| it.file_type().is_ok_and(|it| it.is_dir()));
        folders.extend(inner.map(|entry| entry.path()));
        places.entry(folder).or_default().refs = true;
        watched_refs += 1;
    }
    if let Some(file) = &watched.file {
        let file = real.join(file);
        match (file.parent().filter(|folder| folder.is_dir()), file.file_name()) {
            (Some(folder), Some(name)) => {
                places.entry(folder.to_owned()).or_default().names.insert(name.to_owned());
            }
            (_, _) => on_the_way(&file, &mut places),
        }
    }
    places
}

/// The nearest folder above that is there, and what is to come in it.
fn on_the_way(path: &Path, places: &mut Places) {
    let mut next = path;
    while let Some(folder) = next.parent() {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        if folder.is_dir() {
            let ways = &mut places.entry(folder.to_owned()).or_default().ways;
            ways.extend(next.file_name().map(OsString::from));
            return;
        }
        next = folder;
    }
}

/// The git directory of a working tree, or of a bare repository.
fn git_folder(folder: &Path) -> Option<PathBuf> {
    let inner = folder.join(".git");
    if inner.is_dir() {
        return Some(inner);
    }
    if let Some(elsewhere) = pointer(&inner).filter(|_| inner.is_file()) {
        return Some(folder.join(elsewhere)).filter(|it| it.is_dir());
    }
    let bare = folder.join("HEAD").is_file() && folder.join("objects").is_dir();
    bare.then(|| folder.to_owned())
}

/// The path in a file of one line, with or without `gitdir:` before it.
fn pointer(file: &Path) -> Option<PathBuf> {
    let mut text = String::new();
    File::open(file).ok()?.take(POINTER_MAX).read_to_string(&mut text).ok()?;
    let line = text.lines().next()?;
    let path = line.strip_prefix("gitdir:").unwrap_or(line).trim();
    (!path.is_empty()).then(|| path.into())
}
