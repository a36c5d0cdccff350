//! What may be typed after `gateway`, `relay` and `ack`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::values::duration;

#[derive(Debug, Args)]
pub(in crate::cli) struct Gateway {
    #[command(subcommand)]
    pub(in crate::cli) verb: Option<GatewayVerb>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum GatewayVerb {
    /// Be the gateway, in the foreground (also without a word)
    Serve,
    /// List the events of the ledger, the newest first
    #[command(after_help = "Examples:
  supervisor gateway list -n 20
  supervisor gateway list --json | jq -r 'select(.state != \"done\").event'")]
    List(List),
    /// Show one event whole: its letters, its keys, what came
    Show(Event),
    /// Deliver the letters of events once more
    #[command(after_help = "Examples:
  supervisor gateway replay 7k3f9qab")]
    Replay(Events),
    /// Take the letters of events out: they are not delivered any more
    Drop(Events),
    /// Make up an event with a letter, to see it arrive
    #[command(after_help = "It has fresh ids, is marked as a test, and hides no real event.

Examples:
  supervisor gateway test
  supervisor gateway test --to ryan")]
    Test(Test),
    /// Make a new secret; the old one stays valid for a while
    #[command(
        after_help = "NAME is azure-devops, github, relay, or an agent that has a token_file.
The new secret is the first line of the file; the gateway reads it at the next request.

Examples:
  supervisor gateway rotate-secret azure-devops
  supervisor gateway rotate-secret ryan --keep 1h
  supervisor gateway rotate-secret azure-devops --file /etc/secrets/webhook"
    )]
    RotateSecret(RotateSecret),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    /// Only the newest N
    #[arg(short = 'n', long, value_name = "N")]
    pub(in crate::cli) lines: Option<u32>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Event {
    /// Which, as `list` names it
    #[arg(value_name = "EVENT")]
    pub(in crate::cli) event: String,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Events {
    /// Which, as `list` names them
    #[arg(value_name = "EVENT", required = true)]
    pub(in crate::cli) events: Vec<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Test {
    /// Whose letter it is; else whoever hears of builds
    #[arg(long, value_name = "AGENT")]
    pub(in crate::cli) to: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RotateSecret {
    /// Whose
    #[arg(value_name = "NAME")]
    pub(in crate::cli) name: String,
    /// How long the old one stays valid
    #[arg(long, value_name = "D", default_value = "24h", value_parser = duration)]
    pub(in crate::cli) keep: std::time::Duration,
    /// The file that the configured one is a copy of
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) file: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  supervisor relay send --from ryan --to cody 'build 12 fails in Lint'
  supervisor relay release INC-7")]
pub(in crate::cli) struct Relay {
    #[command(subcommand)]
    pub(in crate::cli) verb: RelayVerb,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum RelayVerb {
    /// Send a message from one agent to another
    #[command(after_help = "Also with the gateway down: it is delivered when that is up again.

Examples:
  supervisor relay send --from ryan --to cody 'build 12 fails in Lint'
  supervisor relay send --from ryan --to cody --kind handoff --file ./build.log
  supervisor relay send --socket /run/gateway/gateway.sock --to cody 'from within a container'")]
    Send(Send),
    /// Let a thread go on that is held for too much talk
    Release(Thread),
    /// Let a thread go on without the messages that were held in it
    Drop(Thread),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Send {
    /// Who writes
    #[arg(long, value_name = "A", required_unless_present = "socket")]
    pub(in crate::cli) from: Option<String>,
    /// Who shall read it
    #[arg(long, value_name = "B")]
    pub(in crate::cli) to: String,
    /// What it says
    #[arg(value_name = "TEXT", required_unless_present = "file", conflicts_with = "file")]
    pub(in crate::cli) text: Option<String>,
    /// Send what is in this file, of whatever length; `-` is standard input
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) file: Option<PathBuf>,
    /// What it is about: an incident, say
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) thread: Option<String>,
    /// What it is: handoff, fix_pushed, pr_opened, escalate, info
    #[arg(long, value_name = "KIND")]
    pub(in crate::cli) kind: Option<String>,
    /// By which the same message, sent twice, is known
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) id: Option<String>,
    /// The branch it is about
    #[arg(long, value_name = "BRANCH")]
    pub(in crate::cli) branch: Option<String>,
    /// Speak through this socket of the gateway: it says who writes
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) socket: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Thread {
    /// Which, as the log and `gateway show` name it
    #[arg(value_name = "THREAD")]
    pub(in crate::cli) thread: String,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Ack {
    /// Which, as the letter names it
    #[arg(value_name = "EVENT")]
    pub(in crate::cli) event: String,
    /// For this agent alone
    #[arg(long, value_name = "AGENT", conflicts_with = "socket")]
    pub(in crate::cli) from: Option<String>,
    /// Speak through this socket of the gateway: it says who acknowledges
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) socket: Option<PathBuf>,
}
