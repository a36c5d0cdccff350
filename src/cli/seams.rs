//! PLACEHOLDERS for rooms that are built elsewhere, each with the signature that the command line is
//! written against. This file goes away: every caller then names the real thing.

/// In place of `crate::config`.
pub(super) mod config {
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    use crate::config::{
        Agent, Backoff, Cap, Config, CrashLoop, OnExit, Program, Restart, SessionKeys, Supervisor,
        Unit,
    };
    use crate::decide::{UnitKind, UnitName};

    pub(in crate::cli) const TEMPLATE: &str = "# The configuration of agent-supervisor.\n\n[services.example]\ncommand = [\"sleep\", \"infinity\"]\n";

    #[derive(Debug, thiserror::Error)]
    pub(in crate::cli) enum ConfigError {
        #[error("cannot read the configuration {}", .0.display())]
        Read(PathBuf, #[source] std::io::Error),
        #[error("{}: {}", .0.display(), .1)]
        Wrong(PathBuf, String),
        #[error(
            "there is no configuration: write one with `supervisor init`, or name it with --config"
        )]
        Missing,
    }

    pub(in crate::cli) fn find(named: Option<&Path>) -> Result<PathBuf, ConfigError> {
        if let Some(named) = named {
            return Ok(named.to_owned());
        }
        let places = [
            std::env::var_os("SUPERVISOR_CONFIG").map(PathBuf::from),
            Some(PathBuf::from("/etc/agent-supervisor/config.toml")),
        ];
        places.into_iter().flatten().find(|place| place.exists()).ok_or(ConfigError::Missing)
    }

    pub(in crate::cli) fn load(file: &Path) -> Result<Config, ConfigError> {
        let text = std::fs::read_to_string(file)
            .map_err(|error| ConfigError::Read(file.to_owned(), error))?;
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            ConfigError::Wrong(file.to_owned(), error.to_string())
        })?;
        let base = file.parent().unwrap_or(Path::new("/"));
        let path = |name: &str, or: &str| {
            let found =
                table.get("supervisor").and_then(|of| of.get(name)).and_then(|v| v.as_str());
            base.join(found.unwrap_or(or))
        };
        let state_dir = path("state_dir", "/var/lib/agent-supervisor");
        let supervisor = Supervisor {
            runtime_dir: path("runtime_dir", "/run/agent-supervisor"),
            reboot_log: path("reboot_log", &state_dir.join("REBOOTS.md").to_string_lossy()),
            boot_id_file: path("boot_id_file", "/proc/sys/kernel/random/boot_id"),
            state_dir,
            log_max: 10 << 20,
            log_keep: 3,
        };
        let mut units = BTreeMap::new();
        for (kind, session) in [("services", None), ("sessions", Some(SessionKeys::default()))] {
            let of_kind = table.get(kind).and_then(|of| of.as_table());
            for (name, keys) in of_kind.into_iter().flatten() {
                let name = UnitName::new(name)
                    .map_err(|error| ConfigError::Wrong(file.to_owned(), error.to_string()))?;
                let command = keys.get("command").and_then(|command| command.as_array());
                let command = command.map(|words| {
                    words.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect()
                });
                let unit = unit(name.clone(), session.clone(), command, keys, base);
                units.insert(name, unit);
            }
        }
        let cap = Cap { restarts: 100, within: Duration::from_secs(60) };
        Ok(Config {
            file: Some(file.to_owned()),
            supervisor,
            units,
            cap,
            stagger: Duration::from_secs(2),
            not_acted_on: Vec::new(),
        })
    }

    fn unit(
        name: UnitName,
        session: Option<SessionKeys>,
        command: Option<Vec<String>>,
        keys: &toml::Value,
        base: &Path,
    ) -> Unit {
        let path = |key: &str| keys.get(key).and_then(|v| v.as_str()).map(|v| base.join(v));
        Unit {
            name,
            kind: if session.is_some() { UnitKind::Session } else { UnitKind::Service },
            program: match command {
                Some(command) => Program::Command(command),
                None => Program::Agent { agent: Agent::Claude, command: None },
            },
            directory: path("directory"),
            environment: BTreeMap::new(),
            environment_file: path("environment_file"),
            path: Vec::new(),
            after: Vec::new(),
            ready: None,
            memory_max: None,
            restart: Restart {
                first_delay: Duration::ZERO,
                backoff: Backoff { from: Duration::from_secs(1), to: Duration::from_secs(600) },
                stable_after: Duration::from_secs(600),
                crash_loop: CrashLoop {
                    starts: 5,
                    within: Duration::from_secs(900),
                    retry: Some(Duration::from_secs(1800)),
                },
            },
            restart_on_change: false,
            on_exit: OnExit::Restart,
            stop_grace: Duration::from_secs(10),
            session,
        }
    }
}

/// In place of `crate::daemon`.
pub(super) mod daemon {
    use std::path::PathBuf;

    use crate::config::Config;

    #[derive(Debug)]
    pub(in crate::cli) struct RunOptions {
        pub(in crate::cli) config_file: PathBuf,
        pub(in crate::cli) config: Config,
    }

    pub(in crate::cli) fn run(options: RunOptions) -> anyhow::Result<()> {
        anyhow::bail!(
            "cannot supervise the {} units of {} yet",
            options.config.units.len(),
            options.config_file.display()
        )
    }
}

/// In place of `crate::world::launch`.
pub(super) mod launch {
    use std::path::Path;

    pub(in crate::cli) fn exec_unit(_launch_file: &Path) -> u8 {
        1
    }
}

