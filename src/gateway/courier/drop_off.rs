//! Putting files into folders that a container may write to: no link of its making is followed, and
//! a reader never sees half a file. Not here: what is in them.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{AtFlags, Mode, OFlags, fchmod, mkdirat, open, openat, renameat, unlinkat};
use rustix::io::Errno;

/// The container's user is another one than ours, and must be able to read.
const FILE: Mode = Mode::from_raw_mode(0o644);
const FOLDER: Mode = Mode::from_raw_mode(0o755);

/// Puts `bytes` as `name` into the folder `below` `base`, which is made if need be; `base` must be
/// there, and is trusted. An older file of that name is replaced. `durable`: it survives the power.
///
/// # Errors
/// As the system has them; a link in the way is [`io::ErrorKind::NotADirectory`] or a loop.
pub(crate) fn put(
    base: &Path,
    below: &[&str],
    name: &str,
    bytes: &[u8],
    durable: bool,
) -> io::Result<()> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let mut folder =
        open(base, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    for part in below {
        folder = enter(folder, part)?;
    }
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let tmp = format!(".gateway-{}-{count}.tmp", std::process::id());
    let written = write(&folder, &tmp, bytes, durable)
        .and_then(|()| Ok(renameat(&folder, &tmp, &folder, name)?));
    if written.is_err() {
        // What is left of it has a name that nobody reads.
        let _ = unlinkat(&folder, &tmp, AtFlags::empty());
    }
    written?;
    if durable {
        rustix::fs::fsync(folder.as_fd())?;
    }
    Ok(())
}

fn enter(folder: OwnedFd, part: &str) -> io::Result<OwnedFd> {
    let made = match mkdirat(&folder, part, FOLDER) {
        Ok(()) => true,
        Err(Errno::EXIST) => false,
        Err(errno) => return Err(errno.into()),
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let inner = openat(&folder, part, flags, Mode::empty())?;
    if made {
        // Our umask may keep others out.
        fchmod(&inner, FOLDER)?;
    }
    Ok(inner)
}

fn write(folder: &OwnedFd, name: &str, bytes: &[u8], durable: bool) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(openat(folder, name, flags, FILE)?);
    fchmod(&file, FILE)?;
    file.write_all(bytes)?;
    if durable {
        file.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_file_is_put_whole_and_nothing_else_is_left() {
        let dir = tempfile::tempdir().unwrap();
        for text in ["one", "two"] {
            put(dir.path(), &["mail", "e"], "letter.txt", text.as_bytes(), true).unwrap();
        }
        let folder = dir.path().join("mail/e");
        assert_eq!(fs::read(folder.join("letter.txt")).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder).unwrap().count(), 1);
    }

    #[test]
    fn a_link_that_a_container_has_put_in_the_way_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        symlink(other.path(), dir.path().join("mail")).unwrap();
        put(dir.path(), &["mail"], "letter.txt", b"x", false).unwrap_err();
        assert_eq!(fs::read_dir(other.path()).unwrap().count(), 0);

        let secret = other.path().join("secret");
        fs::write(&secret, "kept").unwrap();
        symlink(&secret, dir.path().join("letter.txt")).unwrap();
        put(dir.path(), &[], "letter.txt", b"x", false).unwrap();
        assert_eq!(fs::read(&secret).unwrap(), b"kept");
        assert_eq!(fs::read(dir.path().join("letter.txt")).unwrap(), b"x");
    }

    #[test]
    fn where_no_base_is_nothing_is_made() {
        let dir = tempfile::tempdir().unwrap();
        put(&dir.path().join("none"), &["mail"], "x", b"x", false).unwrap_err();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
