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

use super::home::{self, Home};
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
const PLAN: &str = include_str!("plan.toml");
const GATEWAY: &str = include_str!("gateway.toml");

/// What a folder may at most be called, in bytes, for the longest socket in the house to fit into
/// the 107 that a socket's path may have.
const FOLDER_MAX: usize = 80;

/// A daemon that is asked to leave is gone within milliseconds; one that is not is killed.
const LEAVE_CEILING: Duration = Duration::from_secs(3);
/// What is killed is gone as fast.
const KILL_CEILING: Duration = Duration::from_secs(5);
/// Between two looks at an end that nothing announces.
const LOOK: Duration = Duration::from_millis(5);

/// Who plays.
pub(super) enum Play {
    /// Agents that only look like some, beside a service.
    Scripted,
    /// The real thing.
    Claude {
        /// The program.
        client: PathBuf,
        /// Whether all of it lives on at the end.
        keep: bool,
    },
}

/// Everything of one demo.
pub(super) struct House {
    folder: PathBuf,
    binary: PathBuf,
    /// Of real agents.
    home: Option<Home>,
    state_dir: PathBuf,
    units: Vec<UnitName>,
    /// What the config has beyond its beginning.
    added: String,
    client: Client,
    daemon: Option<Child>,
}

impl House {
    /// Furnished, and empty.
    pub(super) fn new(binary: PathBuf, play: Play) -> Result<Self, Failure> {
        let folder = scratch()?;
        let config = folder.join("config.toml");
        let mut house = Self {
            client: Client { config, socket: folder.join("run/control.sock") },
            folder,
            binary,
            home: None,
            state_dir: PathBuf::new(),
            units: Vec::new(),
            added: String::new(),
            daemon: None,
        };
        match house.furnish(play) {
            Ok(()) => Ok(house),
            Err(failure) => {
                // No supervisor has been started yet, and the failure is what counts.
                drop(house.home.take());
                let _ = house.remove();
                Err(failure)
            }
        }
    }

    fn furnish(&mut self, play: Play) -> Result<(), Failure> {
        if let Play::Claude { client, keep } = play {
            self.home = Some(Home::new(&self.folder, &self.binary, &client, keep)?);
        }
        self.configure()?;
        let state = &self.state_dir;
        std::fs::create_dir_all(state)
            .with_context(|| format!("cannot make {}", state.display()))?;
        Ok(())
    }

    /// Adds the service that cannot live to the config.
    pub(super) fn add_broken(&mut self) -> Result<(), Failure> {
        self.added += BROKEN;
        self.configure()
    }

    /// Adds a plan for the two agents to the config.
    pub(super) fn add_plan(&mut self) -> Result<(), Failure> {
        self.added += PLAN;
        self.configure()
    }

    /// Adds the gateway, and a double of NanoClaw, to the config.
    pub(super) fn add_gateway(&mut self) -> Result<(), Failure> {
        self.added += GATEWAY;
        self.configure()
    }

    fn configure(&mut self) -> Result<(), Failure> {
        let text = match &self.home {
            Some(home) => home.config(),
            None => CONFIG.to_owned(),
        };
        let text = (text + &self.added).replace("@BINARY@", &self.quoted_binary()?);
        let file = &self.client.config;
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
        let config = Config::load(file)?;
        self.state_dir = config.supervisor.state_dir;
        self.units = config.units.into_keys().collect();
        Ok(())
    }

    /// The program as a value of TOML.
    fn quoted_binary(&self) -> Result<String, Failure> {
        let binary = self.binary.to_str().ok_or_else(|| {
            let path = self.binary.display();
            Failure::failed(format!("{path} is not UTF-8: give the program another name"))
        })?;
        Ok(toml::Value::from(binary).to_string())
    }

