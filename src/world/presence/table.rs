//! What `/proc` says of every process at once, and more of those that matter. Not here: what it
//! means.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::decide::{Process, UnitName};
use crate::world::procs::{self, INSTANCE_VARIABLE, UNIT_VARIABLE};

/// Of a command line, so many bytes are looked at: a kickoff prompt stands at its end.
const ARGUMENTS_MAX: u64 = 256 * 1024;

/// The kernel's own threads are children of this process.
const KTHREADD: i32 = 2;

/// How often the list of processes is read again for those who were born meanwhile. Whoever lived
/// all through one pass is in it; only who was born of one that died before its turn may be missed.
const PASSES: u32 = 3;

/// What the kernel puts behind the name of a file that is not there any more.
const DELETED: &str = " (deleted)";

/// Words in the cgroups of containers.
const CONTAINERS: [&str; 7] =
    ["docker", "containerd", "libpod", "kubepods", "crio-", "lxc.payload", "/machine.slice/"];

/// What is seen of a process before it is known to matter.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// What the kernel calls it; of at most 15 bytes.
    pub name: &'a [u8],
    /// Its program file, where that may be read.
    pub program: Option<&'a [u8]>,
    /// Its arguments, the program's name first.
    pub arguments: &'a [&'a [u8]],
}

/// One process.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) process: Process,
    pub(super) parent: i32,
    pub(super) terminal: bool,
    name: Vec<u8>,
    program: Option<PathBuf>,
    /// With a NUL behind each.
    line: Vec<u8>,
}

impl Row {
    /// Hands what is seen of it to `look`.
    pub(super) fn seen<T>(&self, look: impl FnOnce(&Caller<'_>) -> T) -> T {
        let line = self.line.strip_suffix(b"\0").unwrap_or(&self.line);
        let arguments: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        let program = self.program.as_ref().map(|it| it.as_os_str().as_bytes());
        look(&Caller { name: &self.name, program, arguments: &arguments })
    }
}

/// All processes, and what could not be read.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) rows: BTreeMap<i32, Row>,
    pub(super) gaps: Vec<String>,
}

impl Table {
    pub(super) fn read(proc: &Path) -> Self {
        let mut table = Self::default();
        for _ in 0..PASSES {
            match table.pass(proc) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => {
                    table.gaps.push(format!("{} cannot be listed: {error}", proc.display()));
                    return table;
                }
            }
        }
        // It always lives, and whoever may not see it may not see other people's processes.
        if !table.rows.contains_key(&1) && table.gaps.is_empty() {
            table.gaps.push(hidden());
        }
        table
    }

    /// How many were not known before.
    fn pass(&mut self, proc: &Path) -> io::Result<usize> {
        let mut new = 0;
        for entry in fs::read_dir(proc)? {
            let Some(pid) = entry?.file_name().to_str().and_then(|it| it.parse().ok()) else {
                continue;
            };
            if pid == KTHREADD || self.rows.contains_key(&pid) {
                continue;
            }
            match row(&proc.join(format!("{pid}")), pid) {
                Ok(Some(row)) => {
                    new += 1;
                    self.rows.insert(pid, row);
                }
                Ok(None) => {}
                Err(error) if procs::is_gone(&error) => {}
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    self.gap(hidden());
                }
                Err(error) => self.gap(format!("process {pid} cannot be read: {error}")),
            }
        }
        Ok(new)
    }

    fn gap(&mut self, gap: String) {
        if !self.gaps.contains(&gap) {
            self.gaps.push(gap);
        }
    }

    /// The parent, its parent, and so on.
    pub(super) fn ancestors(&self, pid: i32) -> Vec<i32> {
        let mut found = Vec::new();
        let mut at = pid;
        while let Some(row) = self.rows.get(&at) {
            // The list was read one by one: a pid that was used again could close a ring.
            if row.parent == 0 || row.parent == at || found.contains(&row.parent) {
                break;
            }
            at = row.parent;
            found.push(at);
        }
        found
    }
}

fn hidden() -> String {
    "/proc hides other users' processes (its mount option hidepid): mount it without, or give the \
     supervisor's user the group that its option gid= names"
        .to_owned()
}

