//! Committing one file of ours in a repository of others: REBOOTS.md. Nothing but that file comes
//! into the commit or changes in the index; where anything stands in the way, nothing is done, and
//! nobody is waited for.
//!
//! No hook is run and nothing is signed: either could ask a person, or fail for reasons that have
//! nothing to do with a line about a reboot. Not here: what is in the file, and whether to commit it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use git2::build::TreeUpdateBuilder;
use git2::{FileMode, Index, IndexEntry, IndexTime, Oid, Repository, Signature};

use super::GitError;
use super::open::{Opened, short};
use crate::world::files;

/// A file is committed as it is at that moment, so a longer one than this is not ours.
const MOST: u64 = super::FILE_MAX as u64;

/// Who commits, where git does not know the user.
const NAME: &str = "supervisor";
const MAIL: &str = "supervisor@localhost";

/// The mode bit of files that may be executed.
const EXECUTABLE: u32 = 0o100;

/// Why the file was not committed. Nothing was done then.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Not in a repository that can be opened.
    #[error("cannot commit {}: {}", .file.display(), .source)]
    Repository {
        /// The file.
        file: PathBuf,
        /// What is the matter with the repository.
        source: GitError,
    },
    /// There is a reason in the repository's own state.
    #[error("did not commit {}: {why}", file.display())]
    Refused {
        /// The file.
        file: PathBuf,
        /// Why, in words.
        why: String,
    },
    /// Reading or writing.
    #[error("cannot commit {}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// libgit2 failed.
    #[error("cannot commit {}", file.display())]
    Git {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: git2::Error,
    },
}

/// Commits `file` as it is now, alone, on the branch that is checked out. Answers with the commit's
/// first digits, or with none if the file is committed like this already. Blocks for as long as the
/// disk takes.
///
/// # Errors
/// [`CommitError`]: somebody else is at the index, something is half done, the file is ignored or in
/// no repository.
pub fn commit_file(file: &Path, message: &str) -> Result<Option<String>, CommitError> {
    let real = file.canonicalize().map_err(|source| io_error(file, source))?;
    let opened = Opened::at(files::folder_of(&real))
        .map_err(|source| CommitError::Repository { file: file.to_owned(), source })?;
    let it = Committing { file, real: &real, repo: &opened.repo };
    it.commit(&opened, message)
}

struct Committing<'a> {
    /// As it was named.
    file: &'a Path,
    real: &'a Path,
    repo: &'a Repository,
}

fn io_error(file: &Path, source: io::Error) -> CommitError {
    CommitError::Io { file: file.to_owned(), source }
}

impl Committing<'_> {
    fn refused<T>(&self, why: impl Into<String>) -> Result<T, CommitError> {
        Err(CommitError::Refused { file: self.file.to_owned(), why: why.into() })
    }

    fn git(&self, source: git2::Error) -> CommitError {
        CommitError::Git { file: self.file.to_owned(), source }
    }

    fn io(&self, source: io::Error) -> CommitError {
        io_error(self.file, source)
    }

    fn commit(&self, opened: &Opened, message: &str) -> Result<Option<String>, CommitError> {
        let repo = self.repo;
        let metadata = self.real.metadata().map_err(|error| self.io(error))?;
        if !metadata.is_file() || metadata.len() > MOST {
            return self.refused("it is no regular file, or too long");
        }
        let top = repo.workdir().and_then(|top| top.canonicalize().ok());
        let Some(path) = top.as_deref().and_then(|top| self.real.strip_prefix(top).ok()) else {
            return self.refused("it is not in a working tree");
        };
        if path.starts_with(".git") {
            return self.refused("it is in the git directory");
        }
        if !opened.is_settled() {
            return self.refused("a merge, rebase or the like is half done in the repository");
        }
        let head = match repo.head() {
            Ok(head) if head.is_branch() => head,
            Ok(_) => return self.refused("no branch is checked out: a commit would be lost"),
            Err(_) => return self.refused("the branch has no commit yet"),
        };
        let parent = head.peel_to_commit().map_err(|error| self.git(error))?;
        let tree = parent.tree().map_err(|error| self.git(error))?;
        let before = tree.get_path(path).ok();
        if before.is_none() && repo.is_path_ignored(path).map_err(|error| self.git(error))? {
            return self.refused("git is told to ignore it (.gitignore)");
        }
        let blob = repo.blob_path(self.real).map_err(|error| self.git(error))?;
        if before.as_ref().is_some_and(|before| before.id() == blob) {
            return Ok(None);
        }
        let executable = metadata.permissions().mode() & EXECUTABLE != 0;
        let mode = if executable { FileMode::BlobExecutable } else { FileMode::Blob };

        let index = LockedIndex::take(self)?;
        let mut changed = TreeUpdateBuilder::new();
        let changed = changed.upsert(path, blob, mode).create_updated(repo, &tree);
        let changed = changed.and_then(|id| repo.find_tree(id)).map_err(|error| self.git(error))?;
        let entry = entry(path, blob, mode, &metadata);
        index.write(self, &entry)?;
        let who = repo.signature().or_else(|_| Signature::now(NAME, MAIL));
        let who = who.map_err(|error| self.git(error))?;
        // Refused by libgit2 if the branch has moved meanwhile.
        let id = repo.commit(Some("HEAD"), &who, &who, message, &changed, &[&parent]);
        let id = id.map_err(|error| self.git(error))?;
        // The commit stands. Without this the file would merely look changed.
        index.keep().map_err(|error| self.io(error))?;
        Ok(Some(short(&id.to_string())))
    }
}

