//! `init loops`: what it writes can be used as it is, and nothing that is there is ever touched.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const SUPERVISOR: &str = env!("CARGO_BIN_EXE_supervisor");

/// Every file that is written, and those that the repository begins with.
const FILES: [&str; 7] = [
    ".gitignore",
    "config.toml",
    "plan/IDEAS.md",
    "plan/plan.md",
    "prompts/adversary.md",
    "prompts/builder.md",
    "prompts/orchestrator.md",
];
const WORK: [&str; 6] =
    [".gitignore", "BACKLOG.md", "DECISIONS.md", "JOURNAL.md", "REVIEW.md", "STATUS.md"];

/// With a home of its own, so that no configuration of git's is anybody's.
fn command(home: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(SUPERVISOR);
    command.args(words).env("HOME", home).env("GIT_CONFIG_NOSYSTEM", "1");
    command.env_remove("XDG_CONFIG_HOME").env_remove("SUPERVISOR_CONFIG");
    command
}

fn run(home: &Path, words: &[&str]) -> Output {
    command(home, words).output().expect("it runs")
}

fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

fn succeeds(output: &Output) -> String {
    assert!(output.status.success(), "{}", said(output));
    said(output)
}

fn text(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files below a folder, but for git's own.
fn files(dir: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let is_git = path.file_name().is_some_and(|name| name == ".git" || name == "work.git");
            match path.is_dir() {
                true if is_git => {}
                true => folders.push(path),
                false => {
                    let name = path.strip_prefix(dir).expect("below it");
                    found.insert(name.to_str().expect("text").to_owned());
                }
            }
        }
    }
    found
}

fn git(clone: &Path, words: &[&str]) -> String {
    let output = Command::new("git").arg("-C").arg(clone).args(words).output().expect("git runs");
    succeeds(&output).trim().to_owned()
}

struct Folder {
    home: tempfile::TempDir,
    dir: PathBuf,
}

impl Folder {
    fn new() -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let dir = home.path().canonicalize().expect("it is there").join("forge it");
        Self { home, dir }
    }

    fn init(&self, more: &[&str]) -> Output {
        let words = ["init", "loops", self.dir.to_str().expect("text")];
        run(self.home.path(), &[&words, more].concat())
    }

    fn check(&self) -> String {
        let config = self.dir.join("config.toml");
        succeeds(&run(self.home.path(), &["check-config", config.to_str().expect("text")]))
    }
}

#[test]
fn a_plan_for_two_loops_is_written_with_a_repository_and_its_configuration_is_right() {
    let folder = Folder::new();
    let said = succeeds(&folder.init(&[]));
    assert!(said.contains("wrote 7 files") && said.contains("plan/plan.md"), "{said}");
    let dir = &folder.dir;
    let clones = ["builder", "adversary"];
    let work = clones.iter().flat_map(|clone| WORK.map(|name| format!("{clone}/{name}")));
    let all: BTreeSet<_> = FILES.map(str::to_owned).into_iter().chain(work).collect();
    assert_eq!(files(dir), all);
    let checked = folder.check();
    assert!(checked.contains("3 sessions"), "{checked}");
    // Nothing was left open in what was filled in.
    for name in ["config.toml", "prompts/orchestrator.md"] {
        let filled = text(dir.join(name));
        assert!(!filled.contains("@BUILDER") && !filled.contains("@DIR"), "{filled}");
    }
    // Both loops have the same first commit, under names of their own, and can push.
    let [builder, adversary] = clones.map(|clone| dir.join(clone));
    assert_eq!(git(&builder, &["rev-parse", "HEAD"]), git(&adversary, &["rev-parse", "HEAD"]));
    assert_eq!(git(&adversary, &["config", "user.name"]), "adversary");
    assert_eq!(git(&builder, &["status", "--porcelain", "--branch"]), "## main...origin/main");
    fs::write(adversary.join("REVIEW.md"), "PASS 1 D1\n").expect("written");
    git(&adversary, &["commit", "--all", "--quiet", "--message", "pass"]);
    git(&adversary, &["push", "--quiet"]);
    git(&builder, &["pull", "--quiet", "--rebase"]);
    assert_eq!(text(builder.join("REVIEW.md")), "PASS 1 D1\n");
}

#[test]
fn the_protocol_of_the_prompts_is_the_one_that_the_patterns_wait_for() {
    let folder = Folder::new();
    succeeds(&folder.init(&[]));
    let config: toml::Table = text(folder.dir.join("config.toml")).parse().expect("TOML");
    let builder = text(folder.dir.join("prompts/builder.md"));
    let adversary = text(folder.dir.join("prompts/adversary.md"));
    let plan = &config["plan"];
    for (prompt, heading) in [(&builder, "done"), (&builder, "blocked"), (&adversary, "done")] {
        let heading = plan[heading]["heading"].as_str().expect("text");
        assert!(prompt.contains(&format!("`{heading}`")), "{heading}");
    }
    let patterns: Vec<_> = config["handoffs"].as_array().expect("a list").iter().collect();
    let pattern = |at: usize| patterns[at]["pattern"].as_str().expect("text");
    assert_eq!((pattern(0), pattern(2)), ("^CLAIMED ", "^(PASS|FAIL|VETO) "));
    assert!(builder.contains("    CLAIMED {phase} D1 COMMIT"), "{builder}");
    assert!(adversary.contains("       PASS {phase} D1 COMMIT"), "{adversary}");
    assert_eq!(plan["consent"]["pattern"].as_str(), Some("^PASS {phase} {item}\\b"));
    // What the files begin with is neither a claim, nor a verdict, nor done, nor blocked.
    for name in WORK {
        for line in text(folder.dir.join("builder").join(name)).lines() {
            let words = ["CLAIMED", "PASS", "FAIL", "VETO", "## DONE", "## Blocked"];
            assert!(!words.iter().any(|word| line.starts_with(word)), "{name}: {line}");
        }
    }
    // Each owner, and each section, is one of a file that is there.
    for (place, _) in plan["owners"].as_table().expect("a table") {
        let (file, heading) = place.split_once('#').unwrap_or((place, ""));
        let there = text(folder.dir.join("builder").join(file));
        assert!(heading.is_empty() || there.contains(&format!("## {heading}\n")), "{place}");
    }
}