/// In place of `crate::world::logs`.
pub(super) mod logs {
    use std::fs::File;
    use std::io::{self, Read, Seek, SeekFrom};
    use std::path::{Path, PathBuf};

    use inotify::{Inotify, WatchMask};

    /// The last `lines` lines, and the offset at which they end.
    pub(in crate::cli) fn read(file: &Path, lines: usize) -> io::Result<(Vec<u8>, u64)> {
        let mut bytes = Vec::new();
        match File::open(file) {
            Ok(mut open) => open.read_to_end(&mut bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        let end = bytes.len() as u64;
        let mut breaks = bytes.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
        let from = breaks.nth(lines).map_or(0, |(at, _)| at + 1);
        bytes.drain(..from);
        Ok((bytes, end))
    }

    /// What is added; blocks, ends only by an error.
    pub(in crate::cli) struct Follower {
        file: PathBuf,
        at: u64,
        inotify: Inotify,
    }

    impl Follower {
        pub(in crate::cli) fn new(file: &Path, at: u64) -> io::Result<Self> {
            let inotify = Inotify::init()?;
            let folder = file.parent().unwrap_or(Path::new("/"));
            inotify.watches().add(folder, WatchMask::MODIFY | WatchMask::CREATE)?;
            Ok(Self { file: file.to_owned(), at, inotify })
        }

        fn piece(&mut self) -> io::Result<Vec<u8>> {
            let mut events = [0; 4096];
            loop {
                if let Ok(mut file) = File::open(&self.file) {
                    let mut more = Vec::new();
                    file.seek(SeekFrom::Start(self.at))?;
                    file.read_to_end(&mut more)?;
                    self.at += more.len() as u64;
                    if !more.is_empty() {
                        return Ok(more);
                    }
                }
                self.inotify.read_events_blocking(&mut events)?;
            }
        }
    }

    impl Iterator for Follower {
        type Item = io::Result<Vec<u8>>;

        fn next(&mut self) -> Option<Self::Item> {
            Some(self.piece())
        }
    }
}

/// In place of `crate::world::journal`.
pub(super) mod journal {
    use std::collections::VecDeque;
    use std::io;
    use std::path::{Path, PathBuf};

    use super::logs;

    pub(in crate::cli) fn path(state_dir: &Path) -> PathBuf {
        state_dir.join("events.jsonl")
    }

    pub(in crate::cli) fn tail(path: &Path, lines: usize) -> io::Result<Vec<String>> {
        let (bytes, _) = logs::read(path, lines)?;
        Ok(String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect())
    }

    /// The lines that come from now on; blocks, ends only by an error.
    pub(in crate::cli) struct Follower {
        pieces: logs::Follower,
        unended: Vec<u8>,
        ready: VecDeque<String>,
    }

    impl Follower {
        pub(in crate::cli) fn new(path: &Path) -> io::Result<Self> {
            let end = path.metadata().map_or(0, |found| found.len());
            let pieces = logs::Follower::new(path, end)?;
            Ok(Self { pieces, unended: Vec::new(), ready: VecDeque::new() })
        }
    }

    impl Iterator for Follower {
        type Item = io::Result<String>;

        fn next(&mut self) -> Option<Self::Item> {
            while self.ready.is_empty() {
                match self.pieces.next()? {
                    Ok(piece) => self.unended.extend(piece),
                    Err(error) => return Some(Err(error)),
                }
                if let Some(end) = self.unended.iter().rposition(|byte| *byte == b'\n') {
                    let whole: Vec<u8> = self.unended.drain(..=end).collect();
                    let whole = String::from_utf8_lossy(&whole);
                    self.ready.extend(whole.lines().map(str::to_owned));
                }
            }
            self.ready.pop_front().map(Ok)
        }
    }
}

/// In place of `crate::world::reboots`.
pub(super) mod reboots {
    use std::io;
    use std::path::Path;
    use std::time::SystemTime;

    #[derive(Clone, Debug)]
    pub(in crate::cli) struct Entry {
        pub(in crate::cli) at: Option<SystemTime>,
        pub(in crate::cli) boot_id: Option<String>,
        pub(in crate::cli) line: String,
    }

    pub(in crate::cli) fn read(log: &Path) -> io::Result<Vec<Entry>> {
        let text = match std::fs::read_to_string(log) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let entries = text.lines().skip_while(|line| *line != "## Reboots").skip(1);
        let entries = entries.filter_map(|line| line.strip_prefix("- "));
        Ok(entries
            .map(|entry| Entry {
                at: entry
                    .split_whitespace()
                    .next()
                    .and_then(|word| word.parse::<jiff::Timestamp>().ok())
                    .map(SystemTime::from),
                boot_id: entry
                    .split_whitespace()
                    .find_map(|word| word.strip_prefix("boot_id="))
                    .map(str::to_owned),
                line: entry.to_owned(),
            })
            .collect())
    }
}

/// In place of the looks that `doctor` needs from the world: each answers with what it found, or
/// with what is missing and what to do.
pub(super) mod looks {
    use std::path::Path;

    const LATER: &str = "not looked at yet";

    pub(in crate::cli) fn cgroup_delegation() -> Result<String, String> {
        Err(LATER.to_owned())
    }

    pub(in crate::cli) fn memory_cap_manager() -> Result<String, String> {
        Err(LATER.to_owned())
    }

    pub(in crate::cli) fn hole_punching(_state_dir: &Path) -> Result<String, String> {
        Err(LATER.to_owned())
    }
}
