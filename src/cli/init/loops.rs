//! `init loops`: everything that a builder, an adversary and an orchestrator need to begin with: the
//! configuration, their prompts, a plan, and a repository with a clone for each loop. All of it is
//! made or, if anything of it is there already, nothing.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::fill::Values;
use super::launch::Launch;
use super::repository::{self, Made};
use super::{make_folder, write_new};
use crate::cli::failure::Failure;
use crate::cli::render::{count, put};

/// Where the agents' keys may be put; its name is in `.gitignore`.
const SECRETS: &str = "secrets.env";

const CONFIG: &str = include_str!("loops/config.toml");
const BUILDER: &str = include_str!("loops/prompts/builder.md");
const ADVERSARY: &str = include_str!("loops/prompts/adversary.md");
const ORCHESTRATOR: &str = include_str!("loops/prompts/orchestrator.md");

/// The plan, and what lies beside it.
const PLAN: [(&str, &str); 2] = [
    ("plan/plan.md", include_str!("loops/plan/plan.md")),
    ("plan/IDEAS.md", include_str!("loops/plan/IDEAS.md")),
];

/// What the loops begin with in their repository.
const WORK: [(&str, &str); 6] = [
    ("STATUS.md", include_str!("loops/work/STATUS.md")),
    ("REVIEW.md", include_str!("loops/work/REVIEW.md")),
    ("BACKLOG.md", include_str!("loops/work/BACKLOG.md")),
    ("JOURNAL.md", include_str!("loops/work/JOURNAL.md")),
    ("DECISIONS.md", include_str!("loops/work/DECISIONS.md")),
    (".gitignore", include_str!("loops/work/gitignore")),
];

/// Writes all of it into `dir`, with what the launch environment in `from` says.
pub(super) fn run(dir: &Path, from: Option<&Path>) -> Result<(), Failure> {
    let launch = from.map(Launch::read).transpose()?;
    make_folder(dir)?;
    let dir = fs::canonicalize(dir).with_context(|| format!("cannot look at {}", dir.display()))?;
    let values = Values::new(&dir, launch.as_ref());
    let files = files(&dir, &values);
    let folders: Vec<PathBuf> = if values.makes_repository {
        ["work.git", "builder", "adversary"].map(|name| dir.join(name)).into()
    } else {
        Vec::new()
    };
    refuse_to_overwrite(&dir, files.iter().map(|(path, _)| path).chain(&folders))?;
    for (path, text) in &files {
        if let Some(parent) = path.parent() {
            make_folder(parent)?;
        }
        write_new(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let made = if values.makes_repository { Some(repository::make(&dir, &WORK)?) } else { None };
    put(&next(&dir, &values, files.len(), made, launch.as_ref()))
}

/// What is written besides the repository.
fn files(dir: &Path, values: &Values) -> Vec<(PathBuf, String)> {
    let mut files = vec![
        ("config.toml", values.fill(CONFIG)),
        (".gitignore", include_str!("loops/gitignore").to_owned()),
        ("prompts/orchestrator.md", values.fill(ORCHESTRATOR)),
    ];
    if values.own_prompts.is_none() {
        files.push(("prompts/builder.md", BUILDER.to_owned()));
        files.push(("prompts/adversary.md", ADVERSARY.to_owned()));
    }
    if values.writes_plan {
        files.extend(PLAN.map(|(name, text)| (name, text.to_owned())));
    }
    files.into_iter().map(|(name, text)| (dir.join(name), text)).collect()
}

fn refuse_to_overwrite<'p>(
    dir: &Path,
    paths: impl Iterator<Item = &'p PathBuf>,
) -> Result<(), Failure> {
    let there: Vec<String> = paths
        .filter(|path| fs::symlink_metadata(path).is_ok())
        .map(|path| path.strip_prefix(dir).unwrap_or(path).display().to_string())
        .collect();
    if there.is_empty() {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "{} has {} already, and nothing is written: name another folder, or move them away",
        dir.display(),
        there.join(", ")
    )))
}

/// What was done, and what a person does now.
fn next(
    dir: &Path,
    values: &Values,
    files: usize,
    made: Option<Made>,
    launch: Option<&Launch>,
) -> String {
    let shown = dir.display();
    let mut said = format!("wrote {} into {shown}\n", count(files, "file"));
    for line in launch.map(Launch::report).unwrap_or_default() {
        said.push_str(&format!("{line}\n"));
    }
    let mut steps = Vec::new();
    match made {
        Some(Made::Clones) => said.push_str(&format!(
            "made the repository {shown}/work.git and its clones {shown}/builder and \
             {shown}/adversary; each commits under its own name (`git config user.name` there)\n"
        )),
        Some(Made::Explained(why)) => {
            said.push_str(&format!("{why}: the first files are in {shown}/builder\n"));
            steps
                .push(format!("make the repository and its clones:\n{}", repository::by_hand(dir)));
        }
        None => {
            let missing = values.missing_clones();
            if !missing.is_empty() {
                steps.push(format!("clone what is not there yet:\n{}", missing.join("\n")));
            }
        }
    }
    if values.writes_plan {
        steps.push(format!(
            "say what is to be built, and the items D1, D2, … by which it is done, in \
             {shown}/plan/plan.md; their names also in `items` of config.toml"
        ));
    }
    if values.own_prompts.is_some() {
        steps.push(
            "compare the patterns in config.toml with what your own prompts tell the loops to write \
             (those of `supervisor init loops` in another folder show the protocol they fit)"
                .to_owned(),
        );
    }
    steps.push(format!(
        "if the agents have no login of yours, put their key into {shown}/{SECRETS} (mode 0600), and \
         take the # away before `environment_file`"
    ));
    if rustix::process::geteuid().is_root() {
        steps.push(
            "claude refuses --dangerously-skip-permissions to root: run the supervisor as another \
             user, or, if this machine may be lost, give each session `environment = { IS_SANDBOX = \
             \"1\" }`"
                .to_owned(),
        );
    }
    steps.push("say in `[notify]` who is told".to_owned());
    steps.push(format!("supervisor --config {shown}/config.toml doctor"));
    steps.push(format!("supervisor --config {shown}/config.toml run"));
    said.push_str("next:\n");
    for (index, step) in steps.iter().enumerate() {
        said.push_str(&format!("  {}. {step}\n", index + 1));
    }
    said
}
