//! What does a session's work already when we come: an agent in its directory that somebody started
//! by hand, the tmux sessions and the watchdog of an older script, a systemd unit that starts it at
//! boot. Each with a sentence that says how to hand over. Not here: what is held because of it, and
//! who is told.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Survey, Whose};
use crate::decide::{Process, UnitName};

/// The sessions of the script that this program replaces, as it named them.
pub const OLD_SESSIONS: [&str; 4] =
    ["cc-ci-builder", "cc-ci-adv", "cc-ci-watchdog", "cc-ci-orchestrator"];

/// The systemd unit that started it at boot.
pub const OLD_UNITS: [&str; 1] = ["cc-ci-loops.service"];

/// The scripts themselves.
const OLD_SCRIPTS: [&str; 2] = ["launch.sh", "launch-orchestrator.sh"];

/// Words with which such a script goes on and on.
const GOES_ON: [&str; 2] = ["watchdog", "_watchdog"];

/// Where systemd finds what is enabled on this machine.
pub const UNIT_FOLDERS: [&str; 2] = ["/etc/systemd/system", "/run/systemd/system"];

/// So long is the id of a conversation.
const UUID_LENGTH: usize = 36;

/// A larger file is no unit, and no script that starts one.
const FILE_MAX: u64 = 64 * 1024;

/// More units than this are not enabled.
const UNITS_MAX: usize = 4096;

/// Something that does our work already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InTheWay {
    /// Whose work, if it is one session's.
    pub unit: Option<UnitName>,
    /// The process whose end clears the way, if it is one.
    pub process: Option<Process>,
    /// The same for the same cause as long as it lasts.
    pub key: String,
    /// What it is.
    pub what: String,
    /// How it is handed over.
    pub remedy: String,
}

impl fmt::Display for InTheWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.remedy)
    }
}

/// The agents that work in the directories of our sessions and are not ours. Who may not be asked
/// where they work are not among them.
pub fn strangers(survey: &Survey, directories: &BTreeMap<UnitName, PathBuf>) -> Vec<InTheWay> {
    let mut found = Vec::new();
    for agent in &survey.agents {
        let ours = matches!(agent.whose, Whose::Ours(_));
        if ours || !agent.interactive || agent.contained || !agent.terminal {
            continue;
        }
        let Some(directory) = &agent.directory else { continue };
        let theirs = directories.iter().filter(|(_, of)| directory.starts_with(of));
        let Some((unit, _)) = theirs.max_by_key(|(_, of)| of.components().count()) else {
            continue;
        };
        let pid = agent.process.pid;
        let what = format!("{agent} works in {}, which is {unit}'s", directory.display());
        // Of an id and a name, the id is the one that no other conversation has.
        let id = agent.names.iter().find(|name| name.len() == UUID_LENGTH);
        let id = id.map_or("ID", String::as_str);
        let remedy = format!(
            "end it there (/exit in its terminal, or `kill {pid}`), and {unit} takes over; its \
             conversation can be kept by `resume = {id:?}`"
        );
        let key = format!("stranger {unit} {pid} {}", agent.process.start);
        let (unit, process) = (Some(unit.clone()), Some(agent.process));
        found.push(InTheWay { unit, process, key, what, remedy });
    }
    found
}

/// The watchdog of the old script, outside of our units.
pub fn watchdogs(survey: &Survey) -> Vec<InTheWay> {
    let old = survey.scripts.iter().filter(|it| {
        let mut words = it.arguments.iter().skip(1);
        let script = words.find(|word| is_old_script(word)).is_some();
        script && words.next().is_some_and(|word| GOES_ON.contains(&word.as_str()))
    });
    let found = old.map(|it| {
        let Process { pid, start } = it.process;
        let script = it.arguments.iter().find(|word| is_old_script(word));
        let script = script.map_or("launch.sh", String::as_str);
        InTheWay {
            unit: None,
            process: Some(it.process),
            key: format!("watchdog {pid} {start}"),
            what: format!(
                "the watchdog of an older script (pid {pid}, {script}) runs, and would start and \
                 kill sessions beside us"
            ),
            remedy: format!("end all of it with `{script} stop`, then `supervisor start --all`"),
        }
    });
    found.collect()
}

/// The old script's sessions, or others with one of `names`, among those of a tmux server.
pub fn sessions(socket: &Path, there: &[String], names: &BTreeSet<String>) -> Vec<InTheWay> {
    let old = |name: &&String| OLD_SESSIONS.contains(&name.as_str()) || names.contains(*name);
    let found = there.iter().filter(old).map(|name| InTheWay {
        unit: None,
        process: None,
        key: format!("tmux {name} {}", socket.display()),
        what: format!(
            "the tmux session {name} (in {}) is an older script's or a person's, and does what ours \
             would do",
            socket.display()
        ),
        remedy: format!(
            "look at it with `tmux -S {} attach -t '={name}'`, end it with `launch.sh stop` or `tmux \
             -S {} kill-session -t '={name}'`, then `supervisor start --all`",
            socket.display(),
            socket.display(),
        ),
    });
    found.collect()
}

