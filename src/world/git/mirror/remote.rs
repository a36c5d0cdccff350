//! Where is fetched from: an address that may hold a secret, given or taken from a clone. Not here:
//! the fetching.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::world::git::GitError;
use crate::world::git::open::{Opened, Tips};
use crate::world::git::reader::digest;

/// A place to fetch from. It may hold a secret: it is not shown.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Remote {
    pub(super) url: String,
    pub(super) ssh: Option<String>,
    branch: Option<String>,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

impl Remote {
    /// The one at this address.
    pub fn at(url: &str) -> Self {
        Self { url: url.to_owned(), ssh: None, branch: None }
    }

    /// The one that a clone's branch is fetched from, with the clone's own `core.sshCommand`; none
    /// if it has no remote. Blocks.
    ///
    /// # Errors
    /// [`GitError`] of the clone.
    pub fn of(clone: &Path) -> Result<Option<Self>, GitError> {
        let opened = Opened::at(clone)?;
        let branch = opened.branch();
        let remote_of = |it: &String| opened.repo.branch_upstream_remote(it).ok();
        let configured = branch.as_ref().and_then(remote_of);
        let name = configured.and_then(|name| String::from_utf8(name.to_vec()).ok());
        let name = name.filter(|name| name != ".").unwrap_or_else(|| "origin".to_owned());
        let Ok(remote) = opened.repo.find_remote(&name) else { return Ok(None) };
        let Ok(url) = remote.url() else { return Ok(None) };
        let config = opened.repo.config().map_err(opened.corrupt("the configuration"))?;
        let base = opened.repo.workdir().unwrap_or_else(|| opened.repo.path());
        let url = match is_relative(url) {
            true => base.join(url).to_string_lossy().into_owned(),
            false => url.to_owned(),
        };
        let followed = branch.as_ref().and_then(|it| opened.repo.branch_upstream_merge(it).ok());
        let followed = followed.and_then(|it| String::from_utf8(it.to_vec()).ok()).or(branch);
        let branch = followed.and_then(|it| it.strip_prefix("refs/heads/").map(str::to_owned));
        let ssh = config.get_string("core.sshCommand").ok();
        Ok((!url.is_empty()).then_some(Self { url, ssh, branch }))
    }

    /// What is to be looked at in its mirror: the branch that the clone's own follows, or the one
    /// that the remote's HEAD names.
    pub fn tips(&self) -> Tips {
        Tips::Mirror(self.branch.clone())
    }

    /// The address without what may be a secret in it.
    pub fn shown(&self) -> String {
        shown(&self.url)
    }

    /// Where its mirror is.
    pub fn mirror(&self, state_dir: &Path) -> PathBuf {
        let name = digest("mirror", &[self.url.as_bytes()]);
        state_dir.join("mirrors").join(format!("{name}.git"))
    }
}

/// An address without user, password and what follows a `?`.
pub(super) fn shown(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (host, path) = rest.split_once('/').map_or((rest, None), |(host, path)| (host, Some(path)));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    match path {
        Some(path) => format!("{scheme}://{host}/{path}"),
        None => format!("{scheme}://{host}"),
    }
}

/// Whether an address is a path from the clone: neither `scheme://…` nor `host:…`.
fn is_relative(url: &str) -> bool {
    let first = url.split('/').next().unwrap_or_default();
    !url.starts_with('/') && !first.contains(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_what_may_be_a_secret() {
        for (url, wanted) in [
            ("https://user:pw@host:8443/a.git?t=1#x", "https://host:8443/a.git"),
            ("https://a@b:c@host/x", "https://host/x"),
            ("ssh://git@host", "ssh://host"),
            ("git@host:a/b.git", "git@host:a/b.git"),
            ("/srv/a.git", "/srv/a.git"),
        ] {
            assert_eq!(shown(url), wanted);
        }
    }

    #[test]
    fn a_path_from_the_clone_is_told_from_an_address() {
        assert!(is_relative("../a.git") && is_relative("a/b:c"));
        assert!(!is_relative("/a") && !is_relative("host:a") && !is_relative("https://h/a"));
    }
}
