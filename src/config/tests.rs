//! The words of the errors, the defaults, and that no text makes the reading panic.

mod errors;
mod finding;
mod mutations;
mod values;

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;
use crate::decide::{Dependency, TokenBudget, UnitKind, UnitName};

/// Every key that there is, with the values of the documentation.
const EVERYTHING: &str = include_str!("tests/everything.toml");

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, &Origin::File("/etc/s.toml".into()), Path::new("/etc"))
}

fn good(text: &str) -> Config {
    parse(text).unwrap_or_else(|error| panic!("{error}"))
}

fn unit(config: &Config, name: &str) -> Unit {
    config.units[&UnitName::new(name).unwrap()].clone()
}

#[test]
fn the_documented_example_is_accepted_whole() {
    let config = good(EVERYTHING);
    let names: Vec<_> = config.units.keys().map(UnitName::as_str).collect();
    assert_eq!(names, ["adversary", "builder", "gateway", "nanoclaw", "orchestrator", "shell"]);
    assert_eq!(
        config.not_acted_on,
        [
            "notify.targets[1].url (its … is to be filled in)",
            "notify.heartbeat.url (its … is to be filled in)",
        ]
    );

    let [_, command, main] = &config.notify.targets[..] else { panic!("{:?}", config.notify) };
    assert_eq!(*command, Target::Command(vec!["…".into()]));
    let (group, folder) = ("main".to_owned(), "main".to_owned());
    let directory = Some("/srv/nanoclaw".into());
    assert_eq!(*main, Target::Nanoclaw { group, directory, folder, jid: None });
    let forge = Required::Tcp("git.example.org:22".into());
    let text = Some("the forge is reachable".to_owned());
    assert_eq!(config.requirements, [Requirement { what: forge, text }]);

    let nanoclaw = unit(&config, "nanoclaw");
    assert_eq!(nanoclaw.program, Program::Command(vec!["node".into(), "dist/index.js".into()]));
    assert_eq!(nanoclaw.after, [Dependency::Docker]);
    assert_eq!(nanoclaw.memory_max, Some(2 << 30));
    let ready = Ready { log: "NanoClaw running".into(), within: Duration::from_secs(60) };
    assert_eq!(nanoclaw.ready, Some(ready));

    let builder = unit(&config, "builder");
    assert_eq!(builder.program, Program::Agent { agent: Agent::Claude, command: None });
    assert_eq!(builder.on_exit, OnExit::Stop);
    let keys = builder.session.unwrap();
    assert_eq!(keys.remote_control.as_deref(), Some("cc-ci-builder"));
    assert_eq!(keys.args, ["--dangerously-skip-permissions"]);
    assert_eq!(unit(&config, "orchestrator").kind, UnitKind::Orchestrator);
    let unnamed = unit(&config, "adversary").session.unwrap();
    assert_eq!(unnamed.remote_control.as_deref(), Some("adversary"));
}

#[test]
fn the_gateway_has_a_value_for_every_key() {
    let gateway = good(EVERYTHING).gateway.unwrap();
    let groups: Vec<_> = gateway.groups.keys().map(String::as_str).collect();
    assert_eq!(groups, ["cody", "ryan", "sam"]);
    assert_eq!(gateway.groups["cody"].folder, "cody");
    assert_eq!(gateway.state_dir, Path::new("/var/lib/agent-supervisor"));
    assert_eq!((gateway.max_body, gateway.relay.max_body), (2 << 20, 32 << 20));
    assert!(gateway.relay.allows("sam", "ryan") && !gateway.relay.allows("sam", "sam"));
    let reconcile = gateway.azure_devops.unwrap().reconcile.unwrap();
    assert_eq!(reconcile.every, Duration::from_secs(600));

    let plain = good("[gateway]\n").gateway.unwrap();
    assert_eq!(plain.listen, [Endpoint::Tcp("127.0.0.1:9876".parse().unwrap())]);
    assert_eq!((plain.relay_listen.len(), plain.azure_devops, plain.nanoclaw), (0, None, None));
    assert_eq!(good("").gateway, None);
}