/// The sockets of tmux servers that people start, of all users whose folders may be read.
/// `temporary` is what they have for `/tmp`.
pub fn tmux_sockets(temporary: &Path) -> Vec<PathBuf> {
    let entries = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = entries(temporary)
        .filter(|it| it.file_name().as_encoded_bytes().starts_with(b"tmux-"))
        .map(|it| it.path());
    let is_socket = |path: &PathBuf| {
        use std::os::unix::fs::FileTypeExt as _;
        fs::symlink_metadata(path).is_ok_and(|it| it.file_type().is_socket())
    };
    let sockets =
        folders.flat_map(|folder| entries(&folder).map(|it| it.path()).collect::<Vec<_>>());
    let mut sockets: Vec<_> = sockets.filter(is_socket).collect();
    sockets.sort_unstable();
    sockets
}

/// The enabled systemd units that do the same: those with the old one's name, and those that run
/// such a script or an agent program in one of `directories`. `folders` are those of systemd, such
/// as [`UNIT_FOLDERS`]. What may not be read is none.
pub fn units(folders: &[PathBuf], programs: &[&str], directories: &[PathBuf]) -> Vec<InTheWay> {
    let mut found: BTreeMap<String, InTheWay> = BTreeMap::new();
    for path in folders.iter().flat_map(|folder| enabled(folder)).take(UNITS_MAX) {
        let Some(name) = path.file_name().and_then(OsStr::to_str) else { continue };
        let Some(why) = same_work(name, &path, programs, directories) else { continue };
        let what = format!("the systemd unit {name} is enabled and {why}");
        let remedy = format!(
            "`systemctl disable --now {name}` (on NixOS take it out of the configuration), then \
             `supervisor start --all`"
        );
        let way = InTheWay { unit: None, process: None, key: format!("unit {name}"), what, remedy };
        found.entry(name.to_owned()).or_insert(way);
    }
    found.into_values().collect()
}

/// What a target pulls in is enabled.
fn enabled(folder: &Path) -> Vec<PathBuf> {
    let entries = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
    let pulls = |path: &Path| {
        path.extension().is_some_and(|extension| extension == "wants" || extension == "requires")
    };
    let targets = entries(folder).map(|it| it.path()).filter(|path| pulls(path));
    let units = targets.flat_map(|target| entries(&target).map(|it| it.path()).collect::<Vec<_>>());
    units.filter(|unit| unit.extension().is_some_and(|it| it == "service")).collect()
}

fn same_work(
    name: &str,
    path: &Path,
    programs: &[&str],
    directories: &[PathBuf],
) -> Option<&'static str> {
    if OLD_UNITS.contains(&name) {
        return Some("starts an older script at boot that does what we do");
    }
    let text = read(path)?;
    let mut scripts = String::new();
    let value = |line: &str, key: &str| Some(line.trim().strip_prefix(key)?.to_owned());
    let commands: Vec<String> = text
        .lines()
        .filter_map(|line| value(line, "ExecStart=").or_else(|| value(line, "ExecStartPre=")))
        .collect();
    // NixOS puts the lines of a unit into a script of their own.
    for command in &commands {
        let program = command.split_whitespace().next().unwrap_or_default();
        let program = Path::new(program.trim_start_matches(['@', '-', ':', '+', '!']));
        let is_text = |text: &String| text.starts_with("#!");
        scripts.extend(read(program).filter(is_text));
    }
    let words = commands.iter().flat_map(|it| it.split_whitespace());
    let words: Vec<&str> = words.chain(scripts.split_whitespace()).collect();
    let bare = |word: &&str| word.trim_matches(['"', '\'', ';']).to_owned();
    let is_program = |word: &&str| {
        let word = bare(word);
        programs.contains(&word.rsplit('/').next().unwrap_or_default())
    };
    if words.iter().any(|word| is_old_script(&bare(word))) {
        return Some("runs an older script that does what we do");
    }
    let there = |it: &PathBuf| {
        it.to_str().is_some_and(|it| it.len() > 1 && (text.contains(it) || scripts.contains(it)))
    };
    (words.iter().any(is_program) && directories.iter().any(there))
        .then_some("starts an agent in the directory of one of our sessions")
}

fn read(path: &Path) -> Option<String> {
    let metadata = fs::metadata(path).ok()?;
    if !metadata.is_file() || metadata.len() > FILE_MAX {
        return None;
    }
    fs::read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn is_old_script(word: &str) -> bool {
    OLD_SCRIPTS.contains(&word.rsplit('/').next().unwrap_or_default())
}
