//! What may be typed. Not here: what it does.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;

/// Keep agents and the services they need working, with no person in the room
#[derive(Debug, Parser)]
#[command(
    name = "supervisor",
    version,
    propagate_version = true,
    infer_long_args = true,
    disable_help_subcommand = true,
    max_term_width = 100,
    after_help = "Examples:
  supervisor demo                  watch it work, in a scratch folder
  supervisor init                  write a commented configuration to start from
  supervisor run                   be the daemon, in the foreground
  supervisor status --watch        see what goes on, live
  supervisor logs web -f           follow what a service prints
  supervisor attach builder        look over an agent's shoulder

Exit codes: 0 ok, 1 failed, 2 usage, 3 no daemon, 4 no such unit, 78 configuration"
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

#[derive(Debug, Args)]
pub(super) struct Global {
    /// Read this configuration, not $SUPERVISOR_CONFIG, /etc/agent-supervisor/config.toml or
    /// $XDG_CONFIG_HOME/agent-supervisor/config.toml
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) config: Option<PathBuf>,
    /// Print JSON, where there is output to read
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Print no colour (as does setting NO_COLOR)
    #[arg(long, global = true)]
    pub(super) no_color: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Be the daemon, in the foreground
    #[command(after_help = "Examples:
  supervisor run
  supervisor run --config ./config.toml
  RUST_LOG=debug supervisor run")]
    Run,
    /// Show what every unit is doing, and why
    #[command(after_help = "Examples:
  supervisor status
  supervisor status builder
  supervisor status --watch
  supervisor status --json | jq '.units[] | select(.state != \"up\").name'")]
    Status(Status),
    /// Print what a unit has put out
    #[command(
        after_help = "A service with `systemd_unit` has its log in the journal: `journalctl` shows it.

Examples:
  supervisor logs                  the supervisor's own
  supervisor logs web -n 50 -f
  supervisor logs builder --screen the pane as it is now"
    )]
    Logs(Logs),
    /// Start units: wish them up, return when they are
    #[command(after_help = "Examples:
  supervisor start web
  supervisor start --all")]
    Start(Which),
    /// Stop units: wish them down, return when they are
    #[command(after_help = "The wish is kept over reboots.

Examples:
  supervisor stop web builder
  supervisor stop --all")]
    Stop(Which),
    /// Stop units and start them again
    #[command(after_help = "Examples:
  supervisor restart web
  supervisor restart builder --fresh")]
    Restart(Restart),
    /// Stop all units for a shutdown, wishes unchanged
    #[command(
        after_help = "Meant for shutdown: units stay down until `start`, or `run` in a new boot.

Examples:
  supervisor drain"
    )]
    Drain,
    /// Make the running daemon become this binary, with this configuration
    #[command(after_help = "Units run on untouched.

Examples:
  supervisor reload
  ./target/release/supervisor reload --config ./config.toml")]
    Reload,
    /// Enter the live tmux pane of a session
    #[command(after_help = "Detach with the tmux prefix and d (C-b d): the session runs on.

Examples:
  supervisor attach builder")]
    Attach(Attach),
    /// Type one message into a session and confirm that it arrived
    #[command(after_help = "Examples:
  supervisor tell builder 'commit what you have, then go on'")]
    Tell(Tell),
    /// Show how often the machine came up, and the boots
    #[command(after_help = "Examples:
  supervisor reboots
  supervisor reboots --json")]
    Reboots,
    /// Show what was seen and done, and why
    #[command(after_help = "Examples:
  supervisor events -n 20
  supervisor events -f
  supervisor events --json -n all | jq -r .event")]
    Events(Events),
    /// Fail with a reason unless the daemon is alive and every wished unit is well
    #[command(after_help = "Meant for cron, monit, or another host.

