//! Who a caller is: a webhook's sender by its secret or signature, an agent by its own secret or by
//! the socket it speaks through. Not here: what each may do.

use std::collections::BTreeMap;

use super::github::Signature;
use super::secrets::{SecretFile, Verdict, same, try_all};
use crate::config::Gateway;

/// Every secret that a caller may have.
#[derive(Debug)]
pub struct Callers {
    azure: Vec<SecretFile>,
    github: Vec<SecretFile>,
    agents: BTreeMap<String, SecretFile>,
    shared: Vec<SecretFile>,
}

/// Who speaks to the relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// This agent: its secret or its socket says so.
    Agent(String),
    /// Any of those that share a secret.
    Shared,
}

/// Why nobody is known to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stranger {
    /// The secret is nobody's.
    Wrong,
    /// A secret could not be read, and it may be that one.
    Unknown,
}

impl Callers {
    /// Those of a configuration.
    pub fn new(config: &Gateway) -> Self {
        let files = |paths: &[std::path::PathBuf]| {
            paths.iter().map(|path| SecretFile::new(path)).collect::<Vec<_>>()
        };
        let groups = config.groups.iter();
        let agents = groups.filter_map(|(name, group)| {
            Some((name.clone(), SecretFile::new(group.token_file.as_ref()?)))
        });
        Self {
            azure: config
                .azure_devops
                .as_ref()
                .map(|it| files(&it.secret_files))
                .unwrap_or_default(),
            github: config.github.as_ref().map(|it| files(&it.secret_files)).unwrap_or_default(),
            agents: agents.collect(),
            shared: config.relay.secret_file.iter().map(|path| SecretFile::new(path)).collect(),
        }
    }

    /// Says of every secret that it cannot be read, if that is so: before somebody needs it.
    pub fn look(&self) {
        let all = self.azure.iter().chain(&self.github).chain(self.agents.values());
        for file in all.chain(&self.shared) {
            if let Err(error) = file.valid() {
                let file = file.path().display();
                tracing::warn!(%file, %error, "a secret cannot be read: who has it is answered with 503");
            }
        }
    }

    /// Whether `secret` is the one of Azure DevOps.
    pub fn azure(&self, secret: Option<&[u8]>) -> Verdict {
        let Some(secret) = secret else { return Verdict::Wrong };
        try_all(&self.azure, |right| same(right, secret))
    }

    /// Whether `body` is signed by GitHub.
    pub fn github(&self, signature: Option<&str>, body: &[u8]) -> Verdict {
        let Some(signature) = signature.and_then(Signature::parse) else { return Verdict::Wrong };
        try_all(&self.github, |secret| signature.fits(secret, body))
    }

    /// The agent that has `secret`.
    ///
    /// # Errors
    /// [`Stranger`]
    pub fn agent(&self, secret: Option<&[u8]>) -> Result<Speaker, Stranger> {
        let Some(secret) = secret else { return Err(Stranger::Wrong) };
        let fits = |right: &[u8]| same(right, secret);
        let mut speaker = Err(Stranger::Wrong);
        for (name, file) in &self.agents {
            match try_all(std::slice::from_ref(file), fits) {
                Verdict::Right => speaker = Ok(Speaker::Agent(name.clone())),
                Verdict::Unknown if speaker.is_err() => speaker = Err(Stranger::Unknown),
                Verdict::Wrong | Verdict::Unknown => {}
            }
        }
        match try_all(&self.shared, fits) {
            Verdict::Right if speaker.is_err() => Ok(Speaker::Shared),
            Verdict::Unknown if speaker.is_err() => Err(Stranger::Unknown),
            Verdict::Right | Verdict::Wrong | Verdict::Unknown => speaker,
        }
    }
}
