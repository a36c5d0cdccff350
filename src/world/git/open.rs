//! Opening a repository wherever it lies, and the commits that are looked at: HEAD, and the branch
//! of the remote as it was fetched. Not here: what is in the commits.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use git2::{Commit, ErrorClass, ErrorCode, Oid, Repository, RepositoryOpenFlags, RepositoryState};

use super::{FILE_MAX, GitError};

/// How many digits of a commit are shown to people.
const SHORT: usize = 10;

/// A symbolic link, among the modes of a tree.
const MODE_LINK: i32 = 0o120_000;

/// Which commits of a repository are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tips {
    /// HEAD, and what was fetched of its branch on the remote.
    Clone,
    /// This branch of a mirror of ours; none is the one that the remote's HEAD names.
    Mirror(Option<String>),
}

/// One of the commits that are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WhichTip {
    /// What is checked out; in a mirror, the branch.
    Head,
    /// The remote's branch, as the clone has fetched it.
    Upstream,
}

/// A commit that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tip {
    /// As which.
    pub which: WhichTip,
    /// The commit, 40 digits.
    pub commit: String,
    /// When it was committed, by the committer's clock.
    pub committed_at: SystemTime,
}

/// An open repository with the path that it is known by.
pub(super) struct Opened {
    pub(super) repo: Repository,
    pub(super) path: PathBuf,
    /// Where `path` lies in the working tree: empty but for a subfolder.
    prefix: PathBuf,
}

impl Opened {
    /// Opens the repository that `path` is in: a worktree or a folder of one, or a bare one.
    pub(super) fn at(path: &Path) -> Result<Self, GitError> {
        let unreadable = |source: io::Error| match source.kind() == io::ErrorKind::NotFound {
            true => GitError::NotThere { path: path.to_owned() },
            false => GitError::Unreadable { path: path.to_owned(), source },
        };
        let real = fs::canonicalize(path).map_err(unreadable)?;
        fs::read_dir(&real).map_err(unreadable)?;
        let nowhere: [&Path; 0] = [];
        let repo = Repository::open_ext(&real, RepositoryOpenFlags::empty(), nowhere)
            .map_err(|source| not_opened(path, source))?;
        let inside = |folder: &Path| folder.canonicalize().ok();
        let in_git = inside(repo.path()).is_some_and(|git| real.starts_with(git));
        let prefix = repo.workdir().and_then(inside).filter(|_| !in_git);
        let prefix = prefix.and_then(|top| real.strip_prefix(top).map(Path::to_owned).ok());
        Ok(Self { repo, path: path.to_owned(), prefix: prefix.unwrap_or_default() })
    }

    /// The path in the tree of a file that is named from where the repository was opened.
    pub(super) fn in_tree(&self, file: &str) -> PathBuf {
        let file = Path::new(file);
        self.prefix.join(file.strip_prefix("./").unwrap_or(file))
    }

    /// An error in reading `what`.
    pub(super) fn corrupt(&self, what: &'static str) -> impl Fn(git2::Error) -> GitError {
        let path = self.path.clone();
        move |source| GitError::Corrupt { path: path.clone(), what, source }
    }

    /// The commits to be looked at that there are.
    pub(super) fn tips(&self, tips: &Tips) -> Result<Vec<(WhichTip, Oid)>, GitError> {
        // Without commits it would look like a remote that has none, and all it has like news.
        if *tips != Tips::Clone && !super::mirror::was_fetched(self.repo.path()) {
            return Err(GitError::NotFetched { path: self.path.clone() });
        }
        let found = match tips {
            Tips::Mirror(None) => vec![(WhichTip::Head, self.commit_of(super::mirror::HEAD)?)],
            Tips::Mirror(Some(branch)) => {
                vec![(WhichTip::Head, self.commit_of(&format!("refs/heads/{branch}"))?)]
            }
            Tips::Clone => {
                vec![
                    (WhichTip::Head, self.commit_of("HEAD")?),
                    (WhichTip::Upstream, self.upstream()?),
                ]
            }
        };
        Ok(found.into_iter().filter_map(|(which, oid)| Some((which, oid?))).collect())
    }

