//! The integration tests, as one binary: it links once.
#![expect(clippy::expect_used, reason = "a test that cannot set up its house has failed")]

mod cli;
mod simulator;
