//! The gateway: the real binary on a port of its own, asked over real HTTP. What its answers lead to
//! is read from its ledger by its own verbs.

mod azure_double;
mod builtin;
mod caller;
mod crash;
mod doctor;
mod gate;
mod real;
mod reconcile;
mod relay;
mod second;
mod server;
mod speed;
mod told;
mod verbs;
mod webhooks;
mod whole;
