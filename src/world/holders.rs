//! Who has a conversation open, leases or not: the command lines of our user's processes, and the
//! files in which an agent program lists its living sessions. Not here: what is in either.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::OFlags;
use thiserror::Error;

use super::procs;
use crate::decide::Process;

/// Of a command line, so many bytes are looked at: a kickoff prompt may be as long as the kernel
/// takes, and stands at the end.
const ARGUMENTS_MAX: u64 = 256 * 1024;

/// A file of a registry has some 600 bytes.
const FILE_MAX: u64 = 256 * 1024;

/// More files than this are not those of living sessions.
const FILES_MAX: usize = 4096;

/// Why a registry says nothing.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// The folder cannot be read.
    #[error("cannot read the sessions listed in {path}")]
    Read {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A process that names a conversation in its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opener {
    /// The process; it lived a moment ago.
    pub process: Process,
    /// What it opened.
    pub conversation: String,
}

/// A file of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryFile {
    /// Its name.
    pub name: OsString,
    /// What is in it; it may be half written.
    pub bytes: Vec<u8>,
    /// When that was written.
    pub written: SystemTime,
}

/// The living processes of our user for whose arguments `opens` names a conversation.
///
/// This reads the memory of every such process, and the kernel can make it wait for ever on one
/// that is stuck in a page fault: call it where that blocks nobody.
pub fn openers(opens: &dyn Fn(&[&[u8]]) -> Option<String>) -> Vec<Opener> {
    let user = rustix::process::geteuid().as_raw();
    let living = procs::all().into_iter().filter(|stat| !stat.is_dead());
    let found = living.filter_map(|stat| {
        let process = stat.process;
        let folder = PathBuf::from(format!("/proc/{}", process.pid));
        if fs::metadata(&folder).ok()?.uid() != user {
            return None;
        }
        let line = read_capped(File::open(folder.join("cmdline")).ok()?, ARGUMENTS_MAX).ok()?;
        // The last argument ends with a NUL too.
        let line = line.strip_suffix(b"\0").unwrap_or(&line);
        let arguments: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        let conversation = opens(&arguments)?;
        // The number may have changed hands while it was read.
        procs::is_alive(process).then_some(Opener { process, conversation })
    });
    found.collect()
}

/// The files `*.json` in a registry, in the order of their names. A folder that is not there lists
/// nobody; a file that cannot be read, or is none, is left out.
///
/// # Errors
/// [`RegistryError::Read`]: then nobody knows who lives.
pub fn registry(folder: &Path) -> Result<Vec<RegistryFile>, RegistryError> {
    let fail = |source| RegistryError::Read { path: folder.into(), source };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(fail)?,
    };
    let mut names = Vec::new();
    for entry in entries.take(FILES_MAX) {
        let name = entry.map_err(fail)?.file_name();
        // Beside them lie keys, which are nobody's business.
        if Path::new(&name).extension().is_some_and(|extension| extension == "json") {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names.iter().filter_map(|name| registry_file(folder, name)).collect())
}

/// One file of a registry; none if it is not there, cannot be read, or is none.
pub fn registry_file(folder: &Path, name: &OsStr) -> Option<RegistryFile> {
    let (bytes, written) = read_file(&folder.join(name)).ok()?;
    Some(RegistryFile { name: name.to_owned(), bytes, written })
}

fn read_file(path: &Path) -> io::Result<(Vec<u8>, SystemTime)> {
    // A pipe of that name would be waited for without end.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() > FILE_MAX {
        return Err(io::Error::other("no file of a registry"));
    }
    let written = metadata.modified()?;
    Ok((read_capped(file, FILE_MAX)?, written))
}

fn read_capped(file: File, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_process_that_names_a_conversation_is_found_by_its_arguments() {
        // It waits for its input, which ends with this test.
        let mark = format!("conversation-{}", std::process::id());
        let mut child = Command::new("sh")
            .args(["-c", "read -r line", "claude", "--resume", &mark, ""])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let opens = |arguments: &[&[u8]]| {
            let at = arguments.iter().position(|argument| *argument == b"--resume")?;
            Some(String::from_utf8_lossy(arguments.get(at + 1)?).into_owned())
        };
        let process = procs::identify(child.id().cast_signed()).unwrap();
        // Until it is a shell, it is a copy of this test.
        let found = || openers(&opens).into_iter().find(|opener| opener.process == process);
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        let mut seen = found();
        while seen.is_none() && std::time::Instant::now() < deadline {
            std::thread::yield_now();
            seen = found();
        }
        assert_eq!(seen, Some(Opener { process, conversation: mark }));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(found(), None);
    }

    #[test]
    fn the_files_of_a_registry_are_read_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("7.json"), "seven").unwrap();
        fs::write(dir.path().join("12.json"), "").unwrap();
        fs::write(dir.path().join("7.abcdef.key"), "secret").unwrap();
        fs::write(dir.path().join("9.json.tmp"), "half").unwrap();
        fs::write(dir.path().join("8.json"), vec![b' '; 300 * 1024]).unwrap();
        fs::create_dir(dir.path().join("5.json")).unwrap();
        nix::unistd::mkfifo(&dir.path().join("6.json"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let files = registry(dir.path()).unwrap();
        let file = |name: &str, text: &str| (OsString::from(name), text.as_bytes().to_vec());
        let files: Vec<_> = files.into_iter().map(|file| (file.name, file.bytes)).collect();
        assert_eq!(files, [file("12.json", ""), file("7.json", "seven")]);
    }

    #[test]
    fn a_registry_that_is_not_there_lists_nobody_and_one_that_is_none_says_so() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(registry(&dir.path().join("none")).unwrap(), []);
        fs::write(dir.path().join("file"), "").unwrap();
        let error = registry(&dir.path().join("file")).unwrap_err().to_string();
        assert!(error.contains("/file"), "{error}");
    }
}
