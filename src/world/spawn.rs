//! Starting a program: born in its cgroup, held at a gate until the record of it is written, and
//! an answer later whether the program could be executed.
//!
//! The only file with `unsafe`: between fork and exec only raw system calls may be made, because
//! another thread may hold the allocator's lock. So everything the child needs is made ready
//! before. Not here: what is started and when, the end of it ([`super::pidfd`],
//! [`super::reaper`]), its group ([`super::group`]).
#![expect(
    unsafe_code,
    reason = "clone3 into a cgroup, the code between fork and exec, and one ioctl have no safe form"
)]

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::ptr;

use nix::errno::Errno;
use nix::libc::{self, c_char, c_int, c_long};
use nix::sys::signal::{SigSet, SigmaskHow};
use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags, accessat};
use rustix::pipe::{PipeFlags, pipe_with};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;

use super::procs;
use crate::decide::Process;

/// The exit code of a child whose gate was never opened.
pub const GATE_SHUT: i32 = 125;

/// The exit code of a child that could not execute its program.
pub const NOT_EXECUTED: i32 = 127;

/// Where programs are looked for when the child's environment has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// One program to be started. Nothing is inherited but what is named here, the daemon's limits,
/// user and umask. The child leads a session of its own; its signals are all at their defaults and
/// unblocked, and every descriptor but the three is closed.
#[derive(Debug)]
pub struct Launch {
    /// The program and its arguments. A program without a slash is looked for in the `PATH` of
    /// `env`; one with a slash is taken as it is, relative to `directory`.
    pub argv: Vec<OsString>,
    /// The whole environment.
    pub env: Vec<(OsString, OsString)>,
    /// Where it runs; `None` = where the daemon does.
    pub directory: Option<PathBuf>,
    /// What it reads.
    pub stdin: Stream,
    /// Where its output goes.
    pub stdout: Stream,
    /// Where its errors go.
    pub stderr: Stream,
    /// The directory of the cgroup it is born into.
    pub cgroup: Option<OwnedFd>,
}

/// One of the three streams of a program.
#[derive(Debug)]
pub enum Stream {
    /// `/dev/null`.
    Null,
    /// This file, pipe or socket.
    Fd(OwnedFd),
}

impl Launch {
    /// Forks the child, which then waits at its gate. Nothing here waits for the child.
    ///
    /// # Errors
    /// Before anything was forked, or with the child already ending: a program that is not there,
    /// or a fork that the kernel refused. After [`LaunchError::IntoCgroup`] the caller may try
    /// again without a cgroup. A missing directory comes later, from [`ExecPipe::result`], since
    /// a look at a dead network mount may hang, and then the child's look should.
    pub fn fork(self) -> Result<Gated, LaunchError> {
        let program = self.find_program()?;
        let texts = Texts::new(&self, &program)?;
        let files = |source| LaunchError::Files { source };
        let (gate_read, gate) = pipe_with(PipeFlags::CLOEXEC).map_err(|e| files(e.into()))?;
        let (report, report_write) = pipe_with(PipeFlags::CLOEXEC).map_err(|e| files(e.into()))?;
        let streams = [
            self.stdin.into_fd().map_err(files)?,
            self.stdout.into_fd().map_err(files)?,
            self.stderr.into_fd().map_err(files)?,
        ];
        let child = Child {
            streams: streams.each_ref().map(AsRawFd::as_raw_fd),
            gate: gate_read.as_raw_fd(),
            report: report_write.as_raw_fd(),
            texts: texts.pointers(),
        };
        let cgroup = self.cgroup.as_ref().map(|fd| fd.as_raw_fd());
        let (pid, pidfd) = child.fork(cgroup).map_err(|source| match cgroup {
            Some(_) => LaunchError::IntoCgroup { source },
            None => LaunchError::Fork { source },
        })?;
        // Nobody has waited for the child, so the pid is its own, be it dead or alive.
        let process = procs::identify(pid).ok_or(LaunchError::NoProc { pid })?;
        let exec = ExecPipe { report, program, directory: self.directory };
        Ok(Gated { process, pidfd, gate, exec })
    }

