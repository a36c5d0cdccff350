//! git repositories, read as they lie on disk: which lines, files and headings are committed, who
//! wrote them in which clone, and what came after what. In reading order: [`Reader`] looks at one
//! file of one clone, [`later`] puts commits of two clones in order, [`writers()`] says in which clone
//! a commit was made, [`Watch`] is told by the kernel, [`mirror`] has the git program fetch what
//! only a remote has, [`commit_file()`] is the one thing that is ever written into a repository of
//! others.
//!
//! Everything that looks blocks, and belongs on a thread for that. Not here: what a line leads to,
//! how often is looked, and what was seen before.

mod commit_file;
pub mod mirror;
mod open;
mod order;
mod origins;
mod program;
mod reader;
mod reflog;
pub(crate) mod sections;
mod watch;
mod watched;
mod working;
mod writers;

#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;

pub use commit_file::{CommitError, commit_file};
pub use open::{Tip, Tips, WhichTip};
pub use order::{CommitAt, Order, later};
pub use program::ProgramError;
pub use reader::{Ask, Line, Reader, Reading, Section, SeenAt, Wanted};
pub use watch::Watch;
pub use watched::Watched;
pub use working::{Uncommitted, uncommitted_id};
pub use writers::{Guarded, Writers, Written, writers};

/// A file that is longer than this is not read: it is no protocol between agents.
pub const FILE_MAX: usize = 8 * 1024 * 1024;

/// More lines than this are not what a pattern is for.
pub const LINES_MAX: usize = 20_000;

/// How far back the introduction of a line is looked for.
const COMMITS_MAX: usize = 100_000;

/// Why a repository, or a file in it, could not be looked at. Never a reason to believe that
/// something is not there.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// No such folder, at the moment.
    #[error("there is no {}: is the clone made, or moved?", path.display())]
    NotThere {
        /// Where it should be.
        path: PathBuf,
    },
    /// A folder that is in no repository.
    #[error("{} is no git repository: clone there, or correct `repo`", path.display())]
    NotARepository {
        /// The folder.
        path: PathBuf,
    },
    /// A mirror of ours into which nothing was fetched yet.
    #[error("{} was never fetched: nothing is known of its remote yet", path.display())]
    NotFetched {
        /// The mirror.
        path: PathBuf,
    },
    /// It belongs to another user, and git trusts those no further than it must.
    #[error(
        "{} belongs to another user: give it to ours (chown -R), or trust it as our user with \
         git config --global --add safe.directory {}", path.display(), path.display()
    )]
    NotOurs {
        /// The folder.
        path: PathBuf,
    },
    /// The kernel does not let us in.
    #[error("cannot look into {}", path.display())]
    Unreadable {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A format that libgit2 does not know: reftable, SHA-256.
    #[error(
        "the format of {} cannot be read here (SHA-256 cannot at all): for reftable run \
         git -C {} refs migrate --ref-format=files", path.display(), path.display()
    )]
    Unsupported {
        /// The repository.
        path: PathBuf,
        /// In the words of libgit2.
        #[source]
        source: git2::Error,
    },
    /// An object, a ref or the configuration is missing or damaged; it may also be in the middle of
    /// being written.
    #[error(
        "cannot read {what} of {}: if that lasts, see git -C {} fsck", path.display(), path.display()
    )]
    Corrupt {
        /// The repository.
        path: PathBuf,
        /// What was read.
        what: &'static str,
        /// In the words of libgit2.
        #[source]
        source: git2::Error,
    },
    /// The file is no file, but a link or a folder.
    #[error("{file} in {} is no regular file", path.display())]
    NotAFile {
        /// The repository.
        path: PathBuf,
        /// The file in it.
        file: String,
    },
    /// The file is longer than [`FILE_MAX`].
    #[error("{file} in {} has {bytes} bytes, and {FILE_MAX} is the most that is read", path.display())]
    TooBig {
        /// The repository.
        path: PathBuf,
        /// The file in it.
        file: String,
        /// Its length.
        bytes: u64,
    },
    /// More than [`LINES_MAX`] lines match.
    #[error(
        "more than {LINES_MAX} lines of {file} in {} are meant: make the pattern narrower",
        path.display()
    )]
    TooManyLines {
        /// The repository.
        path: PathBuf,
        /// The file in it.
        file: String,
    },
}
