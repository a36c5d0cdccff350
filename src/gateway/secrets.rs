//! Secrets, each in a file of its own: read when they are used and read again when the file has
//! changed, so that a rotation needs no restart. A file holds a secret a line, the newest first;
//! behind an older one may stand until when it is valid. Compared in a time that does not tell how
//! nearly they fit; never shown. Not here: where secrets come from.

use std::fmt;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// What stands between a secret and the date until which it is valid.
pub const UNTIL: &str = " until=";

/// A file of secrets is no larger than this, in bytes: a slip in the configuration must not read a
/// database into memory at each request.
const FILE_MAX: u64 = 64 * 1024;

/// One file of secrets, as it was last read.
pub struct SecretFile {
    path: PathBuf,
    read: Mutex<Option<Read>>,
}

impl fmt::Debug for SecretFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretFile").field("path", &self.path).finish_non_exhaustive()
    }
}

/// What a file held.
struct Read {
    mark: Mark,
    secrets: Vec<Secret>,
}

/// By which it is known that a file has changed: device, inode, size, and when it was changed.
type Mark = (u64, u64, u64, i64, i64);

/// One secret.
#[derive(Clone)]
pub struct Secret {
    text: Vec<u8>,
    until: Option<Timestamp>,
}

/// Whether a caller has the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It has.
    Right,
    /// It has not.
    Wrong,
    /// It has none of those that we could read, and some we could not: nobody may be told that a
    /// secret is wrong.
    Unknown,
}

impl SecretFile {
    /// The secrets of the file at `path`, which need not be there yet.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_path_buf(), read: Mutex::new(None) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The secrets that are valid now, the newest first.
    ///
    /// # Errors
    /// The file cannot be read, or holds none.
    pub fn valid(&self) -> io::Result<Vec<Vec<u8>>> {
        let now = Timestamp::now();
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let about = std::fs::metadata(&self.path)?;
        let mark = (about.dev(), about.ino(), about.size(), about.mtime(), about.mtime_nsec());
        if read.as_ref().is_none_or(|read| read.mark != mark) {
            if about.size() > FILE_MAX {
                return Err(io::Error::other("it is too large to be a file of secrets"));
            }
            let secrets = parse(&std::fs::read(&self.path)?);
            *read = Some(Read { mark, secrets });
        }
        let secrets = read.iter().flat_map(|read| &read.secrets);
        let valid: Vec<_> = secrets
            .filter(|secret| secret.until.is_none_or(|until| now < until))
            .map(|secret| secret.text.clone())
            .collect();
        if valid.is_empty() {
            return Err(io::Error::other("it holds no valid secret"));
        }
        Ok(valid)
    }
}

/// Whether `fits` is so for one of the secrets in `files`. All of them are tried, so that the time
/// tells nothing.
pub fn try_all(files: &[SecretFile], fits: impl Fn(&[u8]) -> bool) -> Verdict {
    let mut right = false;
    let mut unread = false;
    for file in files {
        match file.valid() {
            Ok(secrets) => {
                for secret in secrets {
                    right |= fits(&secret);
                }
            }
            Err(error) => {
                tracing::error!(file = %file.path.display(), %error, "a secret cannot be read");
                unread = true;
            }
        }
    }
    match (right, unread) {
        (true, _) => Verdict::Right,
        (false, false) => Verdict::Wrong,
        (false, true) => Verdict::Unknown,
    }
}

/// Whether two secrets are the same, in a time that tells neither where they differ nor how long
/// they are.
pub fn same(one: &[u8], other: &[u8]) -> bool {
    Sha256::digest(one).ct_eq(&Sha256::digest(other)).into()
}

/// The secrets of a file's text.
pub fn parse(text: &[u8]) -> Vec<Secret> {
    let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    lines.filter(|line| !line.is_empty()).filter_map(secret).collect()
}

/// A date that nobody can read makes its secret worthless, not everlasting.
fn secret(line: &[u8]) -> Option<Secret> {
    let mark = UNTIL.as_bytes();
    let at = line.windows(mark.len()).rposition(|window| window == mark);
    let Some(at) = at else { return Some(Secret { text: line.to_vec(), until: None }) };
    let until = std::str::from_utf8(&line[at + mark.len()..]).ok()?.trim().parse().ok()?;
    let text = line[..at].trim_ascii().to_vec();
    (!text.is_empty()).then_some(Secret { text, until: Some(until) })
}

impl Secret {
    /// Its bytes.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Until when it is valid; `None` = for ever.
    pub fn until(&self) -> Option<Timestamp> {
        self.until
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("until", &self.until).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits<'a>(text: &'a str) -> impl Fn(&[u8]) -> bool + 'a {
        move |secret| same(secret, text.as_bytes())
    }

    #[test]
    fn an_old_secret_is_still_accepted_during_a_rotation() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "first\n").unwrap();
        let files = [SecretFile::new(&path)];
        assert_eq!(try_all(&files, fits("first")), Verdict::Right);
        assert_eq!(try_all(&files, fits("second")), Verdict::Wrong);
        std::fs::write(&path, "second\nfirst until=2999-01-01T00:00:00Z\n").unwrap();
        assert_eq!(try_all(&files, fits("second")), Verdict::Right);
        assert_eq!(try_all(&files, fits("first")), Verdict::Right);
        std::fs::write(&path, "second\nfirst until=2020-01-01T00:00:00Z\nodd until=x\n").unwrap();
        assert_eq!(try_all(&files, fits("first")), Verdict::Wrong);
        assert_eq!(try_all(&files, fits("odd")), Verdict::Wrong);
    }

    #[test]
    fn nobody_is_called_wrong_while_a_secret_cannot_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let (there, missing) = (folder.path().join("there"), folder.path().join("missing"));
        std::fs::write(&there, "right").unwrap();
        let files = [SecretFile::new(&there), SecretFile::new(&missing)];
        assert_eq!(try_all(&files, fits("right")), Verdict::Right);
        assert_eq!(try_all(&files, fits("wrong")), Verdict::Unknown);
        std::fs::write(&missing, " \n\n").unwrap();
        assert_eq!(try_all(&files, fits("")), Verdict::Unknown);
    }

    #[test]
    fn a_secret_is_in_no_debug_text() {
        let shown = format!("{:?}", parse(b"hush until=2999-01-01T00:00:00Z"));
        assert!(shown.contains("2999") && !shown.contains("hush"), "{shown}");
    }
}
