//! What follows from what was read, by tables; `real` has real processes.

mod real;
mod takeovers;

use super::survey::{Candidate, agents};
use super::table::{Detail, in_container};
use super::*;

const CLAUDE: &str = "claude";

fn unit(name: &str) -> UnitName {
    UnitName::new(name).unwrap()
}

/// A person's, at a terminal, in the orchestrator's directory.
fn agent() -> Agent {
    Agent {
        process: Process { pid: 42, start: 7 },
        program: CLAUDE,
        whose: Whose::Hand,
        user: None,
        directory: Some("/srv/orch".into()),
        names: BTreeSet::new(),
        interactive: true,
        terminal: true,
        contained: false,
    }
}

fn wanted() -> Wanted {
    Wanted {
        program: CLAUDE,
        names: ["the-id", "the-one"].map(str::to_owned).into(),
        directory: "/srv/orch".into(),
        elsewhere: vec!["/srv/orch/work/builder".into(), "/srv".into()],
        unit: Some(unit("orchestrator")),
    }
}

fn named(name: &str) -> BTreeSet<String> {
    [name.to_owned()].into()
}

fn found(agent: Agent) -> Presence {
    let survey = Survey { agents: vec![agent], ..Survey::default() };
    presence(&survey, &wanted())
}

#[test]
fn whoever_could_be_the_orchestrator_is_present_and_named() {
    let here = || Some(PathBuf::from("/srv/orch"));
    let below = || Some(PathBuf::from("/srv/orch/plan"));
    let away = || Some(PathBuf::from("/home/x"));
    let cases = [
        (agent(), "claude (pid 42, started by hand) works in /srv/orch"),
        (Agent { names: named("other"), ..agent() }, "works in /srv/orch"),
        (Agent { directory: below(), ..agent() }, "works in /srv/orch/plan"),
        (
            Agent { names: named("the-id"), directory: away(), ..agent() },
            "has the conversation the-id open",
        ),
        (
            Agent { names: named("the-one"), directory: None, terminal: false, ..agent() },
            "has the conversation the-one open",
        ),
        (
            Agent { directory: None, user: Some("alice".into()), ..agent() },
            "claude (pid 42, started by hand by alice) has a terminal, and may not be asked",
        ),
        (Agent { whose: Whose::Another, directory: here(), ..agent() }, "of another supervisor"),
        (
            Agent { whose: Whose::Ours(unit("orchestrator")), directory: away(), ..agent() },
            "of our orchestrator) runs already",
        ),
    ];
    for (agent, says) in cases {
        let Presence::Present { pid: 42, start: 7, why } = found(agent.clone()) else {
            panic!("not found: {agent:?}");
        };
        assert!(why.contains(says), "{why}");
    }
}

#[test]
fn whoever_is_certainly_another_does_not_count() {
    let at = |directory: &str| Some(PathBuf::from(directory));
    let cases = [
        Agent { interactive: false, names: named("the-id"), ..agent() },
        Agent { contained: true, names: named("the-id"), ..agent() },
        Agent { whose: Whose::Ours(unit("builder")), names: named("the-id"), ..agent() },
        Agent { program: "codex", ..agent() },
        Agent { directory: at("/srv/orchestra"), ..agent() },
        Agent { directory: at("/srv"), ..agent() },
        Agent { directory: at("/srv/orch/work/builder/src"), ..agent() },
        Agent { directory: at("/srv/orch/plan"), names: named("other"), ..agent() },
        Agent { terminal: false, ..agent() },
        Agent { terminal: false, directory: None, ..agent() },
    ];
    for agent in cases {
        assert_eq!(found(agent.clone()), Presence::Absent, "{agent:?}");
    }
}

#[test]
fn what_could_not_be_read_makes_absence_unknown_and_never_presence() {
    let gaps = vec!["one".to_owned(), "two".to_owned()];
    let survey = Survey { gaps: gaps.clone(), ..Survey::default() };
    assert_eq!(presence(&survey, &wanted()), Presence::Unknown("one; two".into()));
    let survey = Survey { agents: vec![agent()], gaps, ..Survey::default() };
    assert!(matches!(presence(&survey, &wanted()), Presence::Present { .. }));
}