    /// The commit that a ref leads to; none if there is no such ref, or nothing at its end.
    fn commit_of(&self, name: &str) -> Result<Option<Oid>, GitError> {
        let reference = self.repo.find_reference(name).and_then(|it| it.resolve());
        match reference.and_then(|it| it.peel_to_commit()) {
            Ok(commit) => Ok(Some(commit.id())),
            Err(error)
                if error.code() == ErrorCode::NotFound
                    && error.class() == ErrorClass::Reference =>
            {
                Ok(None)
            }
            Err(error) if error.code() == ErrorCode::InvalidSpec => Ok(None),
            Err(source) => Err(self.corrupt("a ref")(source)),
        }
    }

    fn upstream(&self) -> Result<Option<Oid>, GitError> {
        let Some(branch) = self.branch() else { return Ok(None) };
        let configured = self.repo.branch_upstream_name(&branch).ok();
        let configured = configured.and_then(|name| String::from_utf8(name.to_vec()).ok());
        let name = configured.or_else(|| {
            let short = branch.strip_prefix("refs/heads/")?;
            Some(format!("refs/remotes/origin/{short}"))
        });
        name.map_or(Ok(None), |name| self.commit_of(&name))
    }

    /// The branch that is checked out, also while it is being rebased.
    pub(super) fn branch(&self) -> Option<String> {
        let head = self.repo.find_reference("HEAD").ok()?;
        if let Some(name) = head.symbolic_target_bytes() {
            return String::from_utf8(name.to_vec()).ok();
        }
        let rebased = ["rebase-merge/head-name", "rebase-apply/head-name"];
        let name = rebased.iter().find_map(|it| fs::read_to_string(self.repo.path().join(it)).ok());
        name.map(|name| name.trim().to_owned()).filter(|name| name.starts_with("refs/heads/"))
    }

    /// Whether nothing is half done: no rebase, merge, cherry-pick, revert or bisect.
    pub(super) fn is_settled(&self) -> bool {
        self.repo.state() == RepositoryState::Clean
    }

    pub(super) fn commit(&self, id: Oid) -> Result<Commit<'_>, GitError> {
        self.repo.find_commit(id).map_err(self.corrupt("a commit"))
    }

    /// The blob of a file in a commit; none if the commit has no such file.
    pub(super) fn blob_at(
        &self,
        commit: &Commit<'_>,
        file: &Path,
    ) -> Result<Option<Oid>, GitError> {
        let tree = commit.tree().map_err(self.corrupt("a tree"))?;
        match tree.get_path(file) {
            Ok(entry)
                if entry.kind() == Some(git2::ObjectType::Blob)
                    && entry.filemode() != MODE_LINK =>
            {
                Ok(Some(entry.id()))
            }
            Ok(_) => Ok(None),
            Err(error)
                if error.code() == ErrorCode::NotFound && error.class() == ErrorClass::Tree =>
            {
                Ok(None)
            }
            Err(source) => Err(self.corrupt("a tree")(source)),
        }
    }

    /// What is in a blob.
    pub(super) fn content(&self, blob: Oid, file: &Path) -> Result<Vec<u8>, GitError> {
        let database = self.repo.odb().map_err(self.corrupt("the objects"))?;
        let (bytes, _) = database.read_header(blob).map_err(self.corrupt("a file"))?;
        if bytes > FILE_MAX {
            let file = file.to_string_lossy().into_owned();
            return Err(GitError::TooBig { path: self.path.clone(), file, bytes: bytes as u64 });
        }
        let blob = self.repo.find_blob(blob).map_err(self.corrupt("a file"))?;
        Ok(blob.content().to_vec())
    }
}

fn not_opened(path: &Path, source: git2::Error) -> GitError {
    let path = path.to_owned();
    let says = |word| source.message().contains(word);
    if source.code() == ErrorCode::Owner {
        GitError::NotOurs { path }
    } else if says("extension") || says("object format") || says("format version") {
        GitError::Unsupported { path, source }
    } else if source.code() == ErrorCode::NotFound && source.class() == ErrorClass::Repository {
        GitError::NotARepository { path }
    } else {
        GitError::Corrupt { path, what: "the repository", source }
    }
}

/// The first digits of a commit, as people are shown them.
pub(super) fn short(commit: &str) -> String {
    commit.get(..SHORT).unwrap_or(commit).to_owned()
}

/// A time as git has it; what is before the epoch or absurd is the epoch.
pub(super) fn time(seconds: i64) -> SystemTime {
    let seconds = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
    SystemTime::UNIX_EPOCH.checked_add(seconds).unwrap_or(SystemTime::UNIX_EPOCH)
}
