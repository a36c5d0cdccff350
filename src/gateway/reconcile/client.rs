//! Requests to the REST interface of Azure DevOps, with an end. A token is read from its file for
//! each; an error shows neither it nor more of an address than its path.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;
use ureq::Agent;

use crate::config::Reconcile;
use crate::gateway::ledger::LedgerError;
use crate::gateway::secrets::SecretFile;
use crate::world::http;

/// A whole request: who needs longer does not answer.
const WITHIN: Duration = Duration::from_secs(30);
/// The version of the interface that we know.
const VERSION: &str = "api-version=7.1";
/// The largest answer, in bytes: a log.
const ANSWER_MAX: u64 = 32 << 20;

/// Why something could not be asked.
#[derive(Debug, Error)]
pub(super) enum AskError {
    /// The token cannot be read.
    #[error("cannot read the token in {path}")]
    Token {
        /// Its file.
        path: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Nobody answered.
    #[error("no answer to {path}: {what}")]
    NoAnswer {
        /// What was asked for.
        path: String,
        /// Why.
        what: String,
    },
    /// It was refused.
    #[error("{path} is answered with {status}")]
    Refused {
        /// What was asked for.
        path: String,
        /// How. A token that is not accepted may give 203 or 302.
        status: u16,
    },
    /// The answer means nothing.
    #[error("the answer to {path} cannot be understood")]
    Odd {
        /// What was asked for.
        path: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// What was learnt cannot be stored.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// An answer.
pub(super) struct Answer {
    pub(super) body: Vec<u8>,
    /// Where the next page begins.
    pub(super) next: Option<String>,
}

/// The way to one organization and project.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
    organization: String,
    pub(super) project: String,
    service: String,
    token: SecretFile,
}

impl Client {
    pub(super) fn new(config: &Reconcile) -> Self {
        Self {
            agent: http::agent(&config.service, WITHIN),
            organization: config.organization.clone(),
            project: config.project.clone(),
            service: config.service.clone(),
            token: SecretFile::new(&config.token_file),
        }
    }

    pub(super) fn organization(&self) -> &str {
        &self.organization
    }

    /// Asks for what is at `path` of the project, on a thread that may block.
    pub(super) async fn of_project(
        self: &Arc<Self>,
        path: &str,
        accept: &'static str,
    ) -> Result<Answer, AskError> {
        let (organization, project) = (escaped(&self.organization), escaped(&self.project));
        self.ask(format!("/{organization}/{project}/_apis/{path}"), accept).await
    }

    /// Asks for what is at `path` of the organization.
    pub(super) async fn of_organization(self: &Arc<Self>, path: &str) -> Result<Answer, AskError> {
        let organization = escaped(&self.organization);
        self.ask(format!("/{organization}/_apis/{path}"), "application/json").await
    }

    async fn ask(self: &Arc<Self>, path: String, accept: &'static str) -> Result<Answer, AskError> {
        let this = Arc::clone(self);
        let asked = path.clone();
        let asking = tokio::task::spawn_blocking(move || this.get(&asked, accept));
        match asking.await {
            Ok(answer) => answer,
            Err(_) => Err(AskError::NoAnswer { path, what: "the request was ended".to_owned() }),
        }
    }

    fn get(&self, path: &str, accept: &str) -> Result<Answer, AskError> {
        let no_answer =
            |error| AskError::NoAnswer { path: path.to_owned(), what: http::told(error, WITHIN) };
        let token = self.token.valid().map_err(|source| AskError::Token {
            path: self.token.path().display().to_string(),
            source,
        })?;
        let token = token.first().map(Vec::as_slice).unwrap_or_default();
        let token = STANDARD.encode([b":", token].concat());
        let join = if path.contains('?') { '&' } else { '?' };
        let mut answer = self
            .agent
            .get(format!("{}{path}{join}{VERSION}", self.service))
            .header("authorization", format!("Basic {token}"))
            .header("accept", accept)
            .call()
            .map_err(no_answer)?;
        let status = answer.status().as_u16();
        if status != 200 {
            return Err(AskError::Refused { path: path.to_owned(), status });
        }
        let next = answer.headers().get("x-ms-continuationtoken");
        let next = next.and_then(|next| next.to_str().ok()).map(str::to_owned);
        let body = answer.body_mut().with_config().limit(ANSWER_MAX).read_to_vec();
        Ok(Answer { body: body.map_err(no_answer)?, next })
    }
}

impl Answer {
    pub(super) fn json(&self, path: &str) -> Result<serde_json::Value, AskError> {
        let odd = |source| AskError::Odd { path: path.to_owned(), source };
        serde_json::from_slice(&self.body).map_err(odd)
    }
}

/// As a part of a path or a query.
pub(super) fn escaped(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(byte);
    text.bytes()
        .map(|byte| match plain(&byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}
