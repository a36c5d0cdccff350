//! The integration tests, as one binary: it links once.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test that cannot set up its house has failed, and says what it saw"
)]

mod house;
mod tmux;

mod agents;
mod bad_input;
mod boot;
mod cli;
mod commanded;
mod demo;
mod dependencies;
mod docs;
mod gateway;
mod handoffs;
mod hooks;
mod init;
mod logs;
mod notify;
mod operators;
mod phases;
mod reload;
mod services;
mod sessions;
mod simulator;
mod systemd;
mod without_daemon;
