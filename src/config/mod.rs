//! The configuration: raw TOML as a person wrote it ([`raw`]), then the checked [`Config`] that the
//! rest of the house uses. Not here: what a setting does.

mod check;
mod checked;
mod document;
mod find;
mod key;
mod nearest;
mod plan;
mod problem;
pub mod raw;
mod shape;

use std::io;
use std::path::Path;

pub use checked::{
    Agent, AzureDevops, Backoff, Builtin, Cap, Config, CrashLoop, Endpoint, Gateway, Github, Group,
    Heartbeat, Notify, OnExit, Program, Ready, Reconcile, Relay, Required, Requirement, Restart,
    SecretUrl, SessionKeys, Supervisor, Target, Unit, UrlSource,
};
pub use find::find;
pub use nearest::nearest;
pub use plan::{Consent, Handoff, Heading, Phase, Plan, Repo, When};
pub use problem::{ConfigError, Origin, Problem};

use document::Document;

/// The commented configuration that `supervisor init` writes.
pub const TEMPLATE: &str = include_str!("init.toml");

impl Config {
    /// Reads and checks the file at `path`.
    ///
    /// # Errors
    /// It is missing or unreadable, or [`ConfigError::Invalid`] with every problem found.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable { path: path.to_path_buf(), source };
        let file = std::path::absolute(path).map_err(unreadable)?;
        let bytes = std::fs::read(&file).map_err(|source| {
            if source.kind() == io::ErrorKind::NotFound {
                return ConfigError::Missing { path: path.to_path_buf() };
            }
            unreadable(source)
        })?;
        let text = String::from_utf8(bytes).map_err(|_| {
            unreadable(io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
        })?;
        let base = file.parent().unwrap_or(Path::new("/")).to_path_buf();
        Self::parse(&text, &Origin::File(file), &base)
    }

    /// Checks `text`. Relative paths in it begin at `base`, itself absolute; errors name `origin`.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`]: every unknown key and wrong type, or else everything that does
    /// not make sense.
    pub fn parse(text: &str, origin: &Origin, base: &Path) -> Result<Self, ConfigError> {
        let invalid = |mut problems: Vec<Problem>| {
            problems.sort_by_key(|problem| (problem.line, problem.column));
            ConfigError::Invalid { origin: origin.clone(), problems }
        };
        let document = Document::parse(text).map_err(|problem| invalid(vec![problem]))?;
        let raw = document.decode().map_err(invalid)?;
        check::config(&raw, &document, origin, base).map_err(invalid)
    }
}

#[cfg(test)]
mod tests;
