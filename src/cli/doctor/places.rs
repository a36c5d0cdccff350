//! The supervisor's own folders and sockets.

use std::path::Path;

use super::Check;
use crate::cli::client;
use crate::cli::client::AT_ONCE;
use crate::cli::failure::Failure;
use crate::cli::render::count;
use crate::config::Config;

/// A socket's path, as the kernel holds it, has room for so many bytes and an end.
const SOCKET_PATH_MAX: usize = 107;

/// Below this a disk is as good as full: one burst of a log fills it.
const FREE_LEAST: u64 = 256 << 20;

/// All of them.
pub(super) fn checks(file: &Path, config: &Config) -> Vec<Check> {
    vec![
        state_dir(&config.supervisor.state_dir),
        writable("runtime_dir", &config.supervisor.runtime_dir),
        socket_paths(config),
        control_socket(file, config),
    ]
}

fn state_dir(dir: &Path) -> Check {
    const NAME: &str = "state_dir";
    let check = writable(NAME, dir);
    if check.verdict != super::Verdict::Ok {
        return check;
    }
    match rustix::fs::statvfs(dir.ancestors().find(|dir| dir.exists()).unwrap_or(dir)) {
        Ok(fs) => {
            let free = fs.f_bavail.saturating_mul(fs.f_frsize);
            let finding = format!("{}, {} MiB free", check.finding, free >> 20);
            if free < FREE_LEAST {
                let remedy = "make room: a full disk keeps units running but saves nothing";
                return Check::warn(NAME, finding, remedy);
            }
            Check::ok(NAME, finding)
        }
        Err(error) => Check::warn(
            NAME,
            format!("{}: cannot tell the free space: {error}", dir.display()),
            "see whether its file system is well",
        ),
    }
}

/// Whether files can be made there, by the kernel's own word. A folder that is not there yet is made
/// by `run`, which needs the same of the one above.
pub(super) fn writable(name: &str, dir: &Path) -> Check {
    let Some(there) = dir.ancestors().find(|dir| dir.symlink_metadata().is_ok()) else {
        return Check::fail(name, format!("{} is nowhere", dir.display()), "name an absolute path");
    };
    let missing = there != dir;
    let shown = dir.display();
    if !there.is_dir() {
        return Check::fail(
            name,
            format!("{} is no folder", there.display()),
            "name another place, or move that file away",
        );
    }
    match rustix::fs::access(there, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK) {
        Ok(()) if missing => Check::ok(name, format!("{shown} will be made")),
        Ok(()) => Check::ok(name, format!("{shown} can be written")),
        Err(error) => Check::fail(
            name,
            format!("{} cannot be written: {error}", there.display()),
            "give it to the user that the supervisor runs as, or name another place",
        ),
    }
}

fn socket_paths(config: &Config) -> Check {
    const NAME: &str = "socket paths";
    let dir = &config.supervisor.runtime_dir;
    let sockets = config
        .units
        .keys()
        .map(|name| dir.join("tmux").join(format!("{name}.sock")))
        .chain([dir.join("control.sock")]);
    let longest = sockets.max_by_key(|path| path.as_os_str().len()).unwrap_or_default();
    let length = longest.as_os_str().len();
    if length <= SOCKET_PATH_MAX {
        return Check::ok(NAME, format!("the longest has {length} of {SOCKET_PATH_MAX} bytes"));
    }
    Check::fail(
        NAME,
        format!("{} has {length} bytes, of at most {SOCKET_PATH_MAX}", longest.display()),
        "choose a shorter runtime_dir or unit name",
    )
}

/// No daemon is no fault: `doctor` is also for before the first `run`.
fn control_socket(file: &Path, config: &Config) -> Check {
    const NAME: &str = "supervisor";
    match client(file.to_owned(), config).status(AT_ONCE) {
        Ok(status) => Check::ok(
            NAME,
            format!(
                "runs as pid {}, version {}, {}",
                status.supervisor.pid,
                status.supervisor.version,
                count(status.units.len(), "unit")
            ),
        ),
        Err(Failure::NoDaemon { socket, .. }) => {
            Check::ok(NAME, format!("does not run (nobody listens at {})", socket.display()))
        }
        Err(failure) => Check::warn(NAME, failure.to_string(), "see `supervisor logs`"),
    }
}

#[cfg(test)]
mod tests {
    use super::writable;
    use crate::cli::doctor::Verdict;

    #[test]
    fn a_folder_may_be_missing_but_no_file_may_be_in_its_place() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("file");
        std::fs::write(&file, "").expect("a file");
        for (path, verdict) in [
            (dir.path().to_owned(), Verdict::Ok),
            (dir.path().join("a/b"), Verdict::Ok),
            (file.clone(), Verdict::Fail),
            (file.join("b"), Verdict::Fail),
        ] {
            assert_eq!(writable("x", &path).verdict, verdict, "{}", path.display());
        }
    }
}
