//! Real processes: scripts in terminals of their own, by `script`, under a name that nobody else has.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::super::survey::{Program, Scope, Survey};
use super::super::{Agent, Call, Listed, Presence, Wanted, Whose, presence};
use super::unit;
use crate::decide::Process;
use crate::world::procs::{self, INSTANCE_VARIABLE, UNIT_VARIABLE};

/// How long a condition may take on a busy machine.
const CEILING: Duration = Duration::from_secs(20);

/// Where the copy of this test that looks as another user finds the name to look for.
const LOOK_FOR: &str = "PRESENCE_TEST_LOOK_FOR";

/// A folder with a program in it that waits for its input to end.
struct House {
    dir: tempfile::TempDir,
    name: String,
    children: Vec<Child>,
}

impl House {
    fn new() -> Self {
        // Where other users may go, too.
        let dir = tempfile::tempdir_in("/tmp").unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let name = dir.path().file_name().unwrap().to_str().unwrap().replace('.', "agent");
        let program = dir.path().join(&name);
        fs::write(&program, "#!/bin/sh\nread -r line\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Self { dir, name, children: Vec::new() }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap()
    }

    fn program(&self) -> String {
        self.path().join(&self.name).to_str().unwrap().to_owned()
    }

    fn run(&mut self, command: &mut Command) -> i32 {
        command.env_remove(INSTANCE_VARIABLE).env_remove(UNIT_VARIABLE);
        self.run_marked(command)
    }

    fn run_marked(&mut self, command: &mut Command) -> i32 {
        let quiet = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = quiet.current_dir(self.path()).spawn().unwrap();
        let pid = child.id().cast_signed();
        self.children.push(child);
        pid
    }

    /// In a terminal.
    fn at_a_terminal(&mut self, arguments: &str) -> i32 {
        let line = format!("exec {} {arguments}", self.program());
        self.run(Command::new("script").args(["-qec", &line, "/dev/null"]))
    }

    fn scope(&self) -> Scope {
        scope(&self.name, Vec::new())
    }

    fn wanted(&self) -> Wanted {
        Wanted {
            program: "agent",
            names: ["the-one".to_owned()].into(),
            directory: self.path(),
            elsewhere: Vec::new(),
            unit: None,
        }
    }

    /// Looks until there is one of them, and gives it.
    fn found(&self) -> Agent {
        let begin = Instant::now();
        loop {
            let survey = Survey::now(&self.scope());
            if let Some(agent) = survey.agents.into_iter().next() {
                return agent;
            }
            assert!(begin.elapsed() < CEILING, "nobody is found");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn presence(&self) -> Presence {
        presence(&Survey::now(&self.scope()), &self.wanted())
    }
}

impl Drop for House {
    fn drop(&mut self) {
        for child in &mut self.children {
            // The end of the input ends the program, whoever its user is.
            drop(child.stdin.take());
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn scope(name: &str, registries: Vec<PathBuf>) -> Scope {
    let name = name.to_owned();
    let called = move |caller: &super::super::Caller<'_>| {
        let script = String::from_utf8_lossy(caller.arguments.get(1)?).into_owned();
        let words = || caller.arguments.iter().skip(2);
        let word = |word: &&[u8]| String::from_utf8_lossy(word).into_owned();
        (Path::new(&script).file_name()?.to_str()? == name).then(|| Call {
            interactive: !words().any(|word| *word == b"-p"),
            names: words().map(word).filter(|word| !word.starts_with('-')).collect(),
        })
    };
    let listed = |file: &[u8]| {
        let text = std::str::from_utf8(file).ok()?;
        let mut words = text.split(' ');
        let mut number = || words.next()?.parse::<i64>().ok();
        let process =
            Process { pid: number()?.try_into().ok()?, start: number()?.try_into().ok()? };
        let names = vec![words.next()?.to_owned()];
        Some(Listed { process, names, directory: words.next()?.into() })
    };
    let program =
        Program { name: "agent", called: Box::new(called), registries, listed: Box::new(listed) };
    Scope { instance: "ours".into(), programs: vec![program], gaps: Vec::new() }
}

fn why(presence: &Presence) -> &str {
    let Presence::Present { why, .. } = presence else { panic!("{presence:?}") };
    why
}

#[test]
fn a_program_that_a_person_started_here_is_present_and_gone_when_it_is_gone() {
    let mut house = House::new();
    assert_eq!(house.presence(), Presence::Absent);
    house.at_a_terminal("");
    let agent = house.found();
    assert_eq!((agent.whose.clone(), agent.terminal), (Whose::Hand, true));
    assert_eq!(agent.directory, Some(house.path()));
    assert!(why(&house.presence()).contains("works in"), "{:?}", house.presence());
    let begin = Instant::now();
    house.children.iter_mut().for_each(|child| child.kill().unwrap());
    while house.presence() != Presence::Absent {
        assert!(begin.elapsed() < CEILING, "it is still seen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn without_a_terminal_only_the_conversation_counts() {
    let mut house = House::new();
    let program = house.program();
    house.run(&mut Command::new(&program));
    assert!(!house.found().terminal);
    assert_eq!(house.presence(), Presence::Absent);
    let mut house = House::new();
    let program = house.program();
    house.run(Command::new(&program).args(["--resume", "the-one"]));
    house.found();
    assert!(why(&house.presence()).contains("the conversation the-one"));
}

#[test]
fn a_call_in_print_mode_never_counts() {
    let mut house = House::new();
    house.at_a_terminal("-p --resume the-one");
    assert!(!house.found().interactive);
    assert_eq!(house.presence(), Presence::Absent);
}

#[test]
fn what_a_unit_of_ours_has_started_is_ours_though_it_lost_its_marks() {
    let mut house = House::new();
    let line = format!("env -i /bin/sh {} the-one; :", house.program());
    let mut command = Command::new("sh");
    command.args(["-c", &line]).env(INSTANCE_VARIABLE, "ours").env(UNIT_VARIABLE, "shell");
    house.run_marked(&mut command);
    assert_eq!(house.found().whose, Whose::Ours(unit("shell")));
    assert_eq!(house.presence(), Presence::Absent);
    let own = Wanted { unit: Some(unit("shell")), ..house.wanted() };
    let present = presence(&Survey::now(&house.scope()), &own);
    assert!(why(&present).contains("of our shell"), "{present:?}");
}

#[test]
fn the_registry_says_which_conversation_a_process_has_by_now() {
    let mut house = House::new();
    let registry = tempfile::tempdir().unwrap();
    let program = house.program();
    let pid = house.run(Command::new("env").args(["-C", "/", &program]));
    house.found();
    let start = procs::start_time(pid).unwrap();
    let file = registry.path().join("1.json");
    let look = |text: String| {
        fs::write(&file, text).unwrap();
        let survey = Survey::now(&scope("nothing", vec![registry.path().to_owned()]));
        presence(&survey, &house.wanted())
    };
    // It is found although its name is not known.
    let present = look(format!("{pid} {start} the-one /elsewhere"));
    assert!(why(&present).contains("the-one"), "{present:?}");
    assert_eq!(look(format!("{pid} {} the-one /elsewhere", start + 1)), Presence::Absent);
    assert_eq!(look(format!("{pid} {start} other /elsewhere")), Presence::Absent);
    let unread = Survey::now(&scope("nothing", vec![file]));
    assert!(matches!(presence(&unread, &house.wanted()), Presence::Unknown(_)), "{unread:?}");
}

#[test]
fn a_program_in_a_container_is_not_here() {
    let mut house = House::new();
    let program = house.program();
    let mut command = Command::new("unshare");
    command.args(["--fork", "--pid", "--mount-proc"]);
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    let works = command.arg("true").output().is_ok_and(|it| it.status.success());
    if !works {
        eprintln!("SKIPPED: a process in a namespace of pids: `unshare` may not make one here");
        return;
    }
    let mut command = Command::new("unshare");
    command.args(["--fork", "--pid", "--mount-proc"]);
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    house.run(command.args([&program, "--resume", "the-one"]));
    assert!(house.found().contained);
    assert_eq!(house.presence(), Presence::Absent);
}

#[test]
fn another_users_agent_at_a_terminal_whose_folder_cannot_be_read_is_present_and_named() {
    if let Ok(name) = std::env::var(LOOK_FOR) {
        return look_as_another_user(&name);
    }
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: another user's agent: only root can be two users");
        return;
    }
    let mut house = House::new();
    house.at_a_terminal("");
    house.found();
    // We are root and may read everything; nobody may not.
    let mut looks = Command::new("setpriv");
    looks.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    let own = std::env::current_exe().unwrap();
    let reaches = looks.arg("test").arg("-x").arg(&own).status();
    if !reaches.is_ok_and(|it| it.success()) {
        eprintln!("SKIPPED: another user's agent: nobody may not run {}", own.display());
        return;
    }
    let mut looks = Command::new("setpriv");
    looks.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&own);
    let module = module_path!().split_once("::").unwrap().1;
    let test = "another_users_agent_at_a_terminal_whose_folder_cannot_be_read_is_present_and_named";
    looks.args(["--exact", &format!("{module}::{test}"), "--nocapture"]);
    let output = looks.env(LOOK_FOR, &house.name).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{output:?}");
}

fn look_as_another_user(name: &str) {
    let survey = Survey::now(&scope(name, Vec::new()));
    let [agent] = survey.agents.as_slice() else { panic!("{survey:?}") };
    assert_eq!((agent.directory.clone(), agent.user.as_deref()), (None, Some("root")));
    let wanted = Wanted {
        program: "agent",
        names: std::collections::BTreeSet::new(),
        directory: "/nowhere".into(),
        elsewhere: Vec::new(),
        unit: None,
    };
    let present = presence(&survey, &wanted);
    assert!(why(&present).contains("by root) has a terminal"), "{present:?}");
}

#[test]
fn a_proc_that_does_not_say_everything_makes_absence_unknown() {
    let dir = tempfile::tempdir().unwrap();
    let gap = |proc: &Path| Survey::of(proc, &scope("nothing", Vec::new())).gaps.join("; ");
    assert!(gap(&dir.path().join("none")).contains("cannot be listed"));
    // Nobody sees others where not even the first process is seen.
    assert!(gap(dir.path()).contains("hidepid"));
    fs::create_dir(dir.path().join("1")).unwrap();
    fs::write(dir.path().join("1/stat"), "1 (init) S").unwrap();
    assert!(gap(dir.path()).contains("process 1 cannot be read"), "{}", gap(dir.path()));
    let stat = format!("1 (init) S{}", " 0".repeat(60));
    fs::write(dir.path().join("1/stat"), stat).unwrap();
    fs::write(dir.path().join("1/cmdline"), "init").unwrap();
    assert_eq!(gap(dir.path()), "");
    let early = Scope { gaps: vec!["early".into()], ..scope("nothing", Vec::new()) };
    assert_eq!(Survey::of(dir.path(), &early).gaps, ["early"]);
}

#[tokio::test]
async fn a_look_beside_the_loop_finds_the_same() {
    let mut house = House::new();
    house.at_a_terminal("--resume the-one");
    let found = house.found();
    let name = house.name.clone();
    let survey = Survey::take(move || scope(&name, Vec::new())).await;
    assert_eq!(survey.agents, [found]);
}

/// What `/proc` has to say is looked through in milliseconds; this prints how many.
#[test]
fn a_look_sees_itself_and_leaves_no_gap() {
    let begin = Instant::now();
    let survey = Survey::now(&scope("nothing", Vec::new()));
    eprintln!("{} processes: {:?}", procs::all().len(), begin.elapsed());
    assert_eq!(survey.gaps, Vec::<String>::new());
}