    /// The file that `argv[0]` means.
    fn find_program(&self) -> Result<PathBuf, LaunchError> {
        let name = self.argv.first().filter(|name| !name.is_empty()).ok_or(LaunchError::Empty)?;
        if name.as_bytes().contains(&b'/') {
            return Ok(name.into());
        }
        let path = self.env.iter().rfind(|(variable, _)| variable == "PATH");
        let path = path.map_or(OsStr::new(DEFAULT_PATH), |(_, value)| value);
        let mut not_executable = None;
        for folder in std::env::split_paths(path) {
            // An empty part of PATH means the working directory.
            let folder = self.directory.as_deref().unwrap_or(Path::new(".")).join(folder);
            let file = folder.join(name);
            if !file.is_file() {
                continue;
            }
            if accessat(CWD, &file, Access::EXEC_OK, AtFlags::EACCESS).is_ok() {
                return Ok(file);
            }
            not_executable.get_or_insert(file);
        }
        Err(match not_executable {
            Some(file) => LaunchError::NotExecutable { file },
            None => LaunchError::NotFound { name: name.clone(), path: path.to_owned() },
        })
    }
}

impl Stream {
    fn into_fd(self) -> io::Result<OwnedFd> {
        match self {
            Self::Fd(fd) => Ok(fd),
            Self::Null => {
                Ok(rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?)
            }
        }
    }
}

/// A child at its gate: it has a pid and has done nothing yet. Dropped, or lost with a daemon that
/// dies, it ends with [`GATE_SHUT`], and its program has never run.
#[derive(Debug)]
pub struct Gated {
    /// The child, which keeps its pid when it executes the program.
    pub process: Process,
    /// The handle on it.
    pub pidfd: OwnedFd,
    gate: OwnedFd,
    exec: ExecPipe,
}

impl Gated {
    /// Lets the child execute its program. Should the child have been killed at its gate, its
    /// `pidfd` says so.
    pub fn open(self) -> Running {
        let Self { process, pidfd, gate, exec } = self;
        // One byte always fits into an empty pipe, and a pipe without a reader has no child.
        let _ = rustix::io::write(&gate, &[1]);
        Running { process, pidfd, exec }
    }

    /// Never lets the child run its program: it ends with [`GATE_SHUT`], which the handle tells.
    pub fn turn_away(self) -> OwnedFd {
        self.pidfd
    }
}

/// A child that was let go.
#[derive(Debug)]
pub struct Running {
    /// The child.
    pub process: Process,
    /// The handle on it.
    pub pidfd: OwnedFd,
    /// Says whether the program could be executed.
    pub exec: ExecPipe,
}

/// The pipe over which the child says what stopped it from executing its program.
#[derive(Debug)]
pub struct ExecPipe {
    report: OwnedFd,
    program: PathBuf,
    directory: Option<PathBuf>,
}

impl ExecPipe {
    /// `Ok` once the program is executed, or the child was killed before it could be, which its
    /// pidfd tells. Usually under a millisecond, but a dead network mount may hold the child for
    /// ever: how long to wait is the caller's business. The child is not ended by dropping this.
    ///
    /// # Errors
    /// Why the program does not run. The child is then ending with [`NOT_EXECUTED`].
    pub async fn result(self) -> Result<(), ExecError> {
        let report = |source| ExecError::Report { source };
        let mut pipe = pipe::Receiver::from_owned_fd(self.report).map_err(report)?;
        let mut message = Vec::new();
        pipe.read_to_end(&mut message).await.map_err(report)?;
        let [stage, errno @ ..] = message.as_slice() else { return Ok(()) };
        let errno =
            <[u8; 4]>::try_from(errno).map_err(|_| report(io::ErrorKind::InvalidData.into()))?;
        let source = io::Error::from_raw_os_error(i32::from_ne_bytes(errno));
        let missing = source.kind() == io::ErrorKind::NotFound;
        Err(match (*stage, self.directory) {
            (STAGE_DIRECTORY, Some(directory)) if missing => {
                ExecError::DirectoryMissing { directory }
            }
            (STAGE_DIRECTORY, Some(directory)) => ExecError::Directory { directory, source },
            (STAGE_EXEC, directory) => {
                let file = directory.unwrap_or_default().join(&self.program);
                if !missing {
                    ExecError::Exec { program: self.program, source }
                } else if file.exists() {
                    ExecError::InterpreterMissing { program: self.program }
                } else {
                    ExecError::ProgramMissing { program: self.program }
                }
            }
            _ => ExecError::Files { source },
        })
    }
}

