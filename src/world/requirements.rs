//! Whether what the operator requires is so: a port that answers, a file, a command that succeeds.
//! Not here: what waits for it, and when it is looked at again.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::children::{self, Children, NoEnd};
use crate::config::{Required, Requirement};
use crate::decide::Exit;

/// A connection within a continent takes a tenth of a second, a lost packet one or three more.
const TCP_WITHIN: Duration = Duration::from_secs(10);
/// A look at a file takes microseconds; beyond this a mount hangs.
const FILE_WITHIN: Duration = Duration::from_secs(10);
/// A command may well ask somebody over the network.
const COMMAND_WITHIN: Duration = Duration::from_secs(30);

/// What is not so, and why.
#[derive(Debug, Error)]
pub enum Unmet {
    /// Nobody there takes a connection.
    #[error("{place} cannot be connected to")]
    Tcp {
        /// `HOST:PORT`.
        place: String,
        /// Why.
        source: io::Error,
    },
    /// There was no answer at all.
    #[error("{what} gives no answer within {} s", within.as_secs())]
    NoAnswer {
        /// What was looked at.
        what: String,
        /// For how long.
        within: Duration,
    },
    /// It is not there, or may not be seen.
    #[error("{path} is not there")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It was not run to its end.
    #[error("{program} was not run")]
    Run {
        /// Which.
        program: String,
        /// Why.
        source: NoEnd,
    },
    /// It said no.
    #[error("{program} {}", ended(*exit))]
    Refused {
        /// Which.
        program: String,
        /// How.
        exit: Exit,
    },
}

/// Looks once, for at most half a minute. `env` is the whole environment of a command.
///
/// # Errors
/// [`Unmet`]: it is not so.
pub async fn check(
    requirement: &Requirement,
    children: &dyn Children,
    env: Vec<(OsString, OsString)>,
) -> Result<(), Unmet> {
    let silent = |within| Unmet::NoAnswer { what: requirement.what.to_string(), within };
    match &requirement.what {
        Required::Tcp(place) => match timeout(TCP_WITHIN, TcpStream::connect(place)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(source)) => Err(Unmet::Tcp { place: place.clone(), source }),
            Err(_) => Err(silent(TCP_WITHIN)),
        },
        Required::File(path) => {
            let looked = path.clone();
            let look = tokio::task::spawn_blocking(move || std::fs::metadata(looked));
            match timeout(FILE_WITHIN, look).await {
                Ok(Ok(Ok(_))) => Ok(()),
                Ok(Ok(Err(source))) => Err(Unmet::File { path: path.clone(), source }),
                Ok(Err(_)) | Err(_) => Err(silent(FILE_WITHIN)),
            }
        }
        Required::Command(argv) => {
            let program = argv.first().cloned().unwrap_or_default();
            match children::run(children, argv, env, b"", COMMAND_WITHIN).await {
                Ok(Exit::Code(0)) => Ok(()),
                Ok(exit) => Err(Unmet::Refused { program, exit }),
                Err(source) => Err(Unmet::Run { program, source }),
            }
        }
    }
}

/// How it is told: first what the operator wants to be true, then what was seen.
pub fn told(requirement: &Requirement, unmet: &str) -> String {
    match &requirement.text {
        Some(text) => format!("{text}: not so: {unmet}"),
        None => format!("required, and not so: {unmet}"),
    }
}

fn ended(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("ended with {code}"),
        Exit::Signal(signal) => format!("was ended by signal {signal}"),
        Exit::OutOfMemory => "was killed for want of memory".to_owned(),
        Exit::Unknown => "ended, and nobody knows how".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::children::OwnChildren;
    use super::*;

    async fn look(what: Required) -> Result<(), Unmet> {
        let requirement = Requirement { what, text: Some("the forge is reachable".into()) };
        check(&requirement, &OwnChildren::default(), vec![]).await
    }

    #[tokio::test]
    async fn a_port_that_takes_a_connection_is_there_and_another_is_named() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let place = listener.local_addr().unwrap().to_string();
        look(Required::Tcp(place.clone())).await.unwrap();
        drop(listener);
        let unmet = look(Required::Tcp(place.clone())).await.unwrap_err();
        assert_eq!(unmet.to_string(), format!("{place} cannot be connected to"));
        let requirement =
            Requirement { what: Required::Tcp(place), text: Some("the forge".into()) };
        assert_eq!(told(&requirement, "x"), "the forge: not so: x");
    }

    #[tokio::test]
    async fn a_file_and_a_folder_are_there_or_not() {
        let dir = tempfile::tempdir().unwrap();
        look(Required::File(dir.path().to_owned())).await.unwrap();
        let missing = dir.path().join("x");
        let unmet = look(Required::File(missing.clone())).await.unwrap_err().to_string();
        assert_eq!(unmet, format!("{} is not there", missing.display()));
    }

    #[tokio::test]
    async fn a_command_says_by_its_exit_code_whether_it_is_so() {
        let sh =
            |script: &str| Required::Command(["/bin/sh", "-c", script].map(str::to_owned).into());
        look(sh("exit 0")).await.unwrap();
        assert_eq!(look(sh("exit 3")).await.unwrap_err().to_string(), "/bin/sh ended with 3");
        let killed = look(sh("kill -9 $$")).await.unwrap_err().to_string();
        assert_eq!(killed, "/bin/sh was ended by signal 9");
        let unmet = look(Required::Command(vec!["no-such-program".into()])).await.unwrap_err();
        assert_eq!(unmet.to_string(), "no-such-program was not run");
    }
}