/// The lock that git itself takes, held by us: until it is dropped nobody else changes the index,
/// and what others have put into it stays there.
struct LockedIndex {
    index: PathBuf,
    lock: PathBuf,
    copy: PathBuf,
    /// Whether the lock is no longer ours.
    given_up: bool,
}

impl LockedIndex {
    fn take(it: &Committing<'_>) -> Result<Self, CommitError> {
        let index = it.repo.path().join("index");
        let lock = files::with_suffix(&index, ".lock");
        let mode = index.metadata().map_or(0o644, |metadata| metadata.permissions().mode());
        match OpenOptions::new().write(true).create_new(true).mode(mode & 0o777).open(&lock) {
            Ok(_) => Ok(Self { copy: files::tmp_beside(&index), index, lock, given_up: false }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let age = lock.metadata().and_then(|metadata| metadata.modified()).ok();
                let age = age.and_then(|at| SystemTime::now().duration_since(at).ok());
                let age = age.unwrap_or_default().as_secs();
                it.refused(format!(
                    "another git has been at the index for {age} s; if none runs, remove {}",
                    lock.display()
                ))
            }
            Err(error) => Err(it.io(error)),
        }
    }

    /// Makes ready what the index will be.
    fn write(&self, it: &Committing<'_>, entry: &IndexEntry) -> Result<(), CommitError> {
        match fs::copy(&self.index, &self.copy) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(it.io(error)),
            Ok(_) | Err(_) => {}
        }
        let mut copy = Index::open(&self.copy).map_err(|error| it.git(error))?;
        copy.add(entry).and_then(|()| copy.write()).map_err(|error| it.git(error))?;
        File::open(&self.copy).and_then(|copy| copy.sync_all()).map_err(|error| it.io(error))
    }

    fn keep(mut self) -> io::Result<()> {
        fs::rename(&self.copy, &self.lock)?;
        fs::rename(&self.lock, &self.index)?;
        self.given_up = true;
        Ok(())
    }
}

impl Drop for LockedIndex {
    fn drop(&mut self) {
        if !self.given_up {
            let _ = fs::remove_file(&self.copy);
            let _ = fs::remove_file(&self.lock);
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the index keeps the low half of each number")]
fn entry(path: &Path, id: Oid, mode: FileMode, metadata: &fs::Metadata) -> IndexEntry {
    let time = |seconds: i64, nanos: i64| IndexTime::new(seconds as i32, nanos as u32);
    IndexEntry {
        ctime: time(metadata.ctime(), metadata.ctime_nsec()),
        mtime: time(metadata.mtime(), metadata.mtime_nsec()),
        dev: metadata.dev() as u32,
        ino: metadata.ino() as u32,
        mode: i32::from(mode).unsigned_abs(),
        uid: metadata.uid(),
        gid: metadata.gid(),
        file_size: metadata.len() as u32,
        id,
        flags: 0,
        flags_extended: 0,
        path: path.as_os_str().as_encoded_bytes().to_vec(),
    }
}
