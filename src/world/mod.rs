//! The hands: one file for each thing outside. No policy here: what is to be done, and when, is
//! decided elsewhere.

pub mod launch;
pub mod tmux;
