//! Which file is the configuration when nobody says so.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::problem::ConfigError;

/// Names the configuration's file.
const VARIABLE: &str = "SUPERVISOR_CONFIG";

/// Where a machine's own configuration is.
const SYSTEM: &str = "/etc/agent-supervisor/config.toml";

/// Where a user's own configuration is, under `$XDG_CONFIG_HOME` or `~/.config`.
const USER: &str = "agent-supervisor/config.toml";

/// The configuration's file: `explicit`, else `$SUPERVISOR_CONFIG`, else the machine's, else the
/// user's. One that is named is not looked for: reading it says best what is wrong with it.
///
/// # Errors
/// [`ConfigError::NotFound`] names every place that was looked at.
pub fn find(explicit: Option<&Path>) -> Result<PathBuf, ConfigError> {
    find_in(explicit, |name| std::env::var_os(name), |path| path.try_exists().unwrap_or(true))
}

/// [`find`] with its surroundings as arguments.
pub(super) fn find_in(
    explicit: Option<&Path>,
    variable: impl Fn(&str) -> Option<OsString>,
    exists: impl Fn(&Path) -> bool,
) -> Result<PathBuf, ConfigError> {
    let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
    let named = explicit.map(PathBuf::from).or_else(|| variable(VARIABLE).map(PathBuf::from));
    if let Some(named) = named {
        return Ok(named);
    }
    let of_user = variable("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| variable("HOME").map(|home| Path::new(&home).join(".config")));
    let looked: Vec<PathBuf> =
        [Some(PathBuf::from(SYSTEM)), of_user.map(|folder| folder.join(USER))]
            .into_iter()
            .flatten()
            .collect();
    match looked.iter().find(|path| exists(path)) {
        Some(found) => Ok(found.clone()),
        None => Err(ConfigError::NotFound { looked }),
    }
}
