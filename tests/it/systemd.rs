//! A real `systemd --user` that can reach nothing but itself, for the tests of the library and of
//! the binary.
//!
//! A user manager takes the cgroup it finds itself in for its own and moves whatever else is
//! there. So it gets a leaf of its own, seen through a cgroup namespace as the only tree there
//! is, and is not started unless that holds.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How often a condition is looked at that nobody announces.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

const SYSTEMD: &str = "/lib/systemd/systemd";

/// Enters the leaf, hides every other tree, checks that it is alone, and becomes the manager.
const ENTER: &str = r#"
    echo $$ > "$LEAF/cgroup.procs"
    exec unshare --mount --cgroup sh -ec '
        umount -R /sys/fs/cgroup
        mount -t cgroup2 none /sys/fs/cgroup
        while read -r pid; do test "$pid" = $$; done < /sys/fs/cgroup/cgroup.procs
        grep -qx "0::/" /proc/self/cgroup
        mount -t tmpfs none /run
        mkdir -p /run/systemd/system
        exec "$SYSTEMD" --user --unit=basic.target'
"#;

/// A real user manager with a bus of its own.
pub(crate) struct Manager {
    child: Child,
    leaf: PathBuf,
    dir: TempDir,
}

impl Manager {
    /// `None`, loudly, where one cannot be had.
    pub(crate) fn start(test: &str) -> Option<Self> {
        match Self::try_start(test) {
            Ok(manager) => Some(manager),
            Err(why) => {
                eprintln!("SKIPPED: {test}: no systemd --user of our own: {why}");
                None
            }
        }
    }

    fn try_start(test: &str) -> Result<Self, String> {
        if !nix::unistd::geteuid().is_root() {
            return Err("needs root for its namespaces".to_owned());
        }
        for needed in [SYSTEMD, "/usr/bin/dbus-daemon", "/usr/lib/systemd/user/dbus.service"] {
            if !Path::new(needed).exists() {
                return Err(format!("there is no {needed}"));
            }
        }
        if Path::new("/run/systemd/system").exists() {
            return Err("the machine's own systemd keeps the cgroups".to_owned());
        }
        let leaf = own_cgroup()?.join(format!("supervisor-test-{}-{test}", std::process::id()));
        fs::create_dir(&leaf).map_err(|why| format!("cannot make {}: {why}", leaf.display()))?;
        let dir = tempfile::tempdir().map_err(|why| why.to_string())?;
        for below in ["run", "home", "config/systemd/user"] {
            fs::create_dir_all(dir.path().join(below)).map_err(|why| why.to_string())?;
        }
        let log = fs::File::create(dir.path().join("log")).map_err(|why| why.to_string())?;
        let child = Command::new("sh")
            .args(["-ec", ENTER])
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LEAF", &leaf)
            .env("SYSTEMD", SYSTEMD)
            .env("SYSTEMD_LOG_TARGET", "console")
            .env("HOME", dir.path().join("home"))
            .env("XDG_RUNTIME_DIR", dir.path().join("run"))
            .env("XDG_CONFIG_HOME", dir.path().join("config"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(|why| why.to_string())?)
            .stderr(log)
            .spawn()
            .map_err(|why| why.to_string())?;
        Ok(Self { child, leaf, dir })
    }

    /// Writes `name` before it is first asked for.
    pub(crate) fn unit(&self, name: &str, service: &str) {
        let file = self.dir.path().join("config/systemd/user").join(name);
        fs::write(file, format!("[Service]\n{service}\n")).unwrap();
    }

    /// Its bus, as a D-Bus address.
    pub(crate) fn address(&self) -> String {
        format!("unix:path={}/run/bus", self.dir.path().display())
    }

    /// Fails the test if it has ended by itself.
    pub(crate) fn must_live(&mut self) {
        let ended = self.child.try_wait().unwrap();
        assert!(ended.is_none(), "systemd did not start: {}", self.log());
    }

    /// Ends the manager and everything it started, at once.
    pub(crate) fn kill(&mut self) {
        // The kernel kills the members of our leaf and nobody else.
        fs::write(self.leaf.join("cgroup.kill"), "1").ok();
        self.child.wait().ok();
    }

    /// Ends the manager alone: its bus lives on.
    pub(crate) fn kill_alone(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        self.kill();
        let until = Instant::now() + Duration::from_secs(10);
        while !remove_cgroup(&self.leaf) && Instant::now() < until {
            std::thread::sleep(LOOK_AGAIN);
        }
    }
}

/// Where we are in the cgroup v2 tree.
pub(crate) fn own_cgroup() -> Result<PathBuf, String> {
    let text = fs::read_to_string("/proc/self/cgroup").map_err(|why| why.to_string())?;
    let own = text.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
        .into_iter()
        .map(|root| Path::new(root).join(own))
        .find(|here| here.join("cgroup.controllers").exists())
        .ok_or_else(|| "there is no cgroup v2".to_owned())
}

/// Removes a cgroup that nobody lives in, and those within.
pub(crate) fn remove_cgroup(group: &Path) -> bool {
    for below in fs::read_dir(group).into_iter().flatten().flatten() {
        if below.path().is_dir() {
            remove_cgroup(&below.path());
        }
    }
    fs::remove_dir(group).is_ok() || !group.exists()
}
