//! What only a remote has: fetched by the git program, which knows the user's keys and helpers, into
//! a bare mirror of our own, never into a clone of the agents. Nobody is asked for anything, host
//! keys are checked as the user's ssh does, and it ends in time.
//!
//! Addresses may carry secrets: they stand in the mirror's own configuration, not in arguments, and
//! in no error. Not here: how often is fetched, and reading what came ([`super::Reader`]).

mod remote;

use std::ffi::OsString;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use git2::{Config, Repository, RepositoryInitOptions};

use super::program::{self, ProgramError};
use crate::world::tmux::Spawner;

pub use remote::Remote;

/// The ref of a mirror that is the remote's HEAD.
pub(super) const HEAD: &str = "refs/mirror/HEAD";

/// A fetch that brings little takes a second or two; so long for the first one.
pub const CEILING: Duration = Duration::from_secs(60);

/// The longest part of what git says that is handed on, in characters.
const SAID_MAX: usize = 500;

/// What git is told to print when all went well: its status is the reaper's alone.
const WELL: &str = "supervisor: fetched";

/// The file in a mirror that says that it was fetched: before that, nothing is known of the remote.
const FETCHED: &str = "supervisor-fetched";

/// Whether a mirror was ever fetched. A look at one that was not is refused.
pub fn was_fetched(mirror: &Path) -> bool {
    mirror.join(FETCHED).exists()
}

/// Why nothing was fetched.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// The mirror could not be made.
    #[error("cannot make a mirror of {remote} in {}", path.display())]
    Make {
        /// The remote, without secrets.
        remote: String,
        /// The mirror.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// git said no.
    #[error("cannot fetch {remote}: {said}")]
    Refused {
        /// The remote, without secrets.
        remote: String,
        /// In the words of git, without secrets.
        said: String,
    },
    /// git gave no answer.
    #[error("cannot fetch {remote}")]
    NoAnswer {
        /// The remote, without secrets.
        remote: String,
        /// Why.
        #[source]
        source: ProgramError,
    },
}

/// Sees to it that the mirror is there and well; answers with its folder. To be done before each
/// [`fetch`], by one alone, and on a thread that may block.
///
/// # Errors
/// [`MirrorError::Make`].
pub fn prepare(state_dir: &Path, remote: &Remote) -> Result<PathBuf, MirrorError> {
    let path = remote.mirror(state_dir);
    make(&path, remote).map_err(|source| MirrorError::Make {
        remote: remote.shown(),
        path: path.clone(),
        source,
    })?;
    Ok(path)
}

fn make(path: &Path, remote: &Remote) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    if path.symlink_metadata().is_ok() {
        // Locks of a git that was killed; nobody else writes here.
        clear_locks(path, 0);
        if Repository::open_bare(path).is_err() || !has_head(path) {
            // It can be fetched again as a whole.
            fs::remove_dir_all(path)?;
        }
    }
    let folder = path.parent().unwrap_or(path);
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut options = RepositoryInitOptions::new();
    options.bare(true).external_template(false).no_reinit(false);
    let repo = Repository::init_opts(path, &options)?;
    // Its configuration holds the address.
    fs::set_permissions(path, Permissions::from_mode(0o700))?;
    let mut config = repo.config()?;
    if config.get_string("remote.origin.url").ok().as_deref() != Some(&remote.url) {
        config.set_str("remote.origin.url", &remote.url)?;
    }
    Ok(())
}

/// libgit2 opens what git does not take for a repository.
fn has_head(path: &Path) -> bool {
    fs::read(path.join("HEAD")).is_ok_and(|head| head.starts_with(b"ref: refs/heads/"))
}

fn clear_locks(folder: &Path, depth: usize) {
    /// Names of branches have a handful of parts.
    const DEEPEST: usize = 16;
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_refs = depth > 0 || entry.file_name() == "refs" || entry.file_name() == "objects";
        if entry.file_type().is_ok_and(|it| it.is_dir()) {
            if is_refs && entry.file_name() != "objects" && depth < DEEPEST {
                clear_locks(&path, depth + 1);
            }
        } else if path.extension().is_some_and(|it| it == "lock") {
            // One that stays makes the fetch fail, and that is told.
            let _ = fs::remove_file(&path);
        }
    }
}

