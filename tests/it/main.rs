//! The integration tests, as one binary: it links once.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test that cannot set up its house has failed, and says what it saw"
)]

mod house;

mod cli;
mod docs;
mod reload;
mod services;
mod simulator;