    /// The units that live from the first step to the last.
    pub(super) fn cast(&self) -> &'static [&'static str] {
        if self.home.is_some() { &home::AGENTS } else { &["adversary", "builder", "counter"] }
    }

    /// The home of real agents, if they play.
    pub(super) fn home(&self) -> Option<&Home> {
        self.home.as_ref()
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
        if let Some(home) = &self.home {
            home.furnish(&mut command);
        }
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
        end_units(&self.units, &self.state_dir)?;
        self.end_home();
        Ok(())
    }

    /// Ends what real agents needed beside the supervisor.
    pub(super) fn end_home(&mut self) {
        self.home = None;
    }

    /// Removes the folder, and the control groups if there are any.
    pub(super) fn remove(&self) -> Result<(), Failure> {
        remove(&self.folder, &self.state_dir)
    }

    /// Leaves everything running.
    pub(super) fn leave(self) {
        drop(self.daemon);
        if let Some(home) = self.home {
            home.leave();
        }
    }
}

/// Ends and removes all of the house in `folder` as well as it can be done without the house: for a
/// process that is about to abort.
pub(super) fn abandon(folder: &Path) {
    // Whoever starts units, or answers them, ends first.
    kill_children_in(folder);
    let config = Config::load(&folder.join("config.toml")).ok();
    let state_dir = config.as_ref().map(|config| config.supervisor.state_dir.clone());
    let units: Vec<_> = config.into_iter().flat_map(|config| config.units.into_keys()).collect();
    let state_dir = state_dir.unwrap_or_else(|| folder.join("state"));
    // Nobody is left to be told what cannot be done.
    let _ = end_units(&units, &state_dir);
    // Another thread may have gone on meanwhile.
    kill_children_in(folder);
    let _ = remove(folder, &state_dir);
}

/// Kills those of our children whose command line names something in `folder`.
fn kill_children_in(folder: &Path) {
    let folder = folder.as_os_str().as_bytes();
    for pid in procs::children_of(std::process::id().cast_signed()) {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        if line.windows(folder.len()).any(|part| part == folder) {
            // It may have ended by itself.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// Ends every process that carries the marks of these units.
fn end_units(units: &[UnitName], state_dir: &Path) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("cannot set up a runtime")?;
    let instance = instance(state_dir);
    for unit in units {
        let (unit, instance) = (unit.clone(), instance.clone());
        let group = Group { unit, instance, leaf: None, main: None, spare: Vec::new() };
        runtime.block_on(group.end_now(KILL_CEILING)).map_err(anyhow::Error::new)?;
    }
    Ok(())
}

fn remove(folder: &Path, state_dir: &Path) -> Result<(), Failure> {
    // Where there are none, none is left.
    if let Ok(cgroups) = Cgroups::find(&instance(state_dir), &Roots::default()) {
        cgroups.remove();
    }
    std::fs::remove_dir_all(folder)
        .with_context(|| format!("cannot remove {}", folder.display()))?;
    Ok(())
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

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::{House, Play, abandon, instance};
    use crate::world::procs::{INSTANCE_VARIABLE, UNIT_VARIABLE};

    #[test]
    fn a_demo_that_aborts_ends_its_children_and_its_units_and_removes_its_folder() {
        let house = House::new("/bin/true".into(), Play::Scripted).unwrap();
        let tail = |file: &std::path::Path| {
            let mut command = Command::new("tail");
            command.arg("-f").arg(file).stdout(Stdio::null());
            command
        };
        let mut daemon = tail(house.config()).spawn().unwrap();
        let mut unit = tail("/dev/null".as_ref());
        unit.env(UNIT_VARIABLE, "builder").env(INSTANCE_VARIABLE, instance(house.state_dir()));
        let mut unit = unit.spawn().unwrap();
        let mut stranger = tail("/dev/null".as_ref()).spawn().unwrap();
        abandon(house.folder());
        assert!(!daemon.wait().unwrap().success());
        assert!(!unit.wait().unwrap().success());
        assert!(!house.folder().exists());
        assert_eq!(stranger.try_wait().unwrap(), None);
        stranger.kill().unwrap();
        stranger.wait().unwrap();
    }
}
