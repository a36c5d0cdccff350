//! The configuration: raw TOML as a person wrote it, then the checked [`Config`] that the rest of
//! the house uses. Not here: what a setting does.

mod checked;

pub use checked::{
    Agent, Backoff, Builtin, Cap, Config, CrashLoop, OnExit, Program, Ready, Restart, SessionKeys,
    Supervisor, Unit,
};
