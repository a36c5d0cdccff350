//! What may be typed after `notify`.

use clap::Args;

use super::values::not_blank;

#[derive(Debug, Args)]
pub(in crate::cli) struct Notify {
    /// What there is to say
    #[arg(value_name = "TEXT", value_parser = not_blank)]
    pub(in crate::cli) text: String,
    /// In a few words
    #[arg(long, value_name = "TITLE", default_value = "notice", value_parser = not_blank)]
    pub(in crate::cli) title: String,
    /// Fold it with what waits under the same key; by default the text is its key
    #[arg(long, value_name = "KEY", value_parser = not_blank)]
    pub(in crate::cli) key: Option<String>,
    /// Somebody is needed
    #[arg(long)]
    pub(in crate::cli) urgent: bool,
}