#[test]
fn the_template_is_valid_and_starts_one_session() {
    let config = good(TEMPLATE);
    assert_eq!(unit(&config, "shell").kind, UnitKind::Session);
    assert_eq!(config.units.len(), 1);
    assert!(config.not_acted_on.is_empty());
}

#[test]
fn the_examples_in_the_template_are_valid_once_uncommented() {
    let is_example = |line: &&str| {
        let rest = line.trim_start_matches("# ");
        rest.starts_with('[') || rest.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '))
    };
    let examples: Vec<_> =
        TEMPLATE.lines().filter(is_example).map(|line| line.trim_start_matches("# ")).collect();
    // Both pairs of folders are there to choose from.
    let text = examples.join("\n").replacen("state_dir", "reboot_log", 1).replacen(
        "runtime_dir",
        "boot_id_file",
        1,
    );
    let config = good(&text);
    assert_eq!(config.units.len(), 5);
    assert_eq!(config.supervisor.state_dir, Path::new("/etc/state"));
    assert_eq!(unit(&config, "web").restart.first_delay, Duration::from_secs(1));
    // What the template calls a default is one.
    let mut plain = good(TEMPLATE);
    assert_eq!(unit(&config, "shell").restart, unit(&plain, "shell").restart);
    assert_eq!((config.cap, config.stagger), (plain.cap, plain.stagger));
    plain.supervisor.state_dir = config.supervisor.state_dir;
    assert_eq!(config.supervisor.log_max, plain.supervisor.log_max);
    assert_eq!(config.supervisor.log_keep, plain.supervisor.log_keep);
}

#[test]
fn an_empty_file_means_every_default() {
    let config = good("");
    let expected = Supervisor {
        state_dir: "/var/lib/agent-supervisor".into(),
        runtime_dir: "/run/agent-supervisor".into(),
        reboot_log: "/var/lib/agent-supervisor/REBOOTS.md".into(),
        boot_id_file: "/proc/sys/kernel/random/boot_id".into(),
        commit_reboots: false,
        log_max: 64 << 20,
        log_keep: 3,
    };
    assert_eq!(format!("{:?}", config.supervisor), format!("{expected:?}"));
    assert_eq!(config.cap, Cap { restarts: 100, within: Duration::from_secs(60) });
    assert_eq!(config.stagger, Duration::from_secs(2));
    assert_eq!(config.file, Some(PathBuf::from("/etc/s.toml")));
    assert!(config.units.is_empty() && config.not_acted_on.is_empty());
}

#[test]
fn a_unit_that_says_only_what_it_runs_has_every_default() {
    let config = good(
        "[services.web]\ncommand = ['web']\n\
         [services.gateway]\nbuiltin = 'gateway'\n\
         [services.db]\nsystemd_unit = 'db.service'\n\
         [sessions.shell]\nagent = 'command'\ncommand = ['sh']\n\
         [sessions.agent]\nagent = 'claude'\n\
         [sessions.other]\nagent = 'codex'\n",
    );
    let web = unit(&config, "web");
    assert_eq!(web.kind, UnitKind::Service);
    assert_eq!((web.on_exit, web.restart_on_change), (OnExit::Restart, false));
    assert_eq!(web.stop_grace, Duration::from_secs(10));
    assert_eq!((web.directory, web.environment_file, web.ready), (None, None, None));
    assert_eq!((web.memory_max, web.session), (None, None));
    let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
    let expected = Restart {
        first_delay: Duration::ZERO,
        backoff: Backoff { from: Duration::from_secs(1), to: minutes(10) },
        stable_after: minutes(10),
        crash_loop: CrashLoop { starts: 5, within: minutes(15), retry: Some(minutes(30)) },
    };
    assert_eq!(web.restart, expected);

    assert_eq!(unit(&config, "db").program, Program::SystemdUnit("db.service".into()));
    assert!(unit(&config, "gateway").restart_on_change);

    let shell = unit(&config, "shell");
    assert_eq!(shell.on_exit, OnExit::Restart);
    let expected = SessionKeys { at_boot: true, watch: true, seed: true, ..SessionKeys::default() };
    assert_eq!(shell.session, Some(expected.clone()));

    let agent = unit(&config, "agent");
    assert_eq!(agent.on_exit, OnExit::Stop);
    assert_eq!(unit(&config, "other").session, Some(expected.clone()));
    let expected = SessionKeys { remote_control: Some("agent".into()), ..expected };
    assert_eq!(agent.session, Some(expected));
    assert!(config.not_acted_on.iter().all(|it| !it.contains("agent")));
}

