//! Asking Azure DevOps itself: for builds that no webhook told of, for what became of the
//! subscriptions that send them, and for the logs of steps that failed. Everything here may fail for
//! hours, and nothing is lost but what it would have added. Not here: what is made of a build (see
//! [`super::inbox`]).

mod builds;
mod client;
pub mod logs;
pub(crate) mod subscriptions;

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::handler::chain;
use super::ledger::{Ledger, LedgerError};
use crate::config::{Gateway, Reconcile};
use client::Client;
use logs::Logs;
use subscriptions::Seen;

/// So many logs are fetched at once: each takes a thread that may block.
const LOGS_AT_ONCE: usize = 4;

/// Whoever asks Azure DevOps.
#[derive(Debug)]
pub struct Azure {
    config: Reconcile,
    deliver_to: Option<String>,
    client: Arc<Client>,
    ledger: Ledger,
    logs: Logs,
    wanted: mpsc::UnboundedReceiver<logs::Wanted>,
}

impl Azure {
    /// One that may ask; `None` if the configuration has no token for it. Letters that waited for a
    /// log when we ended are let go.
    ///
    /// # Errors
    /// [`LedgerError`]
    pub async fn begin(config: &Gateway, ledger: &Ledger) -> Result<Option<Self>, LedgerError> {
        ledger.write(logs::let_all_go).await?;
        let Some(azure) = &config.azure_devops else { return Ok(None) };
        let Some(reconcile) = azure.reconcile.clone() else { return Ok(None) };
        let (sender, wanted) = mpsc::unbounded_channel();
        Ok(Some(Self {
            client: Arc::new(Client::new(&reconcile)),
            config: reconcile,
            deliver_to: azure.deliver_to.clone(),
            ledger: ledger.clone(),
            logs: Logs::new(sender),
            wanted,
        }))
    }

    /// Where logs are asked for.
    pub fn logs(&self) -> Logs {
        self.logs.clone()
    }

    /// Asks, at once and then again and again, until it is told to stop.
    pub async fn run(self, mut stopped: watch::Receiver<bool>) {
        let Self { config, deliver_to, client, ledger, logs, mut wanted } = self;
        let fetching = async {
            let mut at_work = JoinSet::new();
            while let Some(wanted) = wanted.recv().await {
                while at_work.len() >= LOGS_AT_ONCE {
                    at_work.join_next().await;
                }
                let (client, ledger) = (Arc::clone(&client), ledger.clone());
                at_work.spawn_local(async move { logs::fetch(&client, &ledger, wanted).await });
            }
        };
        let asking = async {
            let mut seen = Seen::default();
            loop {
                let filled = builds::fill(&client, &ledger, deliver_to.as_deref(), &logs).await;
                match filled {
                    Ok(0) => {}
                    Ok(count) => tracing::warn!(count, "builds that no webhook had told of"),
                    Err(error) => {
                        tracing::warn!(error = %chain(&error), "Azure DevOps cannot be asked for builds");
                    }
                }
                subscriptions::look(&client, &ledger, &mut seen).await;
                tokio::time::sleep(config.every).await;
            }
        };
        tokio::select! {
            () = fetching => {}
            () = asking => {}
            _ = stopped.wait_for(|stop| *stop) => {}
        }
    }
}
