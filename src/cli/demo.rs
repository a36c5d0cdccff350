//! `demo`: the whole thing on this machine, with scripted agents.

use super::failure::Failure;

/// Runs the verb.
pub(super) fn run() -> Result<(), Failure> {
    Err(Failure::failed("`demo` is not here yet"))
}
