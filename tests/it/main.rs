//! The integration tests, as one binary: it links once.
#![expect(
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that cannot set up its house has failed, and says what it saw"
)]

mod house;

mod cli;
mod services;
mod simulator;
