//! The scratch house of a demo: a folder, a config, a daemon, and the end of them all. Not here:
//! what happens in it.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, mkdtemp};

use crate::cli::client::{AT_ONCE, Client};
use crate::cli::failure::Failure;
use crate::config::Config;
use crate::daemon::instance;
use crate::decide::{Process, UnitName};
use crate::protocol::Status;
use crate::world::cgroup::{Cgroups, Roots};
use crate::world::group::Group;
use crate::world::procs;

const CONFIG: &str = include_str!("house.toml");
const BROKEN: &str = include_str!("broken.toml");

/// What a folder may at most be called, in bytes, for the longest socket in the house to fit into
/// the 107 that a socket's path may have.
const FOLDER_MAX: usize = 80;

/// A daemon that is asked to leave is gone within milliseconds; one that is not is killed.
const LEAVE_CEILING: Duration = Duration::from_secs(3);
/// What is killed is gone as fast.
const KILL_CEILING: Duration = Duration::from_secs(5);
/// Between two looks at an end that nothing announces.
const LOOK: Duration = Duration::from_millis(5);

/// Everything of one demo.
pub(super) struct House {
    folder: PathBuf,
    binary: PathBuf,
    state_dir: PathBuf,
    units: Vec<UnitName>,
    client: Client,
    daemon: Option<Child>,
}

impl House {
    /// Furnished, and empty.
    pub(super) fn new(binary: PathBuf) -> Result<Self, Failure> {
        let folder = scratch()?;
        let config = folder.join("config.toml");
        let mut house = Self {
            client: Client { config, socket: folder.join("run/control.sock") },
            folder,
            binary,
            state_dir: PathBuf::new(),
            units: Vec::new(),
            daemon: None,
        };
        match house.furnish() {
            Ok(()) => Ok(house),
            Err(failure) => {
                // Nothing has been started yet, and the failure is what counts.
                let _ = house.remove();
                Err(failure)
            }
        }
    }

    fn furnish(&mut self) -> Result<(), Failure> {
        self.configure("")?;
        let state = &self.state_dir;
        std::fs::create_dir_all(state)
            .with_context(|| format!("cannot make {}", state.display()))?;
        Ok(())
    }

    /// Adds the service that cannot live to the config.
    pub(super) fn add_broken(&mut self) -> Result<(), Failure> {
        self.configure(BROKEN)
    }

    fn configure(&mut self, more: &str) -> Result<(), Failure> {
        let binary = self.binary.to_str().ok_or_else(|| {
            let path = self.binary.display();
            Failure::failed(format!("{path} is not UTF-8: give the program another name"))
        })?;
        let binary = toml::Value::from(binary).to_string();
        let text = CONFIG.replace("@BINARY@", &binary) + more;
        let file = &self.client.config;
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
        let config = Config::load(file)?;
        self.state_dir = config.supervisor.state_dir;
        self.units = config.units.into_keys().collect();
        Ok(())
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn config(&self) -> &Path {
        &self.client.config
    }

    pub(super) fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    pub(super) fn log(&self, unit: &str) -> PathBuf {
        self.state_dir.join("logs").join(format!("{unit}.log"))
    }

    pub(super) fn client(&self) -> Client {
        self.client.clone()
    }

    /// Starts the daemon as `supervisor run` would, in a process group of its own: the terminal's
    /// Ctrl-C is for the demo alone, which then ends it in order.
    pub(super) fn start_daemon(&mut self) -> Result<(), Failure> {
        let path = self.folder.join("daemon.log");
        let log = File::options().append(true).create(true).open(&path);
        let log = log.with_context(|| format!("cannot write {}", path.display()))?;
        let also = log.try_clone().context("cannot copy a descriptor")?;
        let mut command = Command::new(&self.binary);
        command.arg("--config").arg(&self.client.config).arg("run");
        command.stdin(Stdio::null()).stdout(also).stderr(log);
        command.process_group(0).current_dir(&self.folder);
        // Whatever started this demo is not to be told of its daemon.
        for name in ["SUPERVISOR_CONFIG", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"] {
            command.env_remove(name);
        }
        let daemon = command.spawn();
        let daemon =
            daemon.with_context(|| format!("cannot start {} run", self.binary.display()))?;
        self.daemon = Some(daemon);
        Ok(())
    }

    /// The daemon as /proc has it; `None` if it has ended.
    pub(super) fn daemon(&self) -> Option<Process> {
        let pid = self.daemon.as_ref()?.id().cast_signed();
        procs::identify(pid).filter(|process| procs::is_alive(*process))
    }

    /// Kills the daemon, which is given no chance to do anything about it.
    pub(super) fn kill_daemon(&mut self) -> Result<(), Failure> {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill().context("cannot kill the supervisor")?;
            daemon.wait().context("cannot wait for the end of the supervisor")?;
        }
        Ok(())
    }

