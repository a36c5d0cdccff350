//! The command line: one file a verb.

use std::process::ExitCode;

/// Runs the verb named by the arguments.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
