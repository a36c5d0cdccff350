//! What a test asks of a session's own tmux server, behind the daemon's back.

use std::process::{Command, Stdio};

use crate::house::{House, lives};

/// Deaths are many and meant in these tests: they shall neither wait for long nor be given up.
pub(crate) const PATIENT: &str = "[restart]\nbackoff = { from = \"10ms\", to = \"20ms\" }\n\
     crash_loop = { starts = 10000, within = \"1s\" }\ncap = { restarts = 10000, within = \"1s\" }\n";

/// One session as config; `more` are further lines of it.
pub(crate) fn session(name: &str, command: &[&str], more: &str) -> String {
    // What JSON calls an array of strings, TOML does too.
    let command = serde_json::to_string(command).expect("JSON");
    format!("[sessions.{name}]\nagent = \"command\"\ncommand = {command}\n{more}\n")
}

/// A session whose program is a shell script.
pub(crate) fn scripted(name: &str, script: &str, more: &str) -> String {
    session(name, &["sh", "-c", script, "sh"], more)
}

impl House {
    /// Asks the tmux server of a session; `None` if it does not answer, or refuses.
    pub(crate) fn tmux(&self, unit: &str, words: &[&str]) -> Option<String> {
        let socket = self.path(format!("run/tmux/{unit}.sock"));
        let mut command = Command::new("tmux");
        command.args(["-N", "-u", "-S"]).arg(socket).args(words);
        let output = command.env_remove("TMUX").stdin(Stdio::null()).output().expect("tmux");
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// The pid of a session's tmux server.
    pub(crate) fn terminal_of(&self, unit: &str) -> i32 {
        self.wait_for(&format!("the terminal of {unit}"), || {
            self.tmux(unit, &["display-message", "-p", "#{pid}"])?.parse().ok()
        })
    }

    /// The pids of the control clients that are connected to a session's server: ours.
    pub(crate) fn links_of(&self, unit: &str) -> Vec<i32> {
        self.clients_of(unit, "1")
    }

    /// The pids of those who look at a session's pane.
    pub(crate) fn viewers_of(&self, unit: &str) -> Vec<i32> {
        self.clients_of(unit, "0")
    }

    fn clients_of(&self, unit: &str, control_mode: &str) -> Vec<i32> {
        let format = "#{client_control_mode} #{client_pid}";
        let clients = self.tmux(unit, &["list-clients", "-F", format]).unwrap_or_default();
        let of_that_kind = clients.lines().filter_map(|line| {
            let (mode, pid) = line.split_once(' ')?;
            (mode == control_mode).then(|| pid.parse().ok()).flatten()
        });
        of_that_kind.collect()
    }

    /// The pane as it is, from the daemon.
    pub(crate) fn screen_of(&self, unit: &str) -> String {
        self.does(&["logs", unit, "--screen"])
    }

    /// Waits until a session's pane shows this.
    pub(crate) fn wait_screen(&self, unit: &str, text: &str) -> String {
        self.wait_for(&format!("{unit} to show {text:?}"), || {
            let output = self.verb(&["logs", unit, "--screen"]);
            let screen = String::from_utf8_lossy(&output.stdout).into_owned();
            screen.contains(text).then_some(screen)
        })
    }

    /// Waits until a session is up with another program than this one; its pid.
    pub(crate) fn successor_of(&self, unit: &str, before: i32) -> i32 {
        let after = self.wait_unit(unit, "has a new program", |unit| {
            unit.state == "up" && unit.pid.is_some_and(|pid| pid != before)
        });
        after.pid.expect("a pid")
    }

    /// The pids of this house's living processes that are called so.
    pub(crate) fn called(&self, name: &str) -> Vec<i32> {
        let is_called = |pid: &i32| {
            let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            comm.trim() == name && lives(*pid)
        };
        self.inhabitants().into_iter().filter(is_called).collect()
    }

    /// Waits until `pid` and nobody else is called so: a program is up a moment before it has been
    /// executed under its own name.
    pub(crate) fn alone(&self, name: &str, pid: i32) {
        let alone = || (self.called(name) == [pid]).then_some(());
        self.wait_for(&format!("{pid} to be the only {name}"), alone);
    }

    /// Whether nothing of the house lives but its daemon.
    pub(crate) fn is_empty(&self) -> bool {
        !self.inhabitants().into_iter().any(lives)
    }

    /// Waits for a file that a program writes, and reads it.
    pub(crate) fn written(&self, name: &str) -> String {
        self.wait_for(&format!("the file {name}"), || {
            std::fs::read_to_string(self.path(name)).ok().filter(|text| text.ends_with('\n'))
        })
    }
}

/// The strings of a process's /proc/PID/`file`.
pub(crate) fn strings_of(pid: i32, file: &str) -> Vec<String> {
    let bytes = std::fs::read(format!("/proc/{pid}/{file}")).expect("a living process");
    let strings = bytes.strip_suffix(b"\0").unwrap_or(&bytes).split(|byte| *byte == 0);
    strings.map(|string| String::from_utf8_lossy(string).into_owned()).collect()
}

/// Whether the program is on our PATH.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// A person before a terminal who has entered a session.
pub(crate) struct Viewer<'h> {
    house: &'h House,
    terminal: std::process::Child,
}

impl<'h> Viewer<'h> {
    /// Enters a session by `supervisor attach`, in a pseudo-terminal, and waits until it is shown.
    pub(crate) fn attach(house: &'h House, unit: &str) -> Self {
        let attach = house.command(&["attach", unit]);
        let words = std::iter::once(attach.get_program()).chain(attach.get_args());
        let words: Vec<_> = words.map(|word| word.to_str().expect("text")).collect();
        let mut command = Command::new("script");
        command.args(["-q", "-f", "-c", &words.join(" "), "/dev/null"]).env("TERM", "xterm");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let terminal = command.spawn().expect("script");
        let viewer = Self { house, terminal };
        house.wait_for("the viewer", || (house.viewers_of(unit).len() == 1).then_some(()));
        viewer
    }

    /// Presses keys.
    pub(crate) fn type_in(&self, keys: &str) {
        use std::io::Write as _;
        let mut stdin = self.terminal.stdin.as_ref().expect("a pipe");
        stdin.write_all(keys.as_bytes()).expect("a listener");
    }

    /// Waits until the person is out again.
    pub(crate) fn leaves(mut self) {
        let pid = self.terminal.id().cast_signed();
        self.house.wait_for("the viewer to leave", || (!lives(pid)).then_some(()));
        self.terminal.wait().expect("its end");
    }
}

impl Drop for Viewer<'_> {
    fn drop(&mut self) {
        // It may have left.
        let _ = self.terminal.kill();
        let _ = self.terminal.wait();
    }
}
