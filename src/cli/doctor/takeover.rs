//! What does the sessions' work already: agents that somebody started by hand, an older script, a
//! systemd unit.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::Check;
use super::programs::output;
use crate::config::Config;
use crate::daemon::{instance, presence};
use crate::world::presence::Survey;
use crate::world::presence::takeover::{self, InTheWay, UNIT_FOLDERS};

/// A server that hangs says nothing.
const ANSWER: Duration = Duration::from_secs(2);

/// One line for each; none where there are no agent sessions.
pub(super) fn checks(config: &Config) -> Vec<Check> {
    const NAME: &str = "taking over";
    let directories = presence::directories(config);
    if directories.is_empty() {
        return Vec::new();
    }
    let scope = presence::scope(config, &instance(&config.supervisor.state_dir));
    let programs: Vec<&str> = scope.programs.iter().map(|it| it.name).collect();
    let survey = Survey::now(&scope);
    let mut ways = takeover::strangers(&survey, &directories);
    ways.extend(takeover::watchdogs(&survey));
    ways.extend(tmux(config));
    let places: Vec<PathBuf> = directories.into_values().collect();
    ways.extend(takeover::units(&UNIT_FOLDERS.map(PathBuf::from), &programs, &places));
    let mut checks: Vec<Check> =
        ways.iter().map(|it| Check::warn(NAME, it.what.clone(), &it.remedy)).collect();
    for gap in &survey.gaps {
        let remedy = "until then nobody knows whether an agent was started by hand";
        checks.push(Check::warn(NAME, gap.clone(), remedy));
    }
    if checks.is_empty() {
        checks.push(Check::ok(NAME, "nothing else does the sessions' work"));
    }
    checks
}

fn tmux(config: &Config) -> Vec<InTheWay> {
    let names = presence::labels(config);
    let sockets = takeover::tmux_sockets(Path::new("/tmp"));
    let ways = sockets.iter().flat_map(|socket| {
        let mut ask = Command::new("tmux");
        ask.arg("-S").arg(socket).args(["list-sessions", "-F", "#{session_name}"]);
        let said = output(&mut ask, ANSWER).map(|(_, said)| said).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let there: Vec<String> = said.lines().map(str::to_owned).collect();
        takeover::sessions(socket, &there, &names)
    });
    ways.collect()
}
