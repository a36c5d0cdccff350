//! How the daemon begins: everything it needs is opened, in the order in which one thing needs the
//! other, and the boot is logged before anything is started.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::census::Census;
use super::hands::Hands;
use super::policy::policy;
use super::reexec::Inherited;
use super::shared::{LeafSpawner, Shared, fork, instance};
use super::signals::Signals;
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
use crate::world::journal::Journal;
use crate::world::lock::LockError;
use crate::world::notify_socket::{Notifier, watchdog_interval};
use crate::world::reaper::{ChildSignals, Reaper};
use crate::world::records::Records;
use crate::world::spawn::{self, Launch, Stream};
use crate::world::tmux::Tmux;
use crate::world::{pidfd, reboots, saved};

/// Callers that may wait for the loop at once; further ones wait in their connection.
const CALLS: usize = 64;

/// The leaf in which a first child is born; no unit of that name would be in its way.
const PROBE_LEAF: &str = "probe";
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
    let loaded = saved::load(&paths.state_dir)?;
    let (records, more) = Records::load_all(&paths.runtime_dir, &boot_id)?;
    notes.iter().chain(&loaded.notes).chain(&more).for_each(|note| tracing::error!("{note}"));
    log_reboot(&paths.reboot_log, &boot_id, &boot, since);

    let kept = loaded.saved;
    let drained = kept.drained_boot.as_ref() == Some(&boot_id);
    let wishes = Wishes {
        wishes: kept.wishes.clone(),
        drained: if drained { kept.drained.clone() } else { Default::default() },
    };
    let (tmux, holds) = find_tmux(&config).await;
    let policy = policy(&config, &holds);
    let in_records = records.units().iter().map(|(name, kept)| (name.clone(), kept.record.clone()));
    let in_records: BTreeMap<_, _> = in_records.collect();
    let watchdog = Watchdog::new(policy, &wishes, &in_records, since, seed());

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
    let shared = Rc::new(Shared {
        cgroups: find_cgroups(&instance).await,
        instance,
        events: post,
        records: RefCell::new(records),
        reaper: RefCell::new(Reaper::new()),
        journal: RefCell::new(Journal::new(&paths.state_dir)),
        unwritten: RefCell::default(),
        census: Census::default(),
        tmux,
        binary: std::env::current_exe().unwrap_or_default(),
        limits: RefCell::default(),
        logs: log_keeping::LogKeeping::begin(&config).map_err(process("the watch over logs"))?,
        config,
    });
    let notifier = Notifier::from_environment().unwrap_or_else(|error| {
        tracing::warn!("systemd cannot be told anything: {}", chain(&error));
        Notifier::silent()
    });
    said_to_systemd(notifier.status("looking at what runs already"));
    Ok(Daemon {
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
        saved: kept,
        unsaved: None,
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

fn log_reboot(path: &Path, boot_id: &str, boot: &Boot, now: crate::decide::Now) {
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
        }
        Ok(reboots::Logged::Already) => {}
        Err(error) => tracing::error!("{}", chain(&error)),
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

/// Feeds the jitter; two daemons must not come back in step.
fn seed() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::hash::RandomState::new().build_hasher().finish()
}
