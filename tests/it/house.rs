//! A house for one test: a temporary folder with a config in it, the real daemon, and the end of
//! everything that was started when the test is over.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use agent_supervisor::protocol::{Status, UnitStatus};

/// Whatever a test waits for takes milliseconds; a busy machine may need long.
const CEILING: Duration = Duration::from_secs(60);
/// Between two looks at a condition that nothing announces.
const LOOK: Duration = Duration::from_millis(10);

const BINARY: &str = env!("CARGO_BIN_EXE_supervisor");

/// Everything of one test lies in its folder.
pub(crate) struct House {
    folder: tempfile::TempDir,
    daemon: Option<Child>,
    /// Set for the daemon and for every verb.
    environment: Vec<(String, String)>,
    /// The program, with its arguments, that becomes the daemon: another user, a namespace.
    wrapper: Vec<String>,
}

/// A user with no rights and no home.
const NOBODY: u32 = 65534;

impl House {
    /// A house whose config is `units` under a `[supervisor]` that keeps to the folder.
    pub(crate) fn new(units: &str) -> Self {
        // The paths of tmux sockets must stay short.
        let folder = tempfile::Builder::new().prefix("sv").tempdir_in("/tmp").expect("a folder");
        let house = Self { folder, daemon: None, environment: Vec::new(), wrapper: Vec::new() };
        house.configure(units);
        house
    }

    /// A house whose daemon is no root, and so has no cgroups either.
    pub(crate) fn of_nobody(units: &str) -> Self {
        let mut house = Self::new(units);
        if nix::unistd::geteuid().is_root() {
            let nobody = NOBODY.to_string();
            let ids = ["--reuid", &nobody, "--regid", &nobody, "--clear-groups"];
            house.wrap(&[&["setpriv"][..], &ids, &["--"]].concat());
            std::os::unix::fs::chown(house.path(""), Some(NOBODY), Some(NOBODY)).expect("root may");
        }
        house
    }

    /// Has this program become the daemon, with the daemon's command line after its own.
    pub(crate) fn wrap(&mut self, words: &[&str]) {
        self.wrapper = words.iter().map(|word| (*word).to_owned()).collect();
    }

    /// A house with a running daemon that has looked at its units.
    pub(crate) fn running(units: &str) -> Self {
        let mut house = Self::new(units);
        house.run();
        house
    }

    /// Replaces the config.
    pub(crate) fn configure(&self, units: &str) {
        let text = format!(
            "[supervisor]\nstate_dir = \"state\"\nruntime_dir = \"run\"\n\
             boot_id_file = \"boot_id\"\n{units}"
        );
        std::fs::write(self.path("config.toml"), text).expect("the config");
        if !self.path("boot_id").exists() {
            self.boot("11111111-1111-4111-8111-111111111111");
        }
    }

    /// Makes it another boot, as far as the kernel's word goes.
    pub(crate) fn boot(&self, id: &str) {
        std::fs::write(self.path("boot_id"), format!("{id}\n")).expect("the boot id");
    }

    /// Something in the folder.
    pub(crate) fn path(&self, inside: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(inside)
    }

    /// Sets a variable for everything that is started from here on.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Starts the daemon and waits until it has looked at every unit.
    pub(crate) fn run(&mut self) {
        self.spawn();
        self.wait("the daemon to be ready", |status| status.supervisor.ready);
    }

    /// Starts the daemon.
    pub(crate) fn spawn(&mut self) {
        assert!(self.daemon.is_none(), "a daemon runs already");
        let log = File::options().append(true).create(true).open(self.path("daemon.log"));
        let log = log.expect("the daemon's output");
        let mut command = match self.wrapper.split_first() {
            Some((program, words)) => {
                let mut command = self.prepared(program);
                command.args(words).arg(BINARY).arg("--config").arg(self.path("config.toml"));
                command.arg("run");
                command
            }
            None => self.command(&["run"]),
        };
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a copy")).stderr(log);
        self.daemon = Some(command.spawn().expect("the daemon"));
    }

    /// The daemon's pid.
    pub(crate) fn pid(&self) -> i32 {
        self.daemon.as_ref().expect("a daemon").id().cast_signed()
    }

