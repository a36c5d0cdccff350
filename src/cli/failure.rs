//! What a verb may end on instead of success, and the exit code of each.

use std::path::PathBuf;
use std::process::ExitCode;

use thiserror::Error;

use crate::config::ConfigError;
use crate::daemon::chain;

/// Names with more wrong letters than this are no slip of the finger.
const SLIPS_MAX: usize = 3;

/// Why a verb did not succeed. The message is one line: what was tried, on what, what to do.
#[derive(Debug, Error)]
pub(super) enum Failure {
    /// It was tried and did not work.
    #[error("{0:#}")]
    Failed(anyhow::Error),
    /// The same, where standard output has already said why.
    #[error("")]
    Said,
    /// It was asked for in a way that means nothing.
    #[error("{0}")]
    Usage(String),
    /// Nobody listens on the control socket.
    #[error(
        "no supervisor is running for {} (tried {}): start it with `supervisor run` or \
         `systemctl start agent-supervisor`",
        config.display(),
        socket.display()
    )]
    NoDaemon {
        /// The configuration that was asked for.
        config: PathBuf,
        /// Where its daemon would listen.
        socket: PathBuf,
    },
    /// The daemon hung up before it answered: it was killed or reloaded, say.
    #[error(
        "the supervisor at {} hung up without an answer: see `supervisor logs`, then try again",
        socket.display()
    )]
    HungUp {
        /// Where it listened.
        socket: PathBuf,
    },
    /// A unit that does not exist.
    #[error("no unit is called {unit:?}{}", suggestion(unit, known))]
    NoSuchUnit {
        /// What was asked for.
        unit: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The configuration is missing or wrong.
    #[error("{}", chain(.0))]
    Config(#[from] ConfigError),
    /// Standard output does not take what we write.
    #[error("cannot write to standard output: {0}")]
    Output(std::io::Error),
}

impl Failure {
    /// A failure in words of our own.
    pub(super) fn failed(words: impl Into<String>) -> Self {
        Self::Failed(anyhow::Error::msg(words.into()))
    }

    /// The number the shell sees; promised, so never renumber.
    pub(super) fn code(&self) -> u8 {
        match self {
            Self::Failed(_) | Self::Said | Self::HungUp { .. } => 1,
            Self::Usage(_) => 2,
            Self::NoDaemon { .. } => 3,
            Self::NoSuchUnit { .. } => 4,
            Self::Config(_) => 78,
            // The reader of a pipe has had enough: `supervisor logs web | head` did not fail.
            Self::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe => 0,
            Self::Output(_) => 1,
        }
    }

    /// Whether there is anything to say on standard error.
    pub(super) fn is_silent(&self) -> bool {
        match self {
            Self::Said => true,
            Self::Output(_) => self.code() == 0,
            Self::Failed(_)
            | Self::Usage(_)
            | Self::NoDaemon { .. }
            | Self::HungUp { .. }
            | Self::NoSuchUnit { .. }
            | Self::Config(_) => false,
        }
    }
}

impl From<&Failure> for ExitCode {
    fn from(failure: &Failure) -> Self {
        Self::from(failure.code())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

fn suggestion(unit: &str, known: &[String]) -> String {
    if known.is_empty() {
        return ": the configuration names no units".to_owned();
    }
    let nearest = known
        .iter()
        .map(|name| (distance(unit, name), name))
        // Two in three letters swapped is a slip of the finger; three in four is another word.
        .filter(|(slips, name)| *slips <= SLIPS_MAX && 3 * slips <= 2 * name.chars().count())
        .min();
    let names = known.join(", ");
    match nearest {
        Some((_, name)) => format!(": did you mean {name}? There are: {names}"),
        None => format!(": there are: {names}"),
    }
}

/// How many letters must be added, dropped or changed to get from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (b, above) in to.iter().zip(row.iter_mut().skip(1)) {
            let cost = diagonal + usize::from(a != *b);
            diagonal = *above;
            left = cost.min(diagonal + 1).min(left + 1);
            *above = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Failure, distance};

    fn unknown(unit: &str) -> String {
        let known = ["adversary", "builder", "web"].map(str::to_owned).to_vec();
        Failure::NoSuchUnit { unit: unit.to_owned(), known }.to_string()
    }

    #[test]
    fn distances_are_counted_in_single_slips() {
        for (from, to, slips) in [
            ("", "", 0),
            ("web", "web", 0),
            ("wbe", "web", 2),
            ("we", "web", 1),
            ("bilder", "builder", 1),
            ("kitten", "sitting", 3),
            ("", "abc", 3),
        ] {
            assert_eq!(distance(from, to), slips, "{from} -> {to}");
        }
    }

    #[test]
    fn an_unknown_unit_is_answered_with_the_nearest_and_all() {
        assert_eq!(
            unknown("bilder"),
            "no unit is called \"bilder\": did you mean builder? There are: adversary, builder, web"
        );
    }

    #[test]
    fn a_word_that_is_near_to_nothing_is_answered_with_all() {
        assert_eq!(unknown("xyz"), "no unit is called \"xyz\": there are: adversary, builder, web");
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        let closed = Failure::Output(std::io::ErrorKind::BrokenPipe.into());
        assert_eq!((closed.code(), closed.is_silent()), (0, true));
        let full = Failure::Output(std::io::ErrorKind::StorageFull.into());
        assert_eq!((full.code(), full.is_silent()), (1, false));
    }
}
