//! What the tests command: a real `systemd --user` of their own, and a private bus for doubles.

use std::fs;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{Bus, Systemd};

#[path = "../../../tests/it/systemd.rs"]
mod manager;

pub(crate) use manager::Manager;

/// Nothing here takes this long; only a hang does.
pub(crate) const CEILING: Duration = Duration::from_secs(40);

/// How often a condition is looked at that nobody announces.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(CEILING, test).await.expect("it hung") })
}

impl Manager {
    pub(crate) fn bus(&self) -> Bus {
        Bus::Address(self.address())
    }

    /// Once it is up.
    pub(crate) async fn connect(&mut self) -> Systemd {
        loop {
            if let Ok(systemd) = Systemd::connect(self.bus()).await {
                return systemd;
            }
            self.must_live();
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// A message bus with nobody on it, and nothing that it could start.
pub(crate) struct PrivateBus {
    child: Child,
    dir: TempDir,
}

impl PrivateBus {
    /// `None`, loudly, without a dbus-daemon.
    pub(crate) fn start(test: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let config = format!(
            r#"<busconfig><type>session</type><listen>unix:path={}/bus</listen><auth>EXTERNAL</auth>
            <policy context="default"><allow send_destination="*" eavesdrop="true"/>
            <allow eavesdrop="true"/><allow own="*"/><allow user="*"/></policy></busconfig>"#,
            dir.path().display()
        );
        fs::write(dir.path().join("config"), config).unwrap();
        let child = Command::new("dbus-daemon")
            .arg(format!("--config-file={}/config", dir.path().display()))
            .arg("--nofork")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(child) = child else {
            eprintln!("SKIPPED: {test}: there is no dbus-daemon");
            return None;
        };
        let until = Instant::now() + CEILING;
        while UnixStream::connect(dir.path().join("bus")).is_err() {
            assert!(Instant::now() < until, "dbus-daemon did not start");
            std::thread::sleep(LOOK_AGAIN);
        }
        Some(Self { child, dir })
    }

    pub(crate) fn bus(&self) -> Bus {
        Bus::Address(format!("unix:path={}/bus", self.dir.path().display()))
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Drop for PrivateBus {
    fn drop(&mut self) {
        self.kill();
    }
}
