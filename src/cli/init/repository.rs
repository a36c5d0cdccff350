//! The repository in which two loops meet: a bare one, and a clone for each. Not here: what is in
//! its first commit.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, anyhow};

use crate::cli::doctor::{all_output, on_path};
use crate::cli::failure::Failure;
use crate::cli::init::{make_folder, write_new};

/// Everything here is on the local disk and small.
const LIMIT: Duration = Duration::from_secs(30);

/// What became of it.
pub(in crate::cli) enum Made {
    /// `work.git`, `builder` and `adversary` are there.
    Clones,
    /// Only the first files are, in `builder`, and why.
    Explained(&'static str),
}

/// Makes it in `dir`, with `files` in its first commit. Nothing of it is there yet.
pub(in crate::cli) fn make(dir: &Path, files: &[(&str, &str)]) -> Result<Made, Failure> {
    let builder = dir.join("builder");
    make_folder(&builder)?;
    for (name, text) in files {
        let file = builder.join(name);
        write_new(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    if on_path("git", &[]).is_none() {
        return Ok(Made::Explained("there is no git on PATH"));
    }
    git(dir, &["init", "--quiet", "--bare", "work.git"])?;
    // Said in this way since long before `init -b`.
    git(&dir.join("work.git"), &["symbolic-ref", "HEAD", "refs/heads/main"])?;
    git(&builder, &["init", "--quiet"])?;
    git(&builder, &["symbolic-ref", "HEAD", "refs/heads/main"])?;
    // A path that stays right when the whole folder is moved is none that git would follow.
    let origin = dir.join("work.git");
    let origin = origin.to_str().ok_or_else(|| {
        Failure::failed(format!("git needs a folder whose name is text: not {}", dir.display()))
    })?;
    git(&builder, &["remote", "add", "origin", origin])?;
    identify(&builder, "builder")?;
    git(&builder, &["add", "--all"])?;
    let message = "Begin: status, review, backlog, journal and decisions";
    git(&builder, &["commit", "--quiet", "--message", message])?;
    git(&builder, &["push", "--quiet", "--set-upstream", "origin", "main"])?;
    git(dir, &["clone", "--quiet", origin, "adversary"])?;
    identify(&dir.join("adversary"), "adversary")?;
    Ok(Made::Clones)
}

/// The commands that do the same.
pub(super) fn by_hand(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        "       git init --bare --initial-branch=main {dir}/work.git
       cd {dir}/builder && git init --initial-branch=main && git config user.name builder
       git config user.email builder@localhost && git add --all && git commit -m Begin
       git remote add origin {dir}/work.git && git push -u origin main
       git clone {dir}/work.git {dir}/adversary && cd {dir}/adversary
       git config user.name adversary && git config user.email adversary@localhost"
    )
}

/// Who commits is seen in the log, and a commit needs no identity of the user's.
fn identify(clone: &Path, name: &str) -> Result<(), Failure> {
    git(clone, &["config", "user.name", name])?;
    git(clone, &["config", "user.email", &format!("{name}@localhost")])
}

/// Runs git there, with nothing of the user's in its way.
pub(in crate::cli) fn git(folder: &Path, words: &[&str]) -> Result<(), Failure> {
    let mut command = Command::new("git");
    // Neither the repository that we may be called in, nor the user's hooks and signatures.
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"] {
        command.env_remove(variable);
    }
    command.env("GIT_TERMINAL_PROMPT", "0").current_dir(folder);
    command.args(["-c", "core.hooksPath=/dev/null", "-c", "commit.gpgSign=false"]).args(words);
    let (status, said) =
        all_output(&mut command, LIMIT).map_err(|why| anyhow!("git {why}: {}", words.join(" ")))?;
    if status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&said);
    let why = said.lines().last().unwrap_or("it does not say why");
    let (folder, words) = (folder.display(), words.join(" "));
    Err(anyhow!(
        "`git {words}` failed in {folder}: {why}; the files are written: make the repository by hand, \
         or repair that, remove the folder and begin again"
    )
    .into())
}
