//! How the daemon begins: everything it needs is opened, in the order in which one thing needs the
//! other, and the boot is logged before anything is started.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::agents::{self, Agents};
use super::census::Census;
use super::hands::Hands;
use super::plan::{self, Plan};
use super::policy::policy;
use super::reexec::Inherited;
use super::shared::{LeafSpawner, Shared, fork, instance};
use super::signals::Signals;
use super::telling::{Pulse, Telling};
use super::told::chain;
use super::turn::{Daemon, TICK, said_to_systemd};
use super::{control, log_keeping, logging};
use crate::config::Config;
use crate::decide::{Exit, Saved as Wishes, UnitKind, UnitName, Watchdog};
use crate::protocol::{Reboot, RebootStatus};
use crate::world::boot::{Boot, BootIdError, boot_id, kernel_release};
use crate::world::cgroup::{Cgroups, Roots};
use crate::world::clock::{self, rfc3339};
use crate::world::files::{self, FileError};
use crate::world::git;
use crate::world::journal::Journal;
use crate::world::lock::LockError;
use crate::world::notify_socket::{Notifier, watchdog_interval};
use crate::world::reaper::{ChildSignals, Reaper};
use crate::world::records::Records;
use crate::world::spawn::{self, Launch, Stream};
use crate::world::tmux::Tmux;
use crate::world::{pidfd, random, reboots, saved};

/// Callers that may wait for the loop at once; further ones wait in their connection.
const CALLS: usize = 64;

/// The leaf in which a first child is born; no unit of that name would be in its way.
const PROBE_LEAF: &str = "probe";
/// A commit takes milliseconds; beyond this the disk hangs.
const COMMIT_CEILING: Duration = Duration::from_secs(60);
/// A child at its gate that is turned away ends within milliseconds.
const PROBE_CEILING: Duration = Duration::from_secs(5);

