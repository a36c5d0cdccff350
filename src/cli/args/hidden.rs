//! What may be typed and no help shows: verbs for our own use, and those whose names are promised.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueHint};

#[derive(Debug, Args)]
pub(in crate::cli) struct DemoAgent {
    #[arg(value_name = "NAME")]
    pub(in crate::cli) name: String,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DemoNanoclaw {
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) socket: PathBuf,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct StandInApi {
    /// Where to listen; port 0 is any that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(in crate::cli) listen: std::net::SocketAddr,
    /// Its first line is the mode of requests that carry no mark
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) control: Option<PathBuf>,
    /// Write a line of JSON for each request
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) log: Option<PathBuf>,
    /// End when standard input does, as it does with whoever holds its other end
    #[arg(long)]
    pub(in crate::cli) until_eof: bool,
}

/// The arguments of a verb whose name is reserved: whatever they are.
#[derive(Debug, Args)]
#[command(disable_help_flag = true, disable_version_flag = true)]
pub(in crate::cli) struct Later {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    rest: Vec<OsString>,
}