/// Why no child was started.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// There is no program to run.
    #[error("the command is empty")]
    Empty,
    /// No such program.
    #[error(
        "command not found: {}: name it by its whole path, or put its folder into the unit's `path`",
        name.display()
    )]
    NotFound {
        /// What was looked for.
        name: OsString,
        /// Where.
        path: OsString,
    },
    /// There is one, and it must not be executed.
    #[error("not executable: {}", file.display())]
    NotExecutable {
        /// The first file of that name in `PATH`.
        file: PathBuf,
    },
    /// An argument, a variable or the directory has a NUL byte in it, which cannot be handed over.
    #[error("NUL byte in {what}")]
    Nul {
        /// Where, without the text: it may be a secret.
        what: &'static str,
    },
    /// No pipe or no `/dev/null`.
    #[error("cannot open the files of a new process")]
    Files {
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The kernel makes no process.
    #[error("cannot fork")]
    Fork {
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The kernel makes no process in that cgroup (it is gone, it is not ours, or the kernel is
    /// older than 5.7).
    #[error("cannot fork into the cgroup")]
    IntoCgroup {
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// `/proc` does not show our own child, so it could never be told from another.
    #[error("/proc does not show process {pid}")]
    NoProc {
        /// The child, which is ending.
        pid: i32,
    },
}

/// Why a child that was let go does not run its program.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// There is no such directory.
    #[error("directory missing: {}", directory.display())]
    DirectoryMissing {
        /// The working directory asked for.
        directory: PathBuf,
    },
    /// The directory cannot be entered.
    #[error("cannot enter the directory {}", directory.display())]
    Directory {
        /// The working directory asked for.
        directory: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// There is no such program.
    #[error("command not found: {}", program.display())]
    ProgramMissing {
        /// As it was given.
        program: PathBuf,
    },
    /// The program is there; what its first line or its header names is not.
    #[error("cannot execute {}: its interpreter is missing", program.display())]
    InterpreterMissing {
        /// As it was given or found.
        program: PathBuf,
    },
    /// The program cannot be executed.
    #[error("cannot execute {}", program.display())]
    Exec {
        /// As it was given or found.
        program: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The child could not arrange its descriptors.
    #[error("cannot arrange the files of the new process")]
    Files {
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The answer could not be read: whether the program runs is not known.
    #[error("cannot read whether the program was executed")]
    Report {
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

/// Makes the daemon the parent of every orphan among its descendants, so that it can reap them.
///
/// # Errors
/// What the kernel says.
pub fn make_subreaper() -> io::Result<()> {
    Ok(rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?)
}

/// Takes over a descriptor that the image before us left open for us; `None` if no such descriptor
/// is open. Each number may be taken once, before anything else is opened.
pub fn inherit(fd: RawFd) -> Option<OwnedFd> {
    if fd <= 2 || nix::fcntl::fcntl(borrow(fd), nix::fcntl::FcntlArg::F_GETFD).is_err() {
        return None;
    }
    // SAFETY: the descriptor is open, and by the caller's promise nobody else owns it: it was
    // open before this image began, and is taken once.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC).ok()?;
    Some(fd)
}

fn borrow(fd: RawFd) -> BorrowedFd<'static> {
    // SAFETY: it is used for one call that answers EBADF where nothing is open.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

/// The status, as `wait` would have it, of a process that someone else has collected; `None` if
/// it has not been, or if the kernel does not keep it (before Linux 6.15).
pub fn collected_status(pidfd: &OwnedFd) -> Option<i32> {
    let mut info = PidfdInfo { mask: PIDFD_INFO_EXIT, ..PidfdInfo::default() };
    // SAFETY: the request's number says how long `info` is, the kernel writes no more than that,
    // and `info` is plain numbers for which every pattern of bits is a value.
    let done = unsafe { libc::ioctl(pidfd.as_raw_fd(), PIDFD_GET_INFO, &raw mut info) };
    (done == 0 && info.mask & PIDFD_INFO_EXIT != 0).then_some(info.exit_code)
}

const PIDFD_INFO_EXIT: u64 = 1 << 3;
/// `_IOWR(0xFF, 11, struct pidfd_info)`.
const PIDFD_GET_INFO: libc::Ioctl = nix::request_code_readwrite!(0xFF, 11, size_of::<PidfdInfo>());

/// `struct pidfd_info` in its first published size.
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroup: u64,
    pids: [u32; 3],
    ids: [u32; 8],
    exit_code: i32,
}

/// The words for the child, owned; the pointers into them are made by [`Texts::pointers`].
struct Texts {
    program: CString,
    argv: Vec<CString>,
    env: Vec<CString>,
    directory: Option<CString>,
}

impl Texts {
    fn new(launch: &Launch, program: &Path) -> Result<Self, LaunchError> {
        let word = |text: &OsStr, what| {
            CString::new(text.as_bytes()).map_err(|_| LaunchError::Nul { what })
        };
        let variable = |(name, value): &(OsString, OsString)| {
            let mut text = name.clone().into_vec();
            text.push(b'=');
            text.extend(value.as_bytes());
            word(OsStr::from_bytes(&text), "a variable")
        };
        Ok(Self {
            program: word(program.as_os_str(), "the program")?,
            argv: launch.argv.iter().map(|a| word(a, "an argument")).collect::<Result<_, _>>()?,
            env: launch.env.iter().map(variable).collect::<Result<_, _>>()?,
            directory: (launch.directory.as_ref())
                .map(|d| word(d.as_os_str(), "the directory"))
                .transpose()?,
        })
    }

    fn pointers(&self) -> Pointers<'_> {
        let list = |texts: &[CString]| {
            texts.iter().map(|t| t.as_ptr()).chain([ptr::null()]).collect::<Vec<_>>()
        };
        Pointers { texts: self, argv: list(&self.argv), env: list(&self.env) }
    }
}

struct Pointers<'a> {
    texts: &'a Texts,
    argv: Vec<*const c_char>,
    env: Vec<*const c_char>,
}

/// What the child works with: numbers and pointers that were all made before the fork.
struct Child<'a> {
    streams: [RawFd; 3],
    gate: RawFd,
    report: RawFd,
    texts: Pointers<'a>,
}

/// The child's places for its end of the gate and of the report, behind the three streams.
const GATE: RawFd = 3;
const REPORT: RawFd = 4;
/// All descriptors are first copied to here and above, so that none is overwritten before its turn.
const ABOVE: c_int = 10;
/// The last signal, the real-time ones included.
const LAST_SIGNAL: c_int = 64;
/// How long the kernel's set of signals is.
const SIGSET_BYTES: usize = 8;

const STAGE_FILES: u8 = 1;
const STAGE_DIRECTORY: u8 = 2;
const STAGE_EXEC: u8 = 3;

impl Child<'_> {
    /// Forks; only the parent returns.
    fn fork(&self, cgroup: Option<RawFd>) -> io::Result<(i32, OwnedFd)> {
        let mut pidfd: c_int = -1;
        // SAFETY: `clone_args` is plain numbers, and zero is the kernel's default for each.
        let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
        args.flags = libc::CLONE_PIDFD as u64;
        args.pidfd = (&raw mut pidfd) as u64;
        args.exit_signal = libc::SIGCHLD as u64;
        if let Some(directory) = cgroup {
            args.flags |= CLONE_INTO_CGROUP;
            args.cgroup = u64::from(directory.unsigned_abs());
        }
        // Until the child has its own dispositions, a signal to it would run our handlers, which
        // write into pipes that it shares with us.
        let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
        // SAFETY: without CLONE_VM and a stack this is a fork: the child goes on here with a copy
        // of our memory. `args` and `pidfd` outlive the call.
        let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of_val(&args)) };
        if pid == 0 {
            // SAFETY: we are the child of a fork, the only thread in it, with all signals blocked;
            // the pointers are into memory that is our own copy.
            unsafe { self.run() }
        }
        let error = Errno::last();
        before.thread_set_mask()?;
        if pid < 0 {
            return Err(error.into());
        }
        // SAFETY: the kernel has just made this descriptor for us, and nobody else has it.
        let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
        Ok((i32::try_from(pid).map_err(io::Error::other)?, pidfd))
    }

    /// The whole life of the child up to its program. System calls only: nothing that allocates,
    /// takes a lock or may panic.
    ///
    /// # Safety
    /// Only in the child of a fork, whose memory, descriptors and signals it may change at will.
    unsafe fn run(&self) -> ! {
        // SAFETY: each call is safe after a fork (signal-safety(7)); the descriptors were open at
        // the fork, and the pointers are to NUL-ended texts and NULL-ended lists in `self`, which
        // live as long as this process image.
        unsafe {
            libc::setsid();
            let wanted =
                [self.streams[0], self.streams[1], self.streams[2], self.gate, self.report];
            let copies = wanted.map(|fd| libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, ABOVE));
            for (place, copy) in (0..).zip(copies) {
                let flag = if place >= GATE { libc::O_CLOEXEC } else { 0 };
                if copy < 0 || libc::dup3(copy, place, flag) < 0 {
                    // The report's place may be taken by something else as yet.
                    Self::fail(if copies[4] < 0 { self.report } else { copies[4] }, STAGE_FILES);
                }
            }
            // Where the kernel lacks this (before 5.9) all of ours close on exec.
            libc::syscall(
                libc::SYS_close_range,
                c_long::from(REPORT + 1),
                c_long::from(u32::MAX),
                0,
            );

            // The C library would not touch two signals that it keeps for itself. Zeroes are the
            // kernel's `struct sigaction` for the default.
            let default = [0_u64; 8];
            for signal in 1..=LAST_SIGNAL {
                let old = ptr::null_mut::<u64>();
                libc::syscall(
                    libc::SYS_rt_sigaction,
                    signal,
                    &raw const default,
                    old,
                    SIGSET_BYTES,
                );
            }
            let (none, old) = (0_u64, ptr::null_mut::<u64>());
            let how = libc::SIG_SETMASK;
            libc::syscall(libc::SYS_rt_sigprocmask, how, &raw const none, old, SIGSET_BYTES);

            let mut byte = 0_u8;
            loop {
                match libc::read(GATE, (&raw mut byte).cast(), 1) {
                    1 => break,
                    -1 if Errno::last_raw() == libc::EINTR => {}
                    _ => libc::_exit(GATE_SHUT),
                }
            }
            if let Some(directory) = &self.texts.texts.directory
                && libc::chdir(directory.as_ptr()) < 0
            {
                Self::fail(REPORT, STAGE_DIRECTORY);
            }
            let program = self.texts.texts.program.as_ptr();
            libc::execve(program, self.texts.argv.as_ptr(), self.texts.env.as_ptr());
            Self::fail(REPORT, STAGE_EXEC)
        }
    }

    /// Writes why, and ends.
    ///
    /// # Safety
    /// As for [`Child::run`].
    unsafe fn fail(report: RawFd, stage: u8) -> ! {
        let [a, b, c, d] = Errno::last_raw().to_ne_bytes();
        let message = [stage, a, b, c, d];
        // SAFETY: the message is on our stack and as long as we say; both calls are safe after a
        // fork.
        unsafe {
            libc::write(report, message.as_ptr().cast(), message.len());
            libc::_exit(NOT_EXECUTED)
        }
    }
}

/// The header's value; libc has it in a type that is too small for it.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

#[cfg(test)]
mod tests;