    /// Kills the daemon with this signal and waits for its end; the units live on.
    pub(crate) fn end_daemon(&mut self, signal: &str) {
        kill(self.pid(), signal);
        self.daemon.take().expect("a daemon").wait().expect("its end");
    }

    /// Waits for the daemon to end by itself; how, and what it said.
    pub(crate) fn daemon_ends(&mut self) -> (Option<i32>, String) {
        let mut daemon = self.daemon.take().expect("a daemon");
        let deadline = Instant::now() + CEILING;
        while daemon.try_wait().expect("a child").is_none() {
            assert!(Instant::now() < deadline, "the daemon does not end\n{}", self.said());
            std::thread::sleep(LOOK);
        }
        (daemon.wait().expect("its end").code(), self.said())
    }

    /// What the daemons have said so far.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(self.path("daemon.log")).unwrap_or_default()
    }

    /// A verb of the real binary, against this house.
    pub(crate) fn command<A: AsRef<OsStr>>(&self, words: &[A]) -> Command {
        let mut command = self.prepared(BINARY);
        command.arg("--config").arg(self.path("config.toml")).args(words);
        command
    }

    fn prepared(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_remove("SUPERVISOR_CONFIG").env_remove("NOTIFY_SOCKET");
        // By these an agent draws its screen in another way than for an operator.
        for name in ["CI", "NO_COLOR", "FORCE_COLOR"] {
            command.env_remove(name);
        }
        command.env("HOME", self.folder.path()).current_dir(self.folder.path());
        command.envs(self.environment.iter().cloned());
        command
    }

    /// Runs a verb to its end.
    pub(crate) fn verb<A: AsRef<OsStr>>(&self, words: &[A]) -> Output {
        self.command(words).stdin(Stdio::null()).output().expect("the binary")
    }

    /// Runs a verb that must succeed; what it printed.
    pub(crate) fn does<A: AsRef<OsStr> + std::fmt::Debug>(&self, words: &[A]) -> String {
        let output = self.verb(words);
        assert!(output.status.success(), "{words:?}: {output:?}\n{}", self.said());
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Runs a verb that must fail; its exit code and what it said.
    pub(crate) fn refuses<A: AsRef<OsStr> + std::fmt::Debug>(&self, words: &[A]) -> (i32, String) {
        let output = self.verb(words);
        assert!(!output.status.success(), "{words:?}: {output:?}");
        let code = output.status.code().expect("an exit code");
        (code, String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// The snapshot, if a daemon answers.
    pub(crate) fn status(&self) -> Option<Status> {
        let output = self.verb(&["status", "--json"]);
        serde_json::from_slice(&output.stdout).ok()
    }

    /// One unit of the snapshot.
    pub(crate) fn unit(&self, name: &str) -> UnitStatus {
        let status = self.status().expect("a daemon that answers");
        status.units.into_iter().find(|unit| unit.name == name).expect("the unit")
    }

    /// The pid of a unit that is up.
    pub(crate) fn pid_of(&self, name: &str) -> i32 {
        self.unit(name).pid.unwrap_or_else(|| panic!("{name} has no process\n{}", self.said()))
    }

    /// Waits until the snapshot is as wanted, and gives it.
    pub(crate) fn wait(&self, what: &str, wanted: impl Fn(&Status) -> bool) -> Status {
        self.wait_for(what, || self.status().filter(&wanted))
    }

    /// Waits until one unit is as wanted, and gives it.
    pub(crate) fn wait_unit(
        &self,
        name: &str,
        what: &str,
        wanted: impl Fn(&UnitStatus) -> bool,
    ) -> UnitStatus {
        self.wait_for(&format!("{name} {what}"), || {
            let units = self.status()?.units;
            units.into_iter().find(|unit| unit.name == name).filter(&wanted)
        })
    }

    /// Waits until all these units are up.
    pub(crate) fn wait_up(&self, names: &[&str]) {
        for name in names {
            self.wait_unit(name, "is up", |unit| unit.state == "up");
        }
    }

    /// Waits until there is an answer.
    pub(crate) fn wait_for<T>(&self, what: &str, look: impl Fn() -> Option<T>) -> T {
        self.wait_within(CEILING, what, look)
    }

    /// The same for what takes minutes by itself.
    pub(crate) fn wait_long<T>(&self, what: &str, look: impl Fn() -> Option<T>) -> T {
        self.wait_within(CEILING * 5, what, look)
    }

    fn wait_within<T>(&self, most: Duration, what: &str, look: impl Fn() -> Option<T>) -> T {
        let deadline = Instant::now() + most;
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(Instant::now() < deadline, "waited in vain for {what}\n{}", self.said());
            std::thread::sleep(LOOK);
        }
    }

    /// Has the daemon read its config again, and waits until it has.
    pub(crate) fn reload(&self) {
        let before = self.starts();
        self.does(&["reload"]);
        self.wait_for("the reload", || (self.starts() > before).then_some(()));
        self.wait("the daemon to be ready", |status| status.supervisor.ready);
    }

    /// How often a daemon has begun, as it says itself.
    pub(crate) fn starts(&self) -> usize {
        self.said().matches(" starting version=").count()
    }

    /// What the log of a unit holds.
    pub(crate) fn log(&self, unit: &str) -> String {
        std::fs::read_to_string(self.path(format!("state/logs/{unit}.log"))).unwrap_or_default()
    }

    /// Writes a file into the folder.
    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("a file");
    }

    /// Writes a program into the folder.
    pub(crate) fn program(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("ours");
    }

    /// The lines of the journal, each as `UNIT EVENT WHY`.
    pub(crate) fn events(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path("state/events.jsonl")).unwrap_or_default();
        let line = |line: &str| {
            let entry: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let word = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
            format!("{} {} {}", word("unit"), word("event"), word("why"))
        };
        text.lines().map(line).collect()
    }

    /// Every living process that carries this house's marks.
    pub(crate) fn inhabitants(&self) -> Vec<i32> {
        marked(&self.instance())
    }

    fn instance(&self) -> String {
        let state = self.path("state").canonicalize().unwrap_or_else(|_| self.path("state"));
        agent_supervisor::daemon::instance(&state)
    }

    /// Fails the test if any process of ours is left.
    pub(crate) fn must_be_empty(&self) {
        let left = self.inhabitants();
        assert!(left.is_empty(), "left over: {left:?}");
    }
}

