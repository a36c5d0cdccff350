//! `supervisor` keeps autonomous agents, and the services they need, working with no person in
//! the room. The rooms, in reading order; ARCHITECTURE.md says what each may touch.

pub mod decide;

pub mod config;
pub mod protocol;

pub mod agents;
pub mod world;

pub mod nanoclaw;

pub mod gateway;

pub mod daemon;

pub mod stand_in;

pub mod cli;

/// What is checked of every parser of others' bytes. In no binary but those of tests.
#[cfg(any(test, fuzzing))]
#[path = "../tests/fuzz/mod.rs"]
pub mod fuzz;