/// Fetches all branches and HEAD of `remote` into `mirror`, which was prepared. The spawner's
/// children must lead groups of their own. `inherited` is our own environment; `git` and `sh` are
/// the programs by their whole paths.
///
/// # Errors
/// [`MirrorError`]; what was fetched before is still there.
pub async fn fetch(
    spawner: &dyn Spawner,
    programs: &Programs,
    mirror: &Path,
    remote: &Remote,
    inherited: Vec<(OsString, OsString)>,
) -> Result<(), MirrorError> {
    fetch_within(spawner, programs, mirror, remote, inherited, CEILING).await
}

/// The programs that a fetch needs, by their whole paths.
#[derive(Clone, Debug)]
pub struct Programs {
    /// `git`
    pub git: PathBuf,
    /// `sh`, which says how git ended.
    pub sh: PathBuf,
}

impl Programs {
    /// Looks in the folders of a `PATH`.
    ///
    /// # Errors
    /// The name of what is not there.
    pub fn find(path: &std::ffi::OsStr) -> Result<Self, &'static str> {
        let find = |name: &'static str| {
            let files = std::env::split_paths(path).filter(|it| it.is_absolute());
            files.map(|folder| folder.join(name)).find(|file| file.is_file()).ok_or(name)
        };
        Ok(Self { git: find("git")?, sh: find("sh")? })
    }
}

pub(super) async fn fetch_within(
    spawner: &dyn Spawner,
    programs: &Programs,
    mirror: &Path,
    remote: &Remote,
    inherited: Vec<(OsString, OsString)>,
    ceiling: Duration,
) -> Result<(), MirrorError> {
    let environment = environment(remote, inherited);
    let until = tokio::time::Instant::now() + ceiling;
    let mut with_head = true;
    loop {
        let argv = argv(programs, mirror, with_head);
        let left = until.saturating_duration_since(tokio::time::Instant::now());
        let answer = program::run(spawner, argv, environment.clone(), left).await;
        let answer = answer.map_err(|source| {
            let source = match source {
                ProgramError::TooSlow(_) => ProgramError::TooSlow(ceiling),
                other @ (ProgramError::Spawn(_) | ProgramError::Listen(_)) => other,
            };
            MirrorError::NoAnswer { remote: remote.shown(), source }
        })?;
        if String::from_utf8_lossy(&answer.stdout).lines().any(|line| line == WELL) {
            return note(mirror).map_err(|source| {
                let (remote, path) = (remote.shown(), mirror.to_owned());
                MirrorError::Make { remote, path, source: source.into() }
            });
        }
        let said = String::from_utf8_lossy(&answer.stderr).into_owned();
        // A remote without commits has no HEAD, and is no trouble.
        if with_head && said.contains("find remote ref HEAD") {
            with_head = false;
            continue;
        }
        if is_damage(&said) {
            // The next preparation makes it anew.
            let _ = fs::remove_file(mirror.join("HEAD"));
        }
        return Err(MirrorError::Refused { remote: remote.shown(), said: tidy(&said, remote) });
    }
}

/// Takes note that it was fetched.
fn note(mirror: &Path) -> io::Result<()> {
    if was_fetched(mirror) {
        return Ok(());
    }
    fs::write(mirror.join(FETCHED), "The supervisor has fetched all that is here.\n")
}

/// Whether git complains about our own side.
fn is_damage(said: &str) -> bool {
    let ours = said.lines().filter(|line| !line.starts_with("remote:"));
    let words =
        ["corrupt", "bad object", "missing blob", "missing tree", "not a git repository: '"];
    ours.into_iter().any(|line| words.iter().any(|word| line.contains(word)))
}