#[test]
fn the_surest_evidence_is_told_first() {
    let unreadable = Agent { directory: None, process: Process { pid: 1, start: 1 }, ..agent() };
    let sure = Agent { names: named("the-id"), ..agent() };
    let survey = Survey { agents: vec![unreadable, agent(), sure], ..Survey::default() };
    let Presence::Present { why, .. } = presence(&survey, &wanted()) else { panic!() };
    assert!(why.contains("the-id"), "{why}");
}

/// A candidate without anything particular.
fn candidate(pid: i32, ancestors: &[i32]) -> Candidate {
    Candidate {
        process: Process { pid, start: 1 },
        program: CLAUDE,
        call: Call { interactive: true, names: Vec::new() },
        terminal: true,
        ancestors: ancestors.to_vec(),
        marks: Vec::new(),
        user: None,
        detail: Detail::default(),
    }
}

#[test]
fn a_helper_is_a_part_of_its_agent_unless_it_has_a_conversation_of_its_own() {
    let mut opens = candidate(12, &[11, 10, 1]);
    opens.call.names = vec!["x".into()];
    let found = agents("i", vec![candidate(10, &[1]), candidate(11, &[10, 1]), opens], &[]);
    let pids: Vec<i32> = found.iter().map(|it| it.process.pid).collect();
    assert_eq!(pids, [10, 12]);
}

#[test]
fn a_process_belongs_to_the_unit_whose_mark_it_or_an_ancestor_carries() {
    let mark = |instance: &str, unit: &str| (instance.to_owned(), UnitName::new(unit).ok());
    let cases = [
        (vec![], Whose::Hand),
        (vec![mark("i", "builder")], Whose::Ours(unit("builder"))),
        (vec![mark("other", "x"), mark("i", "builder")], Whose::Ours(unit("builder"))),
        (vec![mark("other", "x")], Whose::Another),
    ];
    for (marks, whose) in cases {
        let found = agents("i", vec![Candidate { marks, ..candidate(5, &[1]) }], &[]);
        assert_eq!(found[0].whose, whose);
    }
}

#[test]
fn a_registry_knows_better_than_arguments_where_a_process_is_by_now() {
    let process = Process { pid: 5, start: 1 };
    let mut old = candidate(5, &[1]);
    old.call.names = vec!["before".into()];
    old.terminal = false;
    let names = vec!["now".to_owned(), "called".to_owned()];
    let entry = |process| Listed { process, names: names.clone(), directory: "/srv/orch".into() };
    let found = agents("i", vec![old.clone()], &[(CLAUDE, entry(process))]);
    assert_eq!(found[0].names, names.iter().cloned().collect());
    assert_eq!(found[0].directory, Some("/srv/orch".into()));
    assert!(found[0].terminal);
    // An entry about somebody else with that pid says nothing.
    let other = entry(Process { pid: 5, start: 2 });
    let found = agents("i", vec![old], &[(CLAUDE, other)]);
    assert_eq!((found[0].names.clone(), found[0].terminal), (named("before"), false));
}

#[test]
fn a_container_is_known_by_its_cgroup() {
    let inside = [
        "0::/system.slice/docker-0a1b.scope",
        "0::/docker/0a1b",
        "12:pids:/docker/0a1b\n0::/\n",
        "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-1.scope",
        "0::/user.slice/user-0.slice/user@0.service/user.slice/libpod-1.scope",
        "0::/machine.slice/systemd-nspawn@x.service/payload",
        "0::/lxc.payload.x/init.scope",
    ];
    for cgroups in inside {
        assert!(in_container(cgroups), "{cgroups}");
    }
    let outside = [
        "",
        "0::/",
        "0::/system.slice/docker.service",
        "0::/system.slice/containerd.service",
        "0::/user.slice/user-1000.slice/session-2.scope",
        "0::/system.slice/agent-supervisor.service/units/builder",
    ];
    for cgroups in outside {
        assert!(!in_container(cgroups), "{cgroups}");
    }
}