#[test]
fn what_is_there_is_left_as_it_is_and_nothing_is_added_to_it() {
    for there in ["config.toml", "plan/plan.md", "builder/x", "work.git/HEAD"] {
        let folder = Folder::new();
        let mine = folder.dir.join(there);
        fs::create_dir_all(mine.parent().expect("a folder")).expect("made");
        fs::write(&mine, "mine").expect("written");
        let output = folder.init(&[]);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        let first = there.split('/').next().expect("a word");
        assert!(said(&output).contains(first) && said(&output).contains("nothing is written"));
        assert_eq!(text(&mine), "mine");
        let own = if there.starts_with("work") { BTreeSet::new() } else { [there.into()].into() };
        assert_eq!(files(&folder.dir), own);
    }
    let folder = Folder::new();
    succeeds(&folder.init(&[]));
    let before = text(folder.dir.join("config.toml"));
    assert_eq!(folder.init(&[]).status.code(), Some(1));
    assert_eq!(text(folder.dir.join("config.toml")), before);
}

#[test]
fn without_git_the_commands_are_explained() {
    let folder = Folder::new();
    let words = ["init", "loops", folder.dir.to_str().expect("text")];
    let mut command = command(folder.home.path(), &words);
    let said = succeeds(&command.env("PATH", "/nowhere").output().expect("it runs"));
    assert!(said.contains("there is no git") && said.contains("git init --bare"), "{said}");
    assert!(folder.dir.join("builder/STATUS.md").exists());
    assert!(!folder.dir.join("adversary").exists());
    folder.check();
}

#[test]
fn a_launch_environment_gives_the_paths_the_intervals_and_the_repository() {
    let folder = Folder::new();
    let home = folder.home.path().canonicalize().expect("it is there");
    let plan = home.join("plan");
    fs::create_dir_all(plan.join("prompts")).expect("made");
    for name in ["prompts/builder.md", "prompts/adversary.md", "plan-phase1c-full.md"] {
        fs::write(plan.join(name), "mine").expect("written");
    }
    let script = plan.join("launch.sh");
    let lines = "#!/bin/bash\nHERE=\"$(cd \"$(dirname \"$0\")\" && pwd)\"\n\
                 CC_CI_REPO=${CC_CI_REPO:-https://git.example.org/ci.git}\n\
                 BUILDER_DIR=\"${BUILDER_DIR:-/srv/ci}\"\nADV_DIR=/srv/ci-adv\n\
                 ORCH_DIR=/srv/orch\nPLAN_DIR=$HERE\nPHASES=(1c 2)\n\
                 HANDOFF_INTERVAL=30\nWATCHDOG_INTERVAL=300\nWATCH_ORCHESTRATOR=0\n\
                 REMOTE_CONTROL=0\nTOKEN=hunter2\n";
    fs::write(&script, lines).expect("written");
    let told = succeeds(&folder.init(&["--from", script.to_str().expect("text")]));
    assert!(told.contains("ADV_DIR") && told.contains("left out: HERE, TOKEN"), "{told}");
    assert!(told.contains("git clone https://git.example.org/ci.git /srv/ci-adv"), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
    folder.check();
    let written = text(folder.dir.join("config.toml"));
    assert!(!written.contains("hunter2"), "{written}");
    let config: toml::Table = written.parse().expect("TOML");
    let sessions = &config["sessions"];
    assert_eq!(sessions["builder"]["directory"].as_str(), Some("/srv/ci"));
    assert_eq!(sessions["adversary"]["remote_control"].as_bool(), Some(false));
    assert_eq!(sessions["orchestrator"]["directory"].as_str(), Some("/srv/orch"));
    assert_eq!(sessions["orchestrator"]["watch"].as_bool(), Some(false));
    let prompt = plan.join("prompts/builder.md");
    assert_eq!(sessions["builder"]["prompt_file"].as_str(), prompt.to_str());
    let done = &config["plan"]["done"];
    assert_eq!(done["repo"].as_str(), Some("https://git.example.org/ci.git"));
    let phase = &config["plan"]["phases"][0];
    assert_eq!(phase["plan"].as_str(), plan.join("plan-phase1c-full.md").to_str());
    assert_eq!(config["handoffs"][0]["fetch"].as_str(), Some("30s"));
    assert_eq!(
        files(&folder.dir),
        [".gitignore", "config.toml", "prompts/orchestrator.md"].map(str::to_owned).into()
    );
}

#[test]
fn a_launch_environment_that_is_not_there_or_says_nothing_is_told() {
    let folder = Folder::new();
    let output = folder.init(&["--from", "/nowhere/launch.sh"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("/nowhere/launch.sh"), "{}", said(&output));
    assert!(!folder.dir.exists());
    let empty = folder.home.path().join("empty.sh");
    fs::write(&empty, "echo hello\n").expect("written");
    let told = succeeds(&folder.init(&["--from", empty.to_str().expect("text")]));
    assert!(told.contains("took nothing"), "{told}");
    folder.check();
    let output = run(folder.home.path(), &["init", "x", "--from", "y"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
}
