//! What the operator requires by `[[require]]`, and whether those who are told can be.

use std::path::Path;

use super::Check;
use crate::config::{Config, Target, UrlSource};
use crate::daemon::chain;
use crate::world::children::OwnChildren;
use crate::world::http;
use crate::world::requirements::check;

/// All of them.
pub(super) fn checks(config: &Config) -> Vec<Check> {
    let mut checks = requirements(config);
    let targets = config.notify.targets.iter();
    checks.extend(targets.enumerate().map(|(index, target)| told(index, target)));
    if let Some(heartbeat) = &config.notify.heartbeat {
        checks.push(secrets("heartbeat", Some(&heartbeat.url), None));
    }
    checks
}

/// Each is looked at as the daemon would.
fn requirements(config: &Config) -> Vec<Check> {
    if config.requirements.is_empty() {
        return Vec::new();
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return vec![Check::fail("required", error.to_string(), "try again")],
    };
    let children = OwnChildren::default();
    let looks = config.requirements.iter().map(|requirement| {
        let name = format!("required {}", requirement.what);
        let env = std::env::vars_os().collect();
        let text = requirement.text.as_deref();
        match runtime.block_on(check(requirement, &children, env)) {
            Ok(()) => Check::ok(&name, text.unwrap_or("it is so")),
            Err(unmet) => {
                let so =
                    text.map_or(String::new(), |text| format!(", so that this is true: {text}"));
                let remedy =
                    format!("see to it{so}; until then nothing is started for the first time");
                Check::fail(&name, chain(&unmet), &remedy)
            }
        }
    });
    let checks = looks.collect();
    // A file that hangs is not waited for.
    runtime.shutdown_background();
    checks
}

/// Nobody is told anything here: what can be seen without that is looked at.
fn told(index: usize, target: &Target) -> Check {
    let name = format!("notify target {index}");
    match target {
        Target::Ntfy { url, token_file } | Target::Webhook { url, token_file, .. } => {
            secrets(&name, Some(url), token_file.as_deref())
        }
        Target::Command(words) => {
            let program = words.first().map_or("", String::as_str);
            let there = program.contains('/') && Path::new(program).is_file()
                || super::on_path(program, &[]).is_some();
            if there {
                return Check::ok(&name, format!("{program} is there"));
            }
            let remedy = "install it, or name it by its whole path";
            Check::fail(&name, format!("{program} is not found"), remedy)
        }
        Target::Nanoclaw { group, directory, jid, .. } => match (directory, jid) {
            (Some(directory), Some(_)) if directory.join("data/ipc").is_dir() => {
                Check::ok(&name, format!("the group {group} in {}", directory.display()))
            }
            (Some(directory), Some(_)) => Check::warn(
                &name,
                format!("{} has no data/ipc: NanoClaw never ran there", directory.display()),
                "until it does, the other targets are told",
            ),
            (Some(_) | None, Some(_) | None) => {
                let remedy = "write [gateway.nanoclaw] directory, and the group's jid";
                Check::warn(&name, format!("the chat of {group} is not known"), remedy)
            }
        },
    }
}

fn secrets(name: &str, url: Option<&UrlSource>, token_file: Option<&Path>) -> Check {
    let url = url.map(http::url).transpose();
    let token = token_file.map(http::secret).transpose();
    match (url, token) {
        (Ok(url), Ok(_)) => {
            let host = url.as_ref().map_or("", |url| url.host());
            Check::ok(name, format!("{host}: try it with `supervisor notify`"))
        }
        (Err(error), _) | (_, Err(error)) => {
            let remedy =
                "let the file hold it in its first line, readable for the supervisor's user";
            Check::fail(name, chain(&error), remedy)
        }
    }
}
