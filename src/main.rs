//! The one binary. Everything it does is in the library, beginning with [`agent_supervisor::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    agent_supervisor::cli::main()
}