/// Why the daemon cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// A folder of ours is missing and cannot be made, or must not be used.
    #[error(
        "cannot use the folder {}: make it writable for this user, or name another in [supervisor]",
        path.display()
    )]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another supervisor runs on the same state, or the lock cannot be taken.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The kernel does not say which boot this is.
    #[error(transparent)]
    BootId(#[from] BootIdError),
    /// A file of ours can be neither read nor set aside.
    #[error("cannot read what was kept")]
    Kept(#[from] FileError),
    /// The control socket.
    #[error("cannot listen on {}", path.display())]
    Control {
        /// The socket.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something that every process can have.
    #[error("cannot set up {what}")]
    Process {
        /// What.
        what: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Opens everything. The runtime must be running.
pub(super) async fn boot(config: Config) -> Result<Daemon, BootError> {
    let since = clock::now();
    let mut inherited = Inherited::take();
    let paths = config.supervisor.clone();
    make_folders(&paths.state_dir, &paths.runtime_dir)?;
    let lock = inherited.lock(&paths.state_dir).await?;
    for folder in ["", "logs"].map(|name| paths.state_dir.join(name)) {
        files::remove_leftovers(&folder);
    }
    files::remove_leftovers(&paths.runtime_dir.join("launch"));
    logging::init(&paths.state_dir.join("logs/supervisor.log"));
    say_what_is_not_acted_on(&config);

    let process = |what| move |source| BootError::Process { what, source };
    let signals = Signals::install().map_err(process("the signal handlers"))?;
    let children = ChildSignals::new().map_err(process("the notices of dead children"))?;
    spawn::make_subreaper().map_err(process("the adoption of orphans"))?;

    let boot_id = boot_id(&paths.boot_id_file)?;
    let (boot, notes) = Boot::begin(&paths.state_dir, &boot_id, since)?;
    let (loaded, aside) = saved::load_newest(&paths.state_dir, &paths.runtime_dir)?;
    let (records, more) = Records::load_all(&paths.runtime_dir, &boot_id)?;
    notes.iter().chain(&loaded.notes).chain(&more).for_each(|note| tracing::error!("{note}"));
    let is_new_boot = log_reboot(&paths.reboot_log, &boot_id, &boot, since);

    if is_new_boot && paths.commit_reboots {
        tokio::task::spawn_local(commit_reboot(paths.reboot_log.clone(), boot_id.clone()));
    }

    let kept = loaded.saved;
    let drained = kept.drained_boot.as_ref() == Some(&boot_id);
    let wishes = Wishes {
        wishes: kept.wishes.clone(),
        drained: if drained { kept.drained.clone() } else { Default::default() },
        conversations: kept.conversations.clone(),
        messages: kept.messages.clone(),
        remedies: kept.remedies.clone(),
        because: kept.because.clone(),
        plan: kept.plan.clone(),
    };
    let (tmux, holds) = find_tmux(&config).await;
    let mut policy = policy(&config, &holds);
    policy.boots = boots(&reboot_status(&paths.reboot_log));
    let in_records = records.units().iter().map(|(name, kept)| (name.clone(), kept.record.clone()));
    let in_records: BTreeMap<_, _> = in_records.collect();
    let limits = records.units().iter().map(|(name, kept)| (name, kept.anchor.limits.clone()));
    let limits = limits.filter(|(_, limits)| !limits.is_empty());
    let limits = limits.map(|(name, limits)| (name.clone(), limits)).collect();
    // Feeds the jitter; two daemons must not come back in step.
    let seed = random::number();
    let watchdog = Watchdog::new(policy, &wishes, &in_records, since, seed);

    let socket = paths.runtime_dir.join("control.sock");
    let listener = match inherited.listener(&socket) {
        Some(listener) => listener,
        None => control::bind(&socket)
            .map_err(|source| BootError::Control { path: socket.clone(), source })?,
    };
    let (post, events) = mpsc::unbounded_channel();
    let (call, calls) = mpsc::channel(CALLS);
    let (ask_reexec, reexecs) = mpsc::channel(1);
    let snapshots = watch::Sender::new(None);
    let serving = listener.try_clone().map_err(process("the control socket"))?;
    tokio::task::spawn_local(serve(serving, call, snapshots.clone()));

    let instance = instance(&paths.state_dir);
    let reaper = Rc::new(RefCell::new(Reaper::new()));
    let shared = Rc::new(Shared {
        cgroups: find_cgroups(&instance).await,
        instance,
        events: post,
        posted: Cell::default(),
        handled: watch::Sender::new(0),
        records: RefCell::new(records),
        telling: Telling::begin(&config, &reaper),
        reaper,
        journal: RefCell::new(Journal::new(&paths.state_dir)),
        unwritten: RefCell::default(),
        census: Census::default(),
        tmux,
        binary: std::env::current_exe().unwrap_or_default(),
        limits: RefCell::new(limits),
        agents: Agents::default(),
        plan: Plan::default(),
        boot_id: boot_id.clone(),
        logs: log_keeping::LogKeeping::begin(&config).map_err(process("the watch over logs"))?,
        config,
    });
    shared.agents.set_conversations(&wishes.conversations);
    let plan = watchdog.saved().plan;
    shared.plan.set_phase(plan.phase.as_ref());
    tokio::task::spawn_local(plan::follow(Rc::clone(&shared), plan.heads));
    tokio::task::spawn_local(agents::watch_for_others(Rc::clone(&shared)));
    shared.restore_usage();
    shared.link_binary();
    let notifier = Notifier::from_environment().unwrap_or_else(|error| {
        tracing::warn!("systemd cannot be told anything: {}", chain(&error));
        Notifier::silent()
    });
    said_to_systemd(notifier.status("looking at what runs already"));
    Ok(Daemon {
        is_new_boot,
        pulse: Pulse::of(&shared.config, since.mono),
        hands: Hands::new(Rc::clone(&shared)),
        shared,
        watchdog,
        boot,
        reboots: reboot_status(&paths.reboot_log),
        boot_id,
        lock,
        listener,
        notifier,
        signals,
        children,
        events,
        calls,
        reexecs,
        ask_reexec,
        snapshots,
        waiters: Vec::new(),
        senders: Vec::new(),
        hooks: agents::open(&paths.runtime_dir.join("hooks")),
        saved: kept,
        unsaved: aside.then(|| ("no daemon could yet".to_owned(), since.mono)),
        draining: false,
        drained,
        ready: false,
        since,
        last_tick: since.mono,
        every: watchdog_interval().map_or(TICK, |interval| interval.min(TICK)),
    })
}

fn make_folders(state_dir: &Path, runtime_dir: &Path) -> Result<(), BootError> {
    let make = |path: PathBuf, mode| {
        let made = DirBuilder::new().recursive(true).mode(mode).create(&path);
        made.map_err(|source| BootError::Folder { path, source })
    };
    make(state_dir.to_owned(), 0o750)?;
    make(state_dir.join("logs"), 0o750)?;
    make(runtime_dir.to_owned(), 0o750)?;
    // Launch files hold environments, and a tmux socket is a shell as our user.
    make(runtime_dir.join("launch"), 0o700)?;
    make(runtime_dir.join("tmux"), 0o700)?;
    make(runtime_dir.join("units"), 0o700)?;
    make(runtime_dir.join("agents"), 0o700)?;
    make(runtime_dir.join("bin"), 0o755)?;
    for folder in [state_dir, runtime_dir] {
        let usable = rustix::fs::access(folder, rustix::fs::Access::WRITE_OK);
        usable
            .map_err(|errno| BootError::Folder { path: folder.to_owned(), source: errno.into() })?;
    }
    Ok(())
}

fn say_what_is_not_acted_on(config: &Config) {
    let version = env!("CARGO_PKG_VERSION");
    let file = config.file.as_deref().unwrap_or(Path::new("built-in"));
    tracing::info!(version, config = %file.display(), "starting");
    if !config.not_acted_on.is_empty() {
        let list = config.not_acted_on.join(", ");
        tracing::warn!("accepted, and not acted on by this version yet: {list}");
    }
}

/// Whether this boot was not logged before.
fn log_reboot(path: &Path, boot_id: &str, boot: &Boot, now: crate::decide::Now) -> bool {
    let kernel = kernel_release();
    let reboot = reboots::Reboot {
        boot_id,
        at: now.wall,
        kernel: &kernel,
        after: boot.after(),
        previous_uptime: boot.previous_uptime(),
    };
    // A boot that cannot be logged is no reason to leave the agents down.
    match reboots::ensure_logged(path, &reboot) {
        Ok(reboots::Logged::Appended) => {
            tracing::info!(boot_id, after = boot.after().as_str(), "a new boot, logged");
            true
        }
        Ok(reboots::Logged::Already) => false,
        Err(error) => {
            tracing::error!("{}", chain(&error));
            false
        }
    }
}

fn reboot_status(path: &Path) -> RebootStatus {
    let entries = reboots::read(path).unwrap_or_default();
    RebootStatus {
        count: entries.len(),
        last: entries
            .last()
            .map(|entry| Reboot { at: entry.at.map(rfc3339), boot_id: entry.boot_id.clone() }),
    }
}

/// Commits the line of this boot, and nothing else. One that cannot be committed is said; the next
/// boot's commit has it, too.
async fn commit_reboot(path: PathBuf, boot_id: String) {
    let file = path.clone();
    let commit = tokio::task::spawn_blocking(move || {
        git::commit_file(&file, &format!("REBOOTS.md: boot {boot_id}"))
    });
    match tokio::time::timeout(COMMIT_CEILING, commit).await {
        Ok(Ok(Ok(Some(commit)))) => tracing::info!(%commit, "the reboot is committed"),
        Ok(Ok(Ok(None))) => {}
        Ok(Ok(Err(error))) => tracing::warn!("{}", chain(&error)),
        Ok(Err(error)) => tracing::warn!(%error, "the reboot is not committed"),
        Err(_) => tracing::warn!(path = %path.display(), "committing the reboot hangs"),
    }
}

/// The reboots in words; empty if there was none.
fn boots(status: &RebootStatus) -> String {
    match status.last.as_ref().and_then(|last| last.at.as_ref()) {
        Some(at) => format!("{}, the last at {at}", status.count),
        None => String::new(),
    }
}

/// tmux, if a session needs it; and if it cannot be had, why each session is held.
async fn find_tmux(config: &Config) -> (Option<Tmux>, BTreeMap<UnitName, String>) {
    let sessions: Vec<_> =
        config.units.values().filter(|unit| unit.kind != UnitKind::Service).collect();
    if sessions.is_empty() {
        return (None, BTreeMap::new());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    match Tmux::find(&LeafSpawner { leaf: None }, &path).await {
        Ok(tmux) => (Some(tmux), BTreeMap::new()),
        Err(error) => {
            let why = chain(&error);
            tracing::error!("no session can be started: {why}");
            let why = format!("{why}; then `supervisor reload`");
            (None, sessions.iter().map(|unit| (unit.name.clone(), why.clone())).collect())
        }
    }
}

async fn find_cgroups(instance: &str) -> Option<Cgroups> {
    let cgroups = match Cgroups::find(instance, &Roots::default()) {
        Ok(cgroups) => cgroups,
        Err(error) => {
            let remedy = error.remedy();
            tracing::info!("units are grouped by their marks: {}; {remedy}", chain(&error));
            return None;
        }
    };
    cgroups.tidy();
    if let Err(why) = bear_one(&cgroups).await {
        tracing::warn!("units are grouped by their marks: no child lives in a cgroup: {why}");
        return None;
    }
    Some(cgroups)
}

/// Has one child born into a leaf and end by itself: a kernel or a sandbox that kills or refuses
/// it would do the same to every unit.
async fn bear_one(cgroups: &Cgroups) -> Result<(), String> {
    let name = UnitName::new(PROBE_LEAF).map_err(|error| error.to_string())?;
    let leaf = cgroups.leaf(&name).map_err(|error| error.to_string())?;
    let launch = Launch {
        argv: vec!["/".into()],
        env: Vec::new(),
        directory: None,
        stdin: Stream::Null,
        stdout: Stream::Null,
        stderr: Stream::Null,
        cgroup: None,
    };
    let mut reaper = Reaper::new();
    let gated = fork(launch, Some(&leaf)).map_err(|error| chain(&error))?;
    let process = gated.process;
    reaper.expect(process);
    let handle = gated.turn_away();
    let ended = tokio::time::timeout(PROBE_CEILING, pidfd::exited(&handle)).await;
    let exit = reaper.exit_of(process, Some(&handle));
    // An empty leaf costs nothing and is tidied away at the next boot.
    let _ = leaf.remove();
    match (ended, exit) {
        (Ok(Ok(())), Exit::Code(spawn::GATE_SHUT)) => Ok(()),
        (Ok(_), exit) => Err(format!("it {exit}")),
        (Err(_), _) => Err("it does not end".to_owned()),
    }
}

async fn serve(
    listener: std::os::unix::net::UnixListener,
    calls: mpsc::Sender<control::Call>,
    snapshots: watch::Sender<Option<Rc<crate::protocol::Status>>>,
) {
    if let Err(error) = control::serve(listener, calls, snapshots).await {
        // A daemon that nobody can speak to is better begun anew: the units live on.
        tracing::error!(%error, "the control socket is lost");
        std::process::abort();
    }
}
