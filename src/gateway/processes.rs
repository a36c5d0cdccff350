//! Who runs of NanoClaw, from `/proc`: itself, and its containers by their clients. Not here: what
//! their command lines look like, and what follows from their ends.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use crate::decide::Process;
use crate::nanoclaw::{Generation, containers};
use crate::world::procs;

/// The kernel's word on which boot this is.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// NanoClaw's own process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// It lives; the text is different for each life of it, over reboots too.
    Alive(String),
    /// There is none.
    Absent,
    /// It cannot be seen, or not be told from others: nothing follows from that.
    Unknown,
}

/// The client of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The container's name.
    pub name: String,
    /// Who started it.
    parent: i32,
}

/// One look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Processes {
    /// NanoClaw's own process.
    pub host: Host,
    clients: Vec<Client>,
}

impl Processes {
    /// Whether a container of this group lives.
    pub fn has_container(&self, generation: Generation, folder: &str) -> bool {
        self.clients.iter().any(|client| containers::is_of(&client.name, generation, folder))
    }

    /// Whether a container of this group lives that was there at `time`.
    pub fn has_container_since(
        &self,
        generation: Generation,
        folder: &str,
        time: SystemTime,
    ) -> bool {
        let began = |client: &Client| containers::began(&client.name, generation, folder);
        self.clients.iter().filter_map(began).any(|began| began <= time)
    }

    /// As a test has it.
    #[cfg(test)]
    pub fn new(host: Host, names: &[&str]) -> Self {
        let client = |name: &&str| Client { name: (*name).into(), parent: 1 };
        Self { host, clients: names.iter().map(client).collect() }
    }
}

/// Looks at all processes. What another user's process has as its folder is often not to be seen:
/// then one that is alone in running such a script is taken for NanoClaw, or the one that has
/// started a container of it.
pub fn look(directory: &Path) -> Processes {
    let directory = fs::canonicalize(directory).unwrap_or_else(|_| directory.into());
    let mut clients = Vec::new();
    let mut certain = Vec::new();
    let mut perhaps = Vec::new();
    for stat in procs::all().into_iter().filter(|stat| !stat.is_dead()) {
        let pid = stat.process.pid;
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        let argv: Vec<&str> = line.split_terminator('\0').collect();
        if let Some(name) = containers::container(&argv) {
            clients.push(Client { name, parent: stat.parent });
            continue;
        }
        let Some(script) = containers::script(&argv) else { continue };
        match fs::read_link(format!("/proc/{pid}/cwd")) {
            Ok(cwd) if cwd == directory => certain.push(stat.process),
            Ok(_) => {}
            Err(_) if Path::new(script).starts_with(&directory) => certain.push(stat.process),
            Err(_) => perhaps.push(stat.process),
        }
    }
    // Whoever hides the processes of others hides the first one too.
    let visible = procs::stat(1).is_some();
    Processes { host: host(&certain, &perhaps, &clients, visible), clients }
}

fn host(certain: &[Process], perhaps: &[Process], clients: &[Client], visible: bool) -> Host {
    let started = |process: &&Process| clients.iter().any(|client| client.parent == process.pid);
    // Of several the oldest is the one that has the database; two at once is a fault of its own.
    let found = certain.iter().min_by_key(|process| process.start).or_else(|| match perhaps {
        [only] => Some(only),
        several => several.iter().find(started),
    });
    match found {
        Some(process) => Host::Alive(life(*process)),
        None if visible && perhaps.is_empty() => Host::Absent,
        None => Host::Unknown,
    }
}

fn life(process: Process) -> String {
    let boot = fs::read_to_string(BOOT_ID).unwrap_or_default();
    format!("{} {} {}", boot.trim(), process.pid, process.start)
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;

    struct Ended(Child);

    impl Drop for Ended {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn start(directory: &Path, words: &[&str]) -> Ended {
        // `sleep` refuses such words; a shell keeps them in its command line.
        let mut command = Command::new("sh");
        command.args(["-c", "read x", "sh"]).args(words).current_dir(directory);
        Ended(command.stdin(Stdio::piped()).spawn().unwrap())
    }

    #[test]
    fn nanoclaw_and_its_containers_are_seen_and_a_new_life_of_it_is_another_one() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(look(dir.path()).host, Host::Absent);
        let first = start(dir.path(), &["dist/index.js"]);
        let name = format!("nanoclaw-test{}-1700000000000", std::process::id());
        let client = start(dir.path(), &["run", "-i", "--rm", "--name", &name]);
        let wait = || {
            let began = std::time::Instant::now();
            loop {
                let seen = look(dir.path());
                if matches!(seen.host, Host::Alive(_)) && !seen.clients.is_empty() {
                    return seen;
                }
                assert!(began.elapsed().as_secs() < 20, "{seen:?}");
                std::thread::yield_now();
            }
        };
        let seen = wait();
        let folder = format!("test{}", std::process::id());
        assert!(seen.has_container(Generation::V1, &folder));
        assert!(!seen.has_container(Generation::V1, "test"));
        drop(first);
        let _second = start(dir.path(), &["dist/index.js"]);
        assert_ne!(wait().host, seen.host);
        drop(client);
        assert!(!look(dir.path()).has_container(Generation::V1, &folder));
    }

    #[test]
    fn who_cannot_be_told_from_others_is_unknown_unless_a_container_tells() {
        let of = |pid| Process { pid, start: 1 };
        let client = Client { name: "nanoclaw-a-1".into(), parent: 7 };
        assert_eq!(host(&[], &[], &[], true), Host::Absent);
        assert_eq!(host(&[], &[], &[], false), Host::Unknown);
        assert_eq!(host(&[], &[of(6), of(7)], &[], true), Host::Unknown);
        assert_eq!(host(&[], &[of(6), of(7)], &[client], true), Host::Alive(life(of(7))));
        assert_eq!(host(&[], &[of(6)], &[], true), Host::Alive(life(of(6))));
    }
}