Examples:
  supervisor check
  supervisor check --max-age 1m || mail -s trouble root")]
    Check(Check),
    /// Parse and check a configuration
    #[command(after_help = "Examples:
  supervisor check-config
  supervisor check-config ./config.toml")]
    CheckConfig(CheckConfig),
    /// Write a commented configuration to start from; never overwrite
    #[command(after_help = "Examples:
  supervisor init
  supervisor init /etc/agent-supervisor")]
    Init(Init),
    /// Watch it work: kill things in a scratch folder and see them come back
    #[command(
        after_help = "It kills an agent, a service and the supervisor itself in a scratch folder, and shows what
becomes of them. It needs tmux, takes some ten seconds, and leaves nothing behind.

Examples:
  supervisor demo
  supervisor demo --keep           leave it running, to look around in"
    )]
    Demo(Demo),
    /// Print the completions of a shell
    #[command(after_help = "Examples:
  supervisor completions bash > /usr/share/bash-completion/completions/supervisor
  supervisor completions fish > ~/.config/fish/completions/supervisor.fish")]
    Completions(Completions),
    /// Print the manual page, or write one for each verb into a folder
    #[command(after_help = "Examples:
  supervisor man | man -l -
  supervisor man /usr/local/share/man/man1")]
    Man(Man),
    /// Check the installation, with a remedy for whatever is amiss
    #[command(after_help = "Examples:
  supervisor doctor
  supervisor doctor --json | jq '.[] | select(.verdict == \"fail\")'")]
    Doctor,

    #[command(hide = true)]
    DemoAgent(DemoAgent),
    #[command(hide = true)]
    Phase(Later),
    #[command(hide = true)]
    Gateway(Later),
    #[command(hide = true)]
    Nanoclaw(Later),
    #[command(hide = true)]
    Relay(Later),
    #[command(hide = true)]
    Ack(Later),
    #[command(hide = true)]
    Notify(Later),
    #[command(hide = true)]
    Hook(Later),
    #[command(hide = true)]
    ReadScreen(Later),
    #[command(hide = true)]
    Incident(Later),
    #[command(hide = true)]
    Probe(Later),
    #[command(hide = true)]
    Host(Later),
}

#[derive(Debug, Args)]
pub(super) struct Status {
    /// Only this one, in full
    #[arg(value_name = "UNIT")]
    pub(super) unit: Option<String>,
    /// Show it again whenever it changes, until Ctrl-C
    #[arg(long, short)]
    pub(super) watch: bool,
}

#[derive(Debug, Args)]
pub(super) struct Logs {
    /// Whose; `supervisor` is the supervisor itself
    #[arg(value_name = "UNIT", default_value = "supervisor")]
    pub(super) unit: String,
    #[command(flatten)]
    pub(super) tail: Tail,
    /// Print the pane of a session as it is now
    #[arg(long, conflicts_with_all = ["lines", "follow"])]
    pub(super) screen: bool,
}

#[derive(Debug, Args)]
pub(super) struct Events {
    #[command(flatten)]
    pub(super) tail: Tail,
}

#[derive(Debug, Args)]
pub(super) struct Tail {
    /// Print the last N lines; `all` for everything
    #[arg(short = 'n', long, value_name = "N", default_value = "200")]
    pub(super) lines: Lines,
    /// Go on with what is added, until Ctrl-C
    #[arg(short, long)]
    pub(super) follow: bool,
}

/// How many lines of the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lines(pub(super) usize);

impl std::str::FromStr for Lines {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self(usize::MAX)),
            number => {
                number.parse().map(Self).map_err(|_| "a number of lines, or `all`".to_owned())
            }
        }
    }
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Which {
    /// Which
    #[arg(value_name = "UNIT")]
    pub(super) units: Vec<String>,
    /// Every unit
    #[arg(long)]
    pub(super) all: bool,
}

#[derive(Debug, Args)]
pub(super) struct Restart {
    #[command(flatten)]
    pub(super) which: Which,
    /// With a new conversation
    #[arg(long)]
    pub(super) fresh: bool,
}

