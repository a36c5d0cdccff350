//! Short stories in words. What a whole house goes through in days is simulated in `tests/it`.

mod stage;

mod accounts;
mod agents;
mod allowance;
mod asking;
mod handoffs;
mod lives;
mod messages;
mod orchestrator;
mod plan;
mod remedies;
mod waits;
mod wishes;
