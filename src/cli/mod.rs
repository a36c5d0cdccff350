//! The command line: one file a verb. Arguments come in, one request goes to the daemon (or a file
//! is read), text goes out. Not here: anything that decides or supervises.

mod ack;
mod args;
mod attach;
mod check;
mod check_config;
mod client;
mod completions;
mod demo;
mod doctor;
mod events;
mod failure;
mod gateway;
mod hook;
pub(crate) mod init;
mod logs;
mod man;
mod metrics;
mod notify;
mod phase;
mod read_screen;
mod reboots;
mod relay;
mod reload;
mod render;
mod run;
mod stand_in_api;
mod status;
mod tell;
mod units;

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use self::args::{Cli, Global, Verb};
use self::client::Client;
use self::failure::Failure;
use crate::config::{self, Config};
use crate::world::launch;

/// Runs the verb named by the arguments.
pub fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    // Both run once for each start of a unit, or for each act of an agent: nothing that they do not
    // need is built before them.
    match words.next() {
        Some(verb) if verb == "exec-unit" => match words.next() {
            Some(file) => return launch::exec_unit(Path::new(&file)).into(),
            None => return report(&Failure::Usage("exec-unit wants a launch file".to_owned())),
        },
        // A hook that fails disturbs the agent that calls it.
        Some(verb) if verb == "hook" => return hook::run(),
        Some(_) | None => {}
    }
    match parse(std::env::args_os().collect()) {
        Ok(Cli { global, verb }) => match dispatch(global, verb) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => report(&failure),
        },
        Err(error) => {
            // Help on a closed pipe is help that nobody wants.
            let _ = error.print();
            u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
        }
    }
}

/// What all verbs share.
#[derive(Debug)]
struct Context {
    config: Option<PathBuf>,
    json: bool,
}

impl Context {
    /// The configuration and where it was found.
    fn config(&self) -> Result<(PathBuf, Config), Failure> {
        let file = config::find(self.config.as_deref())?;
        let config = Config::load(&file)?;
        Ok((file, config))
    }

    /// The way to the daemon of that configuration.
    fn client(&self) -> Result<Client, Failure> {
        let (config, checked) = self.config()?;
        Ok(client(config, &checked))
    }
}

fn client(config: PathBuf, checked: &Config) -> Client {
    Client { config, socket: checked.supervisor.runtime_dir.join("control.sock") }
}

fn parse(words: Vec<OsString>) -> Result<Cli, clap::Error> {
    let plain = words.iter().any(|word| word == "--no-color");
    if plain {
        anstream::ColorChoice::Never.write_global();
    }
    let color = if plain { clap::ColorChoice::Never } else { clap::ColorChoice::Auto };
    let mut command = Cli::command().color(color);
    let matches = command.try_get_matches_from_mut(words)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

fn dispatch(global: Global, verb: Verb) -> Result<(), Failure> {
    let Global { config, json, no_color: _ } = global;
    let context = Context { config, json };
    if let (true, Some(name)) = (json, without_json(&verb)) {
        return Err(Failure::Usage(format!("`{name}` has no --json: leave it out")));
    }
    match verb {
        Verb::Run => run::run(&context),
        Verb::Status(args) => status::run(&context, &args),
        Verb::Logs(args) => logs::run(&context, &args),
        Verb::Start(which) => units::start(&context, which),
        Verb::Stop(which) => units::stop(&context, which),
        Verb::Restart(args) => units::restart(&context, args),
        Verb::Drain(args) => units::drain(&context, &args),
        Verb::Reload => reload::run(&context),
        Verb::Attach(args) => attach::run(&context, args),
        Verb::Tell(args) => tell::run(&context, args),
        Verb::Reboots => reboots::run(&context),
        Verb::Events(args) => events::run(&context, &args),
        Verb::Check(args) => check::run(&context, &args),
        Verb::Metrics => metrics::run(&context),
        Verb::CheckConfig(args) => check_config::run(&context, args),
        Verb::Init(args) => init::run(&args),
        Verb::Demo(args) => demo::run(&args),
        Verb::DemoAgent(args) => demo::agent(&args),
        Verb::DemoNanoclaw(args) => demo::nanoclaw(&args),
        Verb::StandInApi(args) => stand_in_api::run(args),
        Verb::Completions(args) => completions::run(&args),
        Verb::Man(args) => man::run(&args),
        Verb::Doctor => doctor::run(&context),
        Verb::Phase(args) => phase::run(&context, args),
        Verb::Gateway(args) => gateway::run(&context, args),
        Verb::Nanoclaw(_) => later("nanoclaw"),
        Verb::Relay(args) => relay::run(&context, args),
        Verb::Ack(args) => ack::run(&context, &args),
        Verb::Notify(args) => notify::run(&context, args),
        Verb::Hook(_) => Ok(()),
        Verb::ReadScreen(args) => read_screen::run(&args),
        Verb::Incident(_) => later("incident"),
        Verb::Probe(_) => later("probe"),
        Verb::Host(_) => later("host"),
    }
}

fn later(verb: &str) -> Result<(), Failure> {
    Err(Failure::failed(format!("`{verb}` comes with a later version")))
}

/// The verbs whose output is no data.
fn without_json(verb: &Verb) -> Option<&'static str> {
    match verb {
        Verb::Run => Some("run"),
        Verb::Logs(_) => Some("logs"),
        Verb::Attach(_) => Some("attach"),
        Verb::Init(_) => Some("init"),
        Verb::Demo(_) => Some("demo"),
        Verb::DemoAgent(_) => Some("demo-agent"),
        Verb::DemoNanoclaw(_) => Some("demo-nanoclaw"),
        Verb::StandInApi(_) => Some("stand-in-api"),
        Verb::Completions(_) => Some("completions"),
        Verb::Man(_) => Some("man"),
        Verb::Metrics => Some("metrics"),
        Verb::Status(_)
        | Verb::Start(_)
        | Verb::Stop(_)
        | Verb::Restart(_)
        | Verb::Drain(_)
        | Verb::Reload
        | Verb::Tell(_)
        | Verb::Reboots
        | Verb::Events(_)
        | Verb::Check(_)
        | Verb::CheckConfig(_)
        | Verb::Doctor
        | Verb::Phase(_)
        | Verb::Gateway(_)
        | Verb::Nanoclaw(_)
        | Verb::Relay(_)
        | Verb::Ack(_)
        | Verb::Notify(_)
        | Verb::Hook(_)
        | Verb::ReadScreen(_)
        | Verb::Incident(_)
        | Verb::Probe(_)
        | Verb::Host(_) => None,
    }
}

/// Says why on standard error and gives the exit code.
fn report(failure: &Failure) -> ExitCode {
    if !failure.is_silent() {
        note(&failure.to_string());
    }
    failure.into()
}

/// One line on standard error.
fn note(text: &str) {
    let head = render::paint(render::BAD, "supervisor:");
    // Nobody is left to be told that nobody can be told.
    let _ = writeln!(anstream::stderr(), "{head} {text}");
}
