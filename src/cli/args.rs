//! What may be typed. Not here: what it does.

mod demo;
mod gateway;
mod hidden;
mod init;
mod notify;
mod phase;
mod values;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;

pub(super) use self::demo::{Demo, DemoAgents};
pub(super) use self::gateway::{
    Ack, Event, Events as LedgerEvents, Gateway, GatewayVerb, List, Relay, RelayVerb, RotateSecret,
    Send, Test, Thread,
};
pub(super) use self::hidden::{DemoAgent, DemoNanoclaw, Later, StandInApi};
pub(super) use self::init::Init;
pub(super) use self::notify::Notify;
pub(super) use self::phase::{Phase, PhaseVerb};
pub(super) use self::values::Lines;
use self::values::{duration, typeable};

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
  supervisor drain
  supervisor drain --if-stopping   as the ExecStop= of a unit that systemd also stops otherwise"
    )]
    Drain(Drain),
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
  supervisor tell builder 'commit what you have, then go on'
  supervisor tell builder --expires 10m 'the forge is back'

It waits in the session's queue until the session is at its prompt or in a turn, never at a
dialog; what cannot be typed within two minutes stays in the queue, and the verb says so.")]
    Tell(Tell),
    /// Tell the operator, by all targets of [notify]
    #[command(
        after_help = "It works without a daemon, too: then it sends by itself, for some 20 s. What could not be
told is kept, and is told by the next supervisor, or the next `notify`.

Examples:
  supervisor notify 'the disk of builder is nearly full'
  supervisor notify --urgent --title backup 'last night left nothing behind'
  supervisor notify --key disk 'still nearly full'   one notice, however often, until it is told"
    )]
    Notify(Notify),
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
    /// Print what every unit does and spends, for Prometheus
    #[command(after_help = "OpenMetrics text. Tokens and turns are those of the current day (UTC).

Examples:
  supervisor metrics
  supervisor metrics > /var/lib/prometheus/node-exporter/supervisor.prom.new &&
    mv /var/lib/prometheus/node-exporter/supervisor.prom{.new,}")]
    Metrics,
    /// Parse and check a configuration
    #[command(after_help = "Examples:
  supervisor check-config
  supervisor check-config ./config.toml")]
    CheckConfig(CheckConfig),
    /// Write a commented configuration to start from; never overwrite
    #[command(after_help = "Examples:
  supervisor init
  supervisor init /etc/agent-supervisor
  supervisor init loops ./ci       two loops that build something: configuration, prompts, plan
  supervisor init loops ./ci --from launch.sh
                                   with the paths, intervals and repository of an older script")]
    Init(Init),
    /// Watch it work: kill things in a scratch folder and see them come back
    #[command(
        after_help = "It kills an agent, a service and the supervisor itself in a scratch folder, and shows what
becomes of them. It needs tmux, takes some ten seconds, and leaves nothing behind.

The agents are scripted ones. With `--agent claude` they are the real Claude Code, offline: in a
home of its own, with a made-up key, against a stand-in of its API on this machine. It takes half a
minute, costs nothing, and touches nothing of yours.

Examples:
  supervisor demo
  supervisor demo --agent claude   with Claude Code, as it is on PATH
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
    /// Print what a captured pane says of its session, as JSON
    #[command(
        after_help = "It reads FILE, or standard input, with or without colours, and needs no daemon.

Examples:
  supervisor logs builder --screen | supervisor read-screen --agent claude
  supervisor read-screen --agent claude ./pane.txt
  tmux capture-pane -p -e | supervisor read-screen --agent claude | jq -r .why"
    )]
    ReadScreen(ReadScreen),

    /// Show the phase of the plan, or begin another
    #[command(
        after_help = "The sessions that work on the plan begin a phase in a fresh conversation, \
with its kickoff prompt. Without a word it shows.

Examples:
  supervisor phase
  supervisor phase next
  supervisor phase set 2"
    )]
    Phase(Phase),
    /// Take webhooks and messages for the agents, and look after what came
    #[command(after_help = "Examples:
  supervisor gateway               be it, in the foreground
  supervisor gateway list
  supervisor gateway test --to ryan")]
    Gateway(Gateway),
    /// Send messages between agents, and let held threads go on
    Relay(Relay),
    /// Say that a letter has been dealt with
    #[command(after_help = "Examples:
  supervisor ack 7k3f9qab
  supervisor ack 7k3f9qab --socket /run/gateway/gateway.sock")]
    Ack(Ack),

    #[command(hide = true)]
    DemoAgent(DemoAgent),
    #[command(hide = true)]
    DemoNanoclaw(DemoNanoclaw),
    /// Be a double of the Messages API, for demo and tests
    #[command(hide = true)]
    StandInApi(StandInApi),
    #[command(hide = true)]
    Nanoclaw(Later),
    #[command(hide = true)]
    Hook(Later),
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
pub(super) struct Drain {
    /// Do nothing unless systemd is taking the machine down
    #[arg(long)]
    pub(super) if_stopping: bool,
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
    /// What to type; several lines only into agents that take them
    #[arg(value_name = "TEXT", value_parser = typeable)]
    pub(super) text: String,
    /// Drop it if it could not be typed within this time
    #[arg(long, value_name = "D", default_value = "1h", value_parser = duration)]
    pub(super) expires: std::time::Duration,
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
pub(super) struct ReadScreen {
    /// Which program is in the pane: `claude`, or `command` for any other
    #[arg(long, value_name = "NAME")]
    pub(super) agent: String,
    /// The captured pane; else standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) file: Option<PathBuf>,
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

#[cfg(test)]
mod tests;