#[test]
fn a_missing_key_inside_a_table_keeps_its_default_and_a_unit_overrides_single_keys() {
    let config = good(
        "[restart]\nbackoff = { to = '1m' }\ncrash_loop = { retry = 'never' }\n\
         cap = { restarts = 7 }\n\
         [services.a]\ncommand = ['a']\nrestart = { crash_loop = { starts = 9 } }\n\
         [services.b]\ncommand = ['b']\nrestart.crash_loop.retry = '1h'\nrestart.backoff.from = '0s'\n",
    );
    assert_eq!(config.cap, Cap { restarts: 7, within: Duration::from_secs(60) });
    let (a, b) = (unit(&config, "a").restart, unit(&config, "b").restart);
    assert_eq!(a.backoff.from, Duration::from_secs(1));
    assert_eq!(a.backoff.to, Duration::from_secs(60));
    let within = Duration::from_secs(15 * 60);
    assert_eq!(a.crash_loop, CrashLoop { starts: 9, within, retry: None });
    let retry = Some(Duration::from_secs(3600));
    assert_eq!(b.crash_loop, CrashLoop { starts: 5, within, retry });
    assert_eq!(b.backoff, Backoff { from: Duration::ZERO, to: Duration::from_secs(60) });
}

#[test]
fn relative_paths_begin_at_the_folder_of_the_file() {
    let config = good(
        "[supervisor]\nstate_dir = 'state'\nruntime_dir = './run/'\n\
         [sessions.a]\nagent = 'claude'\ndirectory = '.'\nprompt_file = 'p/a.md'\n\
         environment_file = '/x/.env'\npath = ['bin', '/usr/bin']\n",
    );
    assert_eq!(config.supervisor.state_dir, Path::new("/etc/state"));
    assert_eq!(config.supervisor.runtime_dir, Path::new("/etc/run"));
    assert_eq!(config.supervisor.reboot_log, Path::new("/etc/state/REBOOTS.md"));
    let a = unit(&config, "a");
    assert_eq!(a.directory.unwrap(), Path::new("/etc"));
    assert_eq!(a.environment_file.unwrap(), Path::new("/x/.env"));
    assert_eq!(a.path, [Path::new("/etc/bin"), Path::new("/usr/bin")]);
    assert_eq!(a.session.unwrap().prompt_file.unwrap(), Path::new("/etc/p/a.md"));
}

#[test]
fn remote_control_is_a_label_or_off() {
    let label = |written: &str| {
        let config = good(&format!("[sessions.a]\nagent = 'claude'\n{written}"));
        unit(&config, "a").session.unwrap().remote_control
    };
    assert_eq!(label(""), Some("a".into()));
    assert_eq!(label("remote_control = true"), Some("a".into()));
    assert_eq!(label("remote_control = 'b'"), Some("b".into()));
    assert_eq!(label("remote_control = false"), None);
}

#[test]
fn the_gateway_and_its_service_are_acted_on() {
    let config = good("[services.a]\nbuiltin = 'gateway'\n[gateway]\n");
    assert!(config.not_acted_on.is_empty(), "{:?}", config.not_acted_on);
}

#[test]
fn a_budget_tells_and_counts_a_day_unless_it_says_otherwise() {
    let budget = |written: &str| {
        let config = good(&format!("[sessions.a]\nagent = 'claude'\n{written}"));
        unit(&config, "a").session.unwrap().budget
    };
    let day = Duration::from_secs(24 * 60 * 60);
    assert_eq!(budget(""), None);
    let told = TokenBudget { tokens: 5_000_000, per: day, hold: false };
    assert_eq!(budget("budget = { tokens = 5_000_000 }"), Some(told));
    let held = TokenBudget { tokens: 5, per: day * 7, hold: true };
    assert_eq!(budget("budget = { tokens = 5, per = '7d', act = 'hold' }"), Some(held));
}
