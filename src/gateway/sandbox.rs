//! A gateway that no systemd unit confines confines itself (Landlock): it writes its own folders and
//! NanoClaw's, reads what it is configured with and the system's own files, and executes nothing
//! but itself. Whoever breaks into it has no more. Not here: users and capabilities.

use std::fmt;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr as _,
    RulesetCreated, RulesetCreatedAttr as _, RulesetError, RulesetStatus,
};

use super::server;
use crate::config::Gateway;

/// What we know how to forbid; an older kernel forbids what it can.
const KNOWN: ABI = ABI::V5;

/// What is read besides our own: certificates, name resolution, time zones, libraries, processes.
const SYSTEM: [&str; 10] = [
    "/etc",
    "/usr",
    "/lib",
    "/lib64",
    "/nix/store",
    "/proc",
    "/run/systemd/resolve",
    "/run/current-system",
    "/var/lib/ca-certificates",
    "/dev/urandom",
];
/// What is written besides our own.
const SINKS: [&str; 1] = ["/dev/null"];

/// How far we are confined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confined {
    /// By the systemd unit that started us.
    BySystemd,
    /// By ourselves, in all that we know to forbid.
    Whole,
    /// By ourselves, in what this kernel can forbid.
    InPart,
    /// Not at all: this kernel cannot.
    Not,
}

impl fmt::Display for Confined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BySystemd => "confined by its systemd unit",
            Self::Whole => "confined by Landlock: writes only its own folders and NanoClaw's",
            Self::InPart => "confined by Landlock as far as this kernel can",
            Self::Not => {
                "not confined: this kernel has no Landlock, and no systemd unit started it"
            }
        })
    }
}

/// Confines this thread and all that it starts. To be called before any other thread is there.
///
/// # Errors
/// The kernel refuses what it says it can do.
pub fn confine(config: &Gateway, config_file: Option<&Path>) -> Result<Confined, RulesetError> {
    // systemd sets it for each unit it starts; the supervisor takes it from what it starts.
    if std::env::var_os("INVOCATION_ID").is_some() {
        return Ok(Confined::BySystemd);
    }
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let devices = AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev;
    let write = AccessFs::from_all(KNOWN) & !(devices | AccessFs::Execute);
    let mut rules = Ruleset::default().handle_access(AccessFs::from_all(KNOWN))?.create()?;
    for path in SYSTEM.map(PathBuf::from).into_iter().chain(own_files(config, config_file)) {
        rules = allow(rules, &path, read)?;
    }
    for path in SINKS {
        rules = allow(rules, Path::new(path), read | AccessFs::WriteFile)?;
    }
    for path in own_folders(config) {
        rules = allow(rules, path, write)?;
    }
    for path in own_image() {
        rules = allow(rules, &path, read | AccessFs::Execute)?;
    }
    Ok(match rules.restrict_self()?.ruleset {
        RulesetStatus::FullyEnforced => Confined::Whole,
        RulesetStatus::PartiallyEnforced => Confined::InPart,
        RulesetStatus::NotEnforced => Confined::Not,
    })
}

/// A path that is not there needs no permission.
fn allow(
    rules: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    let Ok(opened) = PathFd::new(path) else { return Ok(rules) };
    let access = if path.is_dir() { access } else { access & AccessFs::from_file(KNOWN) };
    rules.add_rule(PathBeneath::new(opened, access))
}

/// The folders of the configuration and of every secret: a secret that is rotated is another file.
fn own_files(config: &Gateway, config_file: Option<&Path>) -> Vec<PathBuf> {
    let azure = config.azure_devops.iter();
    let azure = azure.flat_map(|it| {
        it.secret_files.iter().chain(it.reconcile.iter().map(|reconcile| &reconcile.token_file))
    });
    let github = config.github.iter().flat_map(|it| &it.secret_files);
    let agents = config.groups.values().filter_map(|group| group.token_file.as_ref());
    let files = azure.chain(github).chain(agents).chain(&config.relay.secret_file);
    let files = files.map(PathBuf::as_path).chain(config_file);
    files.filter_map(Path::parent).map(Path::to_path_buf).collect()
}

fn own_folders(config: &Gateway) -> Vec<&Path> {
    let mut folders = server::socket_folders(config);
    folders.push(&config.state_dir);
    folders.extend(config.nanoclaw.as_deref());
    folders
}

/// Our own binary and what loads it, so that we can become it once more.
fn own_image() -> Vec<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let loader = maps.lines().filter_map(|line| line.split_ascii_whitespace().nth(5));
    let loader = loader.filter(|path| path.contains("/ld-")).map(PathBuf::from).next();
    std::env::current_exe().ok().into_iter().chain(loader).collect()
}