    /// The snapshot; `None` if no daemon answers.
    pub(super) fn status(&self) -> Result<Option<Status>, Failure> {
        match self.client.status(AT_ONCE) {
            Ok(status) => Ok(Some(status)),
            Err(Failure::NoDaemon { .. }) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// The last words of the daemon.
    pub(super) fn last_words(&self, lines: usize) -> Vec<String> {
        let said = std::fs::read(self.folder.join("daemon.log")).unwrap_or_default();
        let said = String::from_utf8_lossy(&said).into_owned();
        let said: Vec<_> = said.lines().map(str::to_owned).collect();
        said.into_iter().rev().take(lines).rev().collect()
    }

    /// Every process that carries the marks of this house.
    pub(super) fn inhabitants(&self) -> BTreeMap<i32, UnitName> {
        let instance = instance(&self.state_dir);
        let of = |unit: &UnitName| {
            let pids = procs::marked(unit, &instance);
            pids.into_iter().map(|pid| (pid, unit.clone())).collect::<Vec<_>>()
        };
        self.units.iter().flat_map(of).collect()
    }

    /// Has the daemon leave, as `systemctl stop` would; answers whether it did so by itself.
    pub(super) fn dismiss_daemon(&mut self) -> Result<bool, Failure> {
        let Some(daemon) = &mut self.daemon else { return Ok(true) };
        // One that has just ended needs no signal, and keeps its number until it is waited for.
        let _ = kill(Pid::from_raw(daemon.id().cast_signed()), Signal::SIGTERM);
        let deadline = Instant::now() + LEAVE_CEILING;
        while Instant::now() < deadline {
            if daemon.try_wait().context("cannot wait for the supervisor")?.is_some() {
                self.daemon = None;
                return Ok(true);
            }
            std::thread::sleep(LOOK);
        }
        self.kill_daemon()?;
        Ok(false)
    }

    /// Ends everything that lives here, whatever state it is in: first who would start it again.
    pub(super) fn end(&mut self) -> Result<(), Failure> {
        self.dismiss_daemon()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("cannot set up a runtime")?;
        let instance = instance(&self.state_dir);
        for unit in self.units.clone() {
            let instance = instance.clone();
            let group = Group { unit, instance, leaf: None, main: None, spare: Vec::new() };
            runtime.block_on(group.end_now(KILL_CEILING)).map_err(anyhow::Error::new)?;
        }
        Ok(())
    }

    /// Removes the folder, and the control groups if there are any.
    pub(super) fn remove(&self) -> Result<(), Failure> {
        // Where there are none, none is left.
        if let Ok(cgroups) = Cgroups::find(&instance(&self.state_dir), &Roots::default()) {
            cgroups.remove();
        }
        std::fs::remove_dir_all(&self.folder)
            .with_context(|| format!("cannot remove {}", self.folder.display()))?;
        Ok(())
    }

    /// Leaves everything running.
    pub(super) fn leave(self) {
        drop(self.daemon);
    }
}

/// A new folder with a short path that nobody else may enter.
fn scratch() -> Result<PathBuf, Failure> {
    let runtime_dir = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let places = [Some(std::env::temp_dir()), Some("/tmp".into()), runtime_dir];
    let mut why = String::new();
    for place in places.into_iter().flatten() {
        let Ok(place) = place.canonicalize() else { continue };
        let template = place.join("supervisor-demo-XXXXXX");
        if template.as_os_str().as_bytes().len() > FOLDER_MAX {
            why.push_str(&format!(" {} is too long for a socket in it;", place.display()));
            continue;
        }
        match mkdtemp(&template) {
            Ok(folder) => return Ok(folder),
            Err(error) => why.push_str(&format!(" {}: {};", place.display(), error.desc())),
        }
    }
    let why = why.trim_end_matches(';');
    Err(Failure::failed(format!(
        "no place for a scratch folder:{why}: let TMPDIR name a writable folder with a short path"
    )))
}
