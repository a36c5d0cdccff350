//! The gateway: what arrives by HTTP becomes a durable event, and the letters of an event reach
//! their agents in NanoClaw. Not here: starting or stopping anything.

pub mod background;
pub mod serve;

pub mod sandbox;
pub mod server;

pub mod answer;
pub mod callers;
pub mod handler;
pub mod secrets;

pub mod azure;
pub mod github;
pub mod inbox;
pub mod letter;
pub mod news;
pub mod reconcile;
pub mod relay;

pub mod clean;

pub mod ledger;
pub mod troubles;

pub mod courier;
pub(crate) mod nanoclaw_v1;
mod nanoclaw_v2;
pub mod processes;

#[cfg(test)]
mod small_disk;
