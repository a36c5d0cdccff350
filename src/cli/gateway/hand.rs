//! The ledger in the hand of a verb.

use anyhow::Context as _;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::cli::Context;
use crate::cli::failure::Failure;
use crate::config::Gateway;
use crate::gateway::background;
use crate::gateway::ledger::{self, EventId};

/// The configuration of the gateway, and its ledger.
pub(in crate::cli) struct Hand {
    pub(in crate::cli) config: Gateway,
    ledger: Connection,
}

impl Hand {
    /// Opens the ledger of the configuration.
    pub(in crate::cli) fn open(context: &Context) -> Result<Self, Failure> {
        let (_, config) = configured(context)?;
        let ledger = ledger::by_hand(&config.ledger()).map_err(anyhow::Error::from)?;
        Ok(Self { config, ledger })
    }

    /// Reads from it.
    pub(in crate::cli) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Failure> {
        Ok(work(&self.ledger).context("cannot read the ledger")?)
    }

    /// Writes to it, all or nothing.
    pub(in crate::cli) fn write<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, Failure> {
        let written = || {
            let transaction =
                self.ledger.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = work(&transaction)?;
            transaction.commit()?;
            Ok::<_, rusqlite::Error>(result)
        };
        let result = written().context("cannot write the ledger")?;
        background::wake(&self.config);
        Ok(result)
    }
}

/// The gateway's part of the configuration, and the file.
pub(super) fn configured(context: &Context) -> Result<(std::path::PathBuf, Gateway), Failure> {
    let (file, config) = context.config()?;
    let gateway = config.gateway.ok_or_else(|| {
        let file = file.display();
        Failure::failed(format!("{file} has no [gateway]: write one, `supervisor init` shows how"))
    })?;
    Ok((file, gateway))
}

/// The event that somebody names.
pub(in crate::cli) fn event(text: &str) -> Result<EventId, Failure> {
    let known = EventId::parse(text.trim());
    known.ok_or_else(|| {
        Failure::Usage(format!("{text:?} is no event: see `supervisor gateway list`"))
    })
}
