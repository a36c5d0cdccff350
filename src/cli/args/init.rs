//! What may be typed after `init`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

#[derive(Debug, Args)]
pub(in crate::cli) struct Init {
    /// Where to put config.toml
    #[arg(value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    pub(in crate::cli) dir: PathBuf,
    /// After the word `loops`: where to put a plan for two loops, with all that belongs to it
    #[arg(value_name = "LOOPS_DIR", value_hint = ValueHint::DirPath)]
    pub(in crate::cli) rest: Option<PathBuf>,
    /// With `loops`: take paths, intervals and the repository from this launch environment or script
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) from: Option<PathBuf>,
}