/// None for what is dead, or the kernel's own.
fn row(folder: &Path, pid: i32) -> io::Result<Option<Row>> {
    let stat = fs::read(folder.join("stat"))?;
    let Some(parsed) = procs::parse(pid, &stat) else {
        return Err(io::Error::other("its line of state is not understood"));
    };
    if parsed.is_dead() || parsed.parent == KTHREADD {
        return Ok(None);
    }
    let name = stat.iter().position(|b| *b == b'(').zip(stat.iter().rposition(|b| *b == b')'));
    let name = name.and_then(|(from, to)| stat.get(from + 1..to)).unwrap_or_default().to_vec();
    let mut line = Vec::new();
    File::open(folder.join("cmdline"))?.take(ARGUMENTS_MAX).read_to_end(&mut line)?;
    // Another user's may not be read, and then the rest has to do.
    let program = fs::read_link(folder.join("exe")).ok().map(undeleted);
    let Process { pid, start } = parsed.process;
    Ok(Some(Row {
        process: Process { pid, start },
        parent: parsed.parent,
        terminal: parsed.terminal,
        name,
        program,
        line,
    }))
}

/// What is known further of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Detail {
    /// None if it is ours.
    pub(super) user: Option<u32>,
    pub(super) directory: Option<PathBuf>,
    /// A descriptor 0 that is a terminal, where the session has none.
    pub(super) stdin_terminal: bool,
    pub(super) contained: bool,
}

/// Where we are ourselves: in a container, everything we see is in one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Here {
    depth: usize,
    contained: bool,
}

impl Here {
    pub(super) fn read(proc: &Path) -> Self {
        let own = |name: &str| fs::read_to_string(proc.join("self").join(name));
        Self {
            depth: depth(&own("status").unwrap_or_default()),
            contained: in_container(&own("cgroup").unwrap_or_default()),
        }
    }
}

/// In how many of the namespaces of pids that we see a process has a pid.
fn depth(status: &str) -> usize {
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    line.map_or(1, |pids| pids.split_whitespace().count())
}

/// None if it is gone.
pub(super) fn detail(proc: &Path, here: Here, pid: i32) -> Option<Detail> {
    let folder = proc.join(format!("{pid}"));
    let status = fs::read_to_string(folder.join("status")).ok()?;
    let user = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    let user = user.and_then(|it| it.split_whitespace().nth(1)?.parse::<u32>().ok());
    let nested = depth(&status) > here.depth;
    let cgroup = fs::read_to_string(folder.join("cgroup")).unwrap_or_default();
    let ours = rustix::process::geteuid().as_raw();
    let stdin = fs::read_link(folder.join("fd/0")).unwrap_or_default();
    let terminal = |it: &Path| it.starts_with("/dev/pts") || it.starts_with("/dev/tty");
    Some(Detail {
        user: user.filter(|it| *it != ours),
        directory: fs::read_link(folder.join("cwd")).ok().map(undeleted),
        stdin_terminal: terminal(&stdin),
        contained: nested || !here.contained && in_container(&cgroup),
    })
}

/// By the lines of `/proc/PID/cgroup`.
pub(super) fn in_container(cgroups: &str) -> bool {
    let path = |line: &str| line.splitn(3, ':').nth(2).map(str::to_owned);
    // Docker's own daemon is `docker.service`; what it runs is `docker-ID.scope` or `/docker/ID`.
    let inside = |path: String| {
        let mut parts = path.split('/').filter(|part| !part.ends_with(".service"));
        path.contains("/machine.slice/")
            || parts.any(|part| CONTAINERS.iter().any(|word| part.contains(word)))
    };
    cgroups.lines().filter_map(path).any(inside)
}

/// The marks in the environment of a process; none without, or where it may not be read.
pub(super) fn marks(proc: &Path, pid: i32) -> Option<(String, Option<UnitName>)> {
    let environment = fs::read(proc.join(format!("{pid}/environ"))).ok()?;
    let value = |name: &str| {
        let mut pairs = environment.split(|byte| *byte == 0);
        let value = pairs.find_map(|it| it.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
        value.and_then(|value| std::str::from_utf8(value).ok())
    };
    let instance = value(INSTANCE_VARIABLE)?.to_owned();
    Some((instance, value(UNIT_VARIABLE).and_then(|unit| UnitName::new(unit).ok())))
}

/// The name of a user by their number. Read from the file: a service of names could hang.
pub(super) fn user_name(uid: u32) -> String {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| format!("user {uid}"))
}

fn undeleted(path: PathBuf) -> PathBuf {
    match path.to_str().and_then(|text| text.strip_suffix(DELETED)) {
        Some(text) => text.into(),
        None => path,
    }
}