/// Every living process that carries the marks of this instance.
pub(crate) fn marked(instance: &str) -> Vec<i32> {
    let mark = format!("SUPERVISOR_INSTANCE={instance}");
    let carries = |pid: &i32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|pair| pair == mark.as_bytes())
    };
    processes().into_iter().filter(|pid| lives(*pid)).filter(carries).collect()
}

/// The pids of all whose command line has this in it.
pub(crate) fn running(text: &str) -> Vec<i32> {
    let ours = std::process::id().cast_signed();
    let has = |pid: &i32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        *pid != ours && lives(*pid) && String::from_utf8_lossy(&line).contains(text)
    };
    processes().into_iter().filter(has).collect()
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            // It may have ended by itself.
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        for _ in 0..100 {
            let left = self.inhabitants();
            if left.is_empty() {
                break;
            }
            left.into_iter().for_each(|pid| kill(pid, "KILL"));
            std::thread::sleep(LOOK);
        }
        if let Ok(own) = crate::systemd::own_cgroup() {
            let ours = own.join(format!("supervisor-{}", self.instance()));
            // The kernel needs a moment to let go of the dead.
            for _ in 0..100 {
                if crate::systemd::remove_cgroup(&ours) {
                    break;
                }
                std::thread::sleep(LOOK);
            }
        }
        if std::thread::panicking() {
            eprintln!("--- what the daemon said:\n{}", self.said());
        }
    }
}

/// Sends a signal by name.
pub(crate) fn kill(pid: i32, signal: &str) {
    let signal: nix::sys::signal::Signal = format!("SIG{signal}").parse().expect("a signal");
    // Whoever is gone already needs none.
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal);
}

/// Whether a process lives; a zombie does not.
pub(crate) fn lives(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().and_then(|rest| rest.trim_start().chars().next());
    state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

fn processes() -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}