#[derive(Debug, Args)]
pub(super) struct Attach {
    /// Which session
    #[arg(value_name = "UNIT")]
    pub(super) unit: String,
}

#[derive(Debug, Args)]
pub(super) struct Tell {
    /// Which session
    #[arg(value_name = "UNIT")]
    pub(super) unit: String,
    /// What to type; one line
    #[arg(value_name = "TEXT", value_parser = one_line)]
    pub(super) text: String,
}

#[derive(Debug, Args)]
pub(super) struct Check {
    /// How long ago the daemon may last have been seen to turn
    #[arg(long, value_name = "D", default_value = "3m", value_parser = duration)]
    pub(super) max_age: std::time::Duration,
}

#[derive(Debug, Args)]
pub(super) struct CheckConfig {
    /// Which; else the one that `run` would read
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Init {
    /// Where to put config.toml
    #[arg(value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    pub(super) dir: PathBuf,
    /// `init loops DIR` is a promise for later.
    #[arg(hide = true)]
    pub(super) rest: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Leave everything running at the end, and say how to look at it
    #[arg(long)]
    pub(super) keep: bool,
}

#[derive(Debug, Args)]
pub(super) struct DemoAgent {
    #[arg(value_name = "NAME")]
    pub(super) name: String,
}

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// Of which shell
    #[arg(value_name = "SHELL")]
    pub(super) shell: Shell,
}

#[derive(Debug, Args)]
pub(super) struct Man {
    /// Write one page for each verb here
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(super) dir: Option<PathBuf>,
}

/// The arguments of a verb whose name is reserved: whatever they are.
#[derive(Debug, Args)]
#[command(disable_help_flag = true, disable_version_flag = true)]
pub(super) struct Later {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    rest: Vec<OsString>,
}

fn duration(text: &str) -> Result<std::time::Duration, String> {
    text.parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|duration| std::time::Duration::try_from(duration).ok())
        .ok_or_else(|| "a duration such as 30s, 5m or 24h".to_owned())
}

fn one_line(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("there is nothing to type".to_owned());
    }
    if text.contains(char::is_control) {
        return Err("one line of plain text, without control characters".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::{CommandFactory, Parser};

    use super::{Cli, duration};

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_shown_verb_has_an_example_and_an_imperative_without_a_period() {
        let mut cli = Cli::command();
        cli.build();
        for verb in cli.get_subcommands().filter(|verb| !verb.is_hide_set()) {
            let name = verb.get_name();
            let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Examples:\n"), "{name} shows no example");
            assert!(help.contains("supervisor ") && help.contains(name), "{name}");
            let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
            assert!(!about.is_empty() && !about.ends_with('.'), "{name}: {about:?}");
        }
    }

    #[test]
    fn units_or_all_must_be_named_and_not_both() {
        for (words, fits) in [
            (vec!["start"], false),
            (vec!["start", "web", "api"], true),
            (vec!["start", "--all"], true),
            (vec!["stop", "--all", "web"], false),
            (vec!["restart", "--fresh"], false),
            (vec!["restart", "web", "--fresh"], true),
            (vec!["logs", "web", "--screen", "-f"], false),
            (vec!["logs", "web", "--screen"], true),
            (vec!["tell", "a", "two\nlines"], false),
            (vec!["phase", "set", "--weird", "x"], true),
            (vec!["status", "--json"], true),
            (vec!["--json", "status"], true),
        ] {
            let line = [vec!["supervisor"], words.clone()].concat();
            assert_eq!(Cli::try_parse_from(line).is_ok(), fits, "{words:?}");
        }
    }

    #[test]
    fn durations_read_as_in_the_configuration() {
        for (text, wanted) in [
            ("200ms", Some(Duration::from_millis(200))),
            ("30s", Some(Duration::from_secs(30))),
            ("24h", Some(Duration::from_secs(86_400))),
            ("-3s", None),
            ("soon", None),
        ] {
            assert_eq!(duration(text).ok(), wanted, "{text}");
        }
    }
}
