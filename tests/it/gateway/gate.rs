//! A gateway of one test, in a folder of its own.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::caller::{Answer, Ask};
use crate::house::kill;

const BINARY: &str = env!("CARGO_BIN_EXE_supervisor");
/// Whatever a test waits for takes milliseconds; a busy machine may need long.
const CEILING: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(10);

/// Three agents, two sources, every route but one.
pub(crate) const USUAL: &str = r#"
[gateway]
listen = ["127.0.0.1:0"]
[gateway.groups.ryan]
token_file = "secrets/ryan"
socket_dir = "sockets/ryan"
[gateway.groups.cody]
token_file = "secrets/cody"
[gateway.groups.sam]
token_file = "secrets/sam"
[gateway.azure_devops]
secret_files = ["secrets/azure"]
deliver_to = "ryan"
[gateway.github]
secret_files = ["secrets/github"]
deliver_to = "ryan"
[gateway.relay]
secret_file = "secrets/shared"
max_body = "4MiB"
routes = ["ryan->cody", "cody->ryan", "sam->cody", "sam->ryan", "ryan->sam"]
"#;

/// A gateway and its folder.
pub(crate) struct Gate {
    folder: tempfile::TempDir,
    child: Option<Child>,
    starts: u32,
}

impl Gate {
    /// A folder with [`USUAL`], and its secrets: each is its name.
    pub(crate) fn closed() -> Self {
        Self::with(USUAL)
    }

    /// A folder with this configuration.
    pub(crate) fn with(config: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("gw").tempdir_in("/tmp").expect("a folder");
        let gate = Self { folder, child: None, starts: 0 };
        std::fs::create_dir(gate.path("secrets")).expect("a folder");
        for name in ["ryan", "cody", "sam", "azure", "github", "shared", "pat"] {
            std::fs::write(gate.path(&format!("secrets/{name}")), format!("{name}-secret\n"))
                .expect("a file");
        }
        gate.configure(config);
        gate
    }

    pub(crate) fn configure(&self, config: &str) {
        let text = format!("[supervisor]\nstate_dir = \"state\"\nruntime_dir = \"run\"\n{config}");
        std::fs::write(self.path("config.toml"), text).expect("the config");
    }

    /// One that answers.
    pub(crate) fn open() -> Self {
        let mut gate = Self::closed();
        gate.start();
        gate
    }

    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join(inside)
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let binary = std::env::var_os("GATEWAY_BINARY").unwrap_or_else(|| BINARY.into());
        let mut command = Command::new(binary);
        command.arg("--config").arg(self.path("config.toml")).args(words);
        command.env_remove("NOTIFY_SOCKET").env_remove("INVOCATION_ID").env_remove("RUST_LOG");
        command.env("HOME", self.folder.path()).current_dir(self.folder.path());
        command.stdin(Stdio::null());
        command
    }

    /// Starts it and waits until it answers.
    pub(crate) fn start(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        self.starts += 1;
        let log = File::create(self.log_path()).expect("a log");
        let mut command = self.command(&["gateway", "serve"]);
        command.stdout(log.try_clone().expect("a copy")).stderr(log);
        self.child = Some(command.spawn().expect("the gateway"));
        self.wait("the gateway to be ready", || self.said().contains("the gateway is ready"));
    }

    fn log_path(&self) -> PathBuf {
        self.path(&format!("gateway-{}.log", self.starts))
    }

    /// What the one that was started last has said.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    pub(crate) fn pid(&self) -> i32 {
        self.child.as_ref().expect("a gateway").id().cast_signed()
    }

    /// Ends it by a signal; its exit code.
    pub(crate) fn end(&mut self, signal: &str) -> Option<i32> {
        kill(self.pid(), signal);
        self.child.take().expect("a gateway").wait().expect("its end").code()
    }

    /// The first address it listens on.
    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses()[0]
    }

    /// All of them, in the order of the configuration.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        let said = self.said();
        let places = said.lines().filter_map(|line| line.strip_prefix("listening on http://"));
        places.filter_map(|place| place.split(' ').next()?.parse().ok()).collect()
    }

    pub(crate) fn socket(&self, agent: &str) -> PathBuf {
        self.path(&format!("sockets/{agent}/gateway.sock"))
    }

    pub(crate) fn ask(&self, ask: &Ask<'_>) -> Answer {
        ask.to(self.address())
    }

    /// A webhook of Azure DevOps with the right secret.
    pub(crate) fn azure(&self, body: impl AsRef<[u8]>) -> Answer {
        let body = body.as_ref();
        let ask = Ask::post("/webhook/azure-devops", body);
        self.ask(&ask.with("x-webhook-secret", "azure-secret"))
    }

    /// A message in JSON, with this agent's own secret.
    pub(crate) fn says(&self, agent: &str, message: &Value) -> Answer {
        let body = message.to_string();
        let ask = Ask::post("/relay", &body);
        self.ask(&ask.with("X-Relay-Secret", format!("{agent}-secret")))
    }

    pub(crate) fn verb(&self, words: &[&str]) -> Output {
        self.command(words).output().expect("the binary")
    }

    /// A verb that must succeed; what it printed.
    pub(crate) fn does(&self, words: &[&str]) -> String {
        let output = self.verb(words);
        assert!(output.status.success(), "{words:?}: {output:?}\n{}", self.said());
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// A verb that must fail; what it said.
    pub(crate) fn refuses(&self, words: &[&str]) -> String {
        let output = self.verb(words);
        assert!(!output.status.success(), "{words:?}: {output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// All events, the oldest first.
    pub(crate) fn events(&self) -> Vec<Value> {
        let lines = self.does(&["gateway", "list", "--json"]);
        let mut events: Vec<Value> =
            lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        events.reverse();
        events
    }

    /// One event, whole.
    pub(crate) fn show(&self, event: &str) -> Value {
        serde_json::from_str(&self.does(&["gateway", "show", event, "--json"])).expect("JSON")
    }

    pub(crate) fn wait(&self, what: &str, is: impl FnMut() -> bool) {
        self.wait_up_to(CEILING, what, is);
    }

    pub(crate) fn wait_up_to(&self, ceiling: Duration, what: &str, mut is: impl FnMut() -> bool) {
        let deadline = Instant::now() + ceiling;
        while !is() {
            assert!(Instant::now() < deadline, "waited in vain for {what}\n{}", self.said());
            std::thread::sleep(LOOK);
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- what the gateway said:\n{}", self.said());
        }
    }
}

/// A failed build of this id.
pub(crate) fn build(id: u64) -> String {
    format!(
        r#"{{"eventType":"build.complete","resource":{{"id":{id},"buildNumber":"20260302.1",
        "result":"failed","sourceBranch":"refs/heads/feature/test-webhook",
        "sourceVersion":"abc1234def5678","definition":{{"name":"Forma3D.Connect CI"}},
        "_links":{{"web":{{"href":"https://dev.azure.com/devgem/forma-3d/_build/results?buildId={id}"}}}}}}}}"#
    )
}

/// Bytes that are as many as asked for.
pub(crate) fn filled(size: usize) -> Vec<u8> {
    vec![b'x'; size]
}

/// Whether a path is there.
pub(crate) fn is_there(path: &Path) -> bool {
    path.exists()
}
