//! What is in the way of taking over.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use super::super::takeover::{sessions, strangers, tmux_sockets, units, watchdogs};
use super::super::{Agent, Listing, Survey, Whose};
use super::{agent, unit};
use crate::decide::Process;

#[test]
fn a_strangers_agent_holds_the_session_in_whose_directory_it_works() {
    let directories: BTreeMap<_, _> =
        [(unit("builder"), "/srv/orch/builder".into()), (unit("orchestrator"), "/srv/orch".into())]
            .into();
    let there = |directory: &str| Agent { directory: Some(directory.into()), ..agent() };
    let held = |agent: Agent| {
        let survey = Survey { agents: vec![agent], ..Survey::default() };
        strangers(&survey, &directories)
    };
    let ways = held(there("/srv/orch/builder/src"));
    assert_eq!(ways[0].unit, Some(unit("builder")));
    assert_eq!(ways[0].key, "stranger builder 42 7");
    assert!(ways[0].remedy.contains("`kill 42`), and builder takes over"));
    assert_eq!(held(there("/srv/orch"))[0].unit, Some(unit("orchestrator")));
    let nobody = [
        there("/srv"),
        there("/srv/orchid"),
        Agent { interactive: false, ..there("/srv/orch") },
        Agent { contained: true, ..there("/srv/orch") },
        Agent { whose: Whose::Ours(unit("shell")), ..there("/srv/orch") },
        Agent { directory: None, ..agent() },
    ];
    for agent in nobody {
        assert_eq!(held(agent.clone()), [], "{agent:?}");
    }
}

#[test]
fn the_watchdog_of_an_old_script_is_found_by_its_arguments() {
    let found = |words: &[&str]| {
        let arguments = words.iter().map(|word| (*word).to_owned()).collect();
        let process = Process { pid: 9, start: 3 };
        let scripts = vec![Listing { process, arguments }];
        watchdogs(&Survey { scripts, ..Survey::default() }).pop().map(|it| it.to_string())
    };
    let said = found(&["bash", "/srv/plan/launch.sh", "watchdog"]).unwrap();
    assert!(said.contains("pid 9") && said.contains("/srv/plan/launch.sh stop"), "{said}");
    assert_eq!(found(&["bash", "/srv/plan/launch.sh", "status"]), None);
    assert_eq!(found(&["bash", "-c", "echo launch.sh watchdog"]), None);
    assert_eq!(found(&["bash", "watchdog"]), None);
}

#[test]
fn the_sessions_of_the_old_script_are_known_by_their_names() {
    let there = ["cc-ci-builder", "mine", "forge-builder"].map(str::to_owned);
    let ways = sessions("/tmp/tmux-0/default".as_ref(), &there, &["forge-builder".into()].into());
    let names: Vec<&str> = ways.iter().map(|it| it.key.as_str()).collect();
    assert_eq!(
        names,
        ["tmux cc-ci-builder /tmp/tmux-0/default", "tmux forge-builder /tmp/tmux-0/default"]
    );
    assert!(ways[0].remedy.contains("kill-session -t '=cc-ci-builder'"), "{}", ways[0].remedy);
}

#[test]
fn sockets_of_tmux_are_found_and_what_is_none_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("tmux-0");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("file"), "").unwrap();
    let socket = folder.join("default");
    let _listener = UnixListener::bind(&socket).unwrap();
    fs::create_dir(dir.path().join("other")).unwrap();
    assert_eq!(tmux_sockets(dir.path()), [socket]);
    assert_eq!(tmux_sockets(&dir.path().join("none")), Vec::<std::path::PathBuf>::new());
}

#[test]
fn an_enabled_unit_that_does_the_same_is_found_and_others_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let wants = dir.path().join("multi-user.target.wants");
    fs::create_dir(&wants).unwrap();
    let script = dir.path().join("start");
    fs::write(&script, "#!/bin/sh\ncd /srv/orch/builder\nexec /usr/bin/claude --resume x\n")
        .unwrap();
    let script = format!("[Service]\nExecStart=@{} start\n", script.display());
    let units_there = [
        ("cc-ci-loops.service", "[Service]\nExecStart=/bin/true\n", true),
        ("loops.service", "[Service]\nExecStart=/bin/sh /x/launch.sh start\n", true),
        ("wrapped.service", script.as_str(), true),
        (
            "agent.service",
            "[Service]\nWorkingDirectory=/srv/orch\nExecStart=/bin/claude -p x\n",
            true,
        ),
        ("elsewhere.service", "[Service]\nExecStart=/bin/claude\n", false),
        (
            "agent-supervisor.service",
            "[Service]\nWorkingDirectory=/srv/orch\nExecStart=/x/supervisor run\n",
            false,
        ),
        ("disabled.service", "", false),
    ];
    for (name, text, _) in units_there {
        fs::write(dir.path().join(name), text).unwrap();
        if name != "disabled.service" {
            symlink(dir.path().join(name), wants.join(name)).unwrap();
        }
    }
    let folders = [dir.path().to_owned(), dir.path().join("none")];
    let ways = units(&folders, &["claude"], &["/srv/orch".into()]);
    let mut expected: Vec<_> = units_there.iter().filter(|it| it.2).map(|it| it.0).collect();
    expected.sort_unstable();
    let found: Vec<_> = ways.iter().filter_map(|it| it.key.strip_prefix("unit ")).collect();
    assert_eq!(found, expected);
    assert!(ways[0].remedy.contains("systemctl disable --now agent.service"), "{}", ways[0].remedy);
}
