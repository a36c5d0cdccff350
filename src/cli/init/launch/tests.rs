use super::*;

fn parse(text: &str) -> Launch {
    Launch::parse(Path::new("/srv/plan/launch.sh"), text, Some("/home/x".into()))
}

#[test]
fn a_file_of_variables_says_where_everything_is() {
    let launch = parse(
        "# the loops\n\
         export CC_CI_REPO=https://git.example.org/ci.git  # the forge\n\
         BUILDER_DIR=/srv/ci\nADV_DIR='/srv/ci adv'\nORCH_DIR=\"$HOME/orch\"\n\
         PLAN_DIR=.\nREMOTE_CONTROL=0\nWATCH_ORCHESTRATOR=0\n\
         HANDOFF_INTERVAL=30\nWATCHDOG_INTERVAL=300\nRESUME_PHASE=1\n\
         PHASES=\"1c 2:plan-two.md\"\nBUILDER_SESSION=ci-builder\nORCHESTRATOR_SESSION_ID=7-id\n",
    );
    assert_eq!(launch.url.as_deref(), Some("https://git.example.org/ci.git"));
    assert_eq!(launch.builder, Some("/srv/ci".into()));
    assert_eq!(launch.adversary, Some("/srv/ci adv".into()));
    assert_eq!(launch.orchestrator, Some("/home/x/orch".into()));
    assert_eq!(launch.plan_dir, Some("/srv/plan/.".into()));
    assert_eq!((launch.remote_control, launch.watch_orchestrator), (Some(false), Some(false)));
    assert_eq!(launch.fetch, Some(30));
    let phases = [("1c".to_owned(), None), ("2".to_owned(), Some("plan-two.md".into()))];
    assert_eq!(launch.phases, phases);
    assert_eq!(launch.builder_label.as_deref(), Some("ci-builder"));
    assert_eq!(launch.resume.as_deref(), Some("7-id"));
    assert_eq!(launch.needless, ["RESUME_PHASE", "WATCHDOG_INTERVAL"]);
    assert_eq!(launch.left, Vec::<String>::new());
}

#[test]
fn a_script_is_read_for_its_assignments_and_nothing_of_it_is_run() {
    let launch = parse(
        "#!/usr/bin/env bash\nset -euo pipefail\n\
         HERE=\"$(cd \"$(dirname \"${BASH_SOURCE[0]}\")\" && pwd)\"\n\
         : \"${BUILDER_DIR:=/srv/ci}\"\n\
         ADV_DIR=${ADV_DIR:-/srv/ci-adv}\n\
         PLAN_DIR=\"${PLAN_DIR:-$HERE}\"\n\
         BUILDER_PROMPT=$HERE/prompts/builder.md\n\
         ORCH_DIR=\"$(find / -name orch)\"\n\
         PHASES=(1c \"1b\" 2)\n\
         if [ -n \"$X\" ]; then echo x=y; fi\n",
    );
    assert_eq!(launch.builder, Some("/srv/ci".into()));
    assert_eq!(launch.adversary, Some("/srv/ci-adv".into()));
    assert_eq!(launch.plan_dir, Some("/srv/plan".into()));
    assert_eq!(launch.builder_prompt, Some("/srv/plan/prompts/builder.md".into()));
    assert_eq!(launch.orchestrator, None);
    let names: Vec<&str> = launch.phases.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["1c", "1b", "2"]);
    assert_eq!(launch.left, ["HERE", "ORCH_DIR"]);
}

#[test]
fn no_value_is_ever_shown_and_no_password_taken() {
    let launch = parse("REPO=https://x@me:hunter2@git.example.org/x.git\n");
    assert_eq!(launch.url, None);
    let launch = parse("TOKEN=hunter2\nREPO=https://me:hunter2@git.example.org/x.git\n");
    assert_eq!(launch.url, None);
    let said = launch.report().join("\n");
    assert!(said.contains("TOKEN") && said.contains("REPO"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
    assert!(!format!("{launch:?}").contains("hunter2"), "{launch:?}");
}

/// Fifty lines that each double the one before would not fit into any memory.
#[test]
fn a_value_that_grows_with_each_line_is_none() {
    let lines = (1..50).map(|n| format!("A{n}=$A{0}$A{0}\n", n - 1));
    let launch = parse(&format!("A0=x\n{}BUILDER_DIR=$A49\n", lines.collect::<String>()));
    assert_eq!(launch.builder, None);
}

#[test]
fn hostile_lines_are_passed_over() {
    for text in
        ["=", "${", ": \"${X:=", "A=${B:-${C:-", "A=$", "A='", "A=\"", "A=(", "é=1", "A=${}"]
    {
        let launch = parse(text);
        assert_eq!(launch.taken, Vec::<String>::new(), "{text}");
    }
}