fn argv(programs: &Programs, mirror: &Path, with_head: bool) -> Vec<OsString> {
    let mut argv: Vec<OsString> = vec![programs.sh.clone().into(), "-c".into()];
    argv.push(format!("\"$@\" && echo '{WELL}'").into());
    argv.extend(["sh".into(), programs.git.clone().into(), "--git-dir".into(), mirror.into()]);
    for setting in [
        "core.hooksPath=/dev/null",
        "core.fsmonitor=false",
        "fetch.recurseSubmodules=false",
        "fetch.writeCommitGraph=false",
        // Tidied up within the ceiling, and by nobody who outlives it.
        "gc.autoDetach=false",
        "maintenance.autoDetach=false",
        // Slower than a kilobyte a second for 20 s is no fetch any more.
        "http.lowSpeedLimit=1000",
        "http.lowSpeedTime=20",
    ] {
        argv.extend(["-c".into(), setting.into()]);
    }
    let words = ["fetch", "--quiet", "--force", "--prune", "--no-tags", "--no-write-fetch-head"];
    argv.extend(words.map(OsString::from));
    argv.extend(["origin".into(), "+refs/heads/*:refs/heads/*".into()]);
    if with_head {
        argv.push(format!("+HEAD:{HEAD}").into());
    }
    argv
}

fn environment(remote: &Remote, inherited: Vec<(OsString, OsString)>) -> Vec<(OsString, OsString)> {
    /// Those of git that lead elsewhere, and those that ask somebody.
    const NOT: [&str; 9] = [
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_ASKPASS",
        "SSH_ASKPASS",
        "SSH_ASKPASS_REQUIRE",
        "GIT_NAMESPACE",
    ];
    let find = |wanted: &str| {
        let found = inherited.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.to_string_lossy().into_owned())
    };
    let users = || Config::open_default().ok()?.get_string("core.sshCommand").ok();
    let ssh = find("GIT_SSH_COMMAND").or_else(|| remote.ssh.clone()).or_else(users);
    let own_ssh = find("GIT_SSH").is_some() && ssh.is_none();
    let ssh = ssh.unwrap_or_else(|| "ssh".to_owned());
    let mut environment: Vec<(OsString, OsString)> = inherited;
    environment.retain(|(name, _)| {
        let name = name.to_string_lossy();
        let told = name.starts_with("GIT_TRACE") || name == "GIT_CURL_VERBOSE";
        !told && !NOT.contains(&&*name) && name != "GIT_SSH_COMMAND" && name != "LC_ALL"
    });
    let mut set = |name: &str, value: &str| environment.push((name.into(), value.into()));
    set("GIT_TERMINAL_PROMPT", "0");
    set("GIT_ASKPASS", "");
    set("SSH_ASKPASS", "");
    set("GCM_INTERACTIVE", "never");
    // No helper that an address could have run: `ext::` is a shell.
    set("GIT_ALLOW_PROTOCOL", "file:git:http:https:ssh");
    // Its words are looked at.
    set("LC_ALL", "C");
    // A program in GIT_SSH need not know options of OpenSSH.
    if !own_ssh {
        let words = "-o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=20";
        set("GIT_SSH_COMMAND", &format!("{ssh} {words}"));
    }
    environment
}

/// What git said, in one line and without the address.
fn tidy(said: &str, remote: &Remote) -> String {
    let said = said.replace(&remote.url, &remote.shown());
    let words: Vec<&str> = said.split_whitespace().collect();
    let words: Vec<String> = words.into_iter().map(without_secret).collect();
    let text: String =
        words.join(" ").chars().filter(|it| !it.is_control()).take(SAID_MAX).collect();
    if text.is_empty() { "git failed without a word".to_owned() } else { text }
}

/// A word, without the user and password of the address that may be in it.
fn without_secret(word: &str) -> String {
    match word.find("://") {
        Some(at) => {
            let start = word[..at].rfind(|it: char| !it.is_ascii_alphanumeric() && it != '+');
            let start = start.map_or(0, |at| at + 1);
            format!("{}{}", &word[..start], remote::shown(&word[start..]))
        }
        None => word.to_owned(),
    }
}

/// Removes the mirrors that nobody asks for any more. Blocks.
///
/// # Errors
/// As `read_dir` has them, but for one that is not there.
pub fn remove_others(state_dir: &Path, keep: &[Remote]) -> io::Result<()> {
    let keep: Vec<PathBuf> = keep.iter().map(|remote| remote.mirror(state_dir)).collect();
    let entries = match fs::read_dir(state_dir.join("mirrors")) {
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.extension().is_some_and(|it| it == "git") && !keep.contains(&path) {
            fs::remove_dir_all(path)?;
        }
    }
    Ok(())
}
