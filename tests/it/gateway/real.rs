//! In front of a real NanoClaw 2, whose docker, chat and agent are stand-ins: see
//! tests/nanoclaw/prepare. Its runner is its own.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::{Value, json};

use super::caller::Ask;
use super::gate::{Gate, USUAL, build, filled};
use crate::house::kill;

/// Where it has been prepared.
const PLACE: &str = "SUPERVISOR_TEST_NANOCLAW";

/// NanoClaw itself looks once a minute after what a dead container has left.
const CEILING: Duration = Duration::from_secs(200);

/// So many builds fail while NanoClaw and the gateway are killed.
const BUILDS: u64 = 20;

struct Real {
    directory: PathBuf,
    host: Option<Child>,
    credentials: u16,
}

impl Real {
    /// The installation without what an older test has left.
    fn prepared() -> Self {
        let place = std::env::var_os(PLACE).expect("tests/nanoclaw/prepare says how");
        let directory = PathBuf::from(place);
        for old in ["data", "groups", "containers", "runners"] {
            let _ = std::fs::remove_dir_all(directory.join(old));
        }
        for old in ["own.log", "runner.log", "sent.log"] {
            let _ = std::fs::remove_file(directory.join(old));
        }
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("it");
        Self { directory, host: None, credentials: port.port() }
    }

    fn start(&mut self) {
        // It would wait for minutes after a few kills, and longer each time.
        let _ = std::fs::remove_file(self.directory.join("data/circuit-breaker.json"));
        let log = File::options().create(true).append(true).open(self.directory.join("own.log"));
        let log = log.expect("a log");
        let before = self.said().matches("NanoClaw running").count();
        let path = std::env::var("PATH").expect("a path");
        let path = format!("{}:{path}", self.directory.join("standin").display());
        let mut command = Command::new("node");
        command.arg("dist/index.js").current_dir(&self.directory).env("PATH", path);
        command.env("ONECLI_URL", format!("http://127.0.0.1:{}", self.credentials));
        command.stdout(log.try_clone().expect("a copy")).stderr(log).stdin(Stdio::null());
        self.host = Some(command.spawn().expect("NanoClaw"));
        until("NanoClaw runs", || self.said().matches("NanoClaw running").count() > before);
    }

    fn end(&mut self, signal: &str) {
        let mut host = self.host.take().expect("NanoClaw");
        kill(host.id().cast_signed(), signal);
        host.wait().expect("its end");
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.directory.join("own.log")).unwrap_or_default()
    }

    /// Groups of which each has a chat of its own and takes what comes from anybody.
    fn wire(&self, folders: &[&str]) {
        let main = Connection::open(self.directory.join("data/v2.db")).expect("its database");
        for folder in folders {
            let sql = format!(
                "INSERT INTO agent_groups (id, name, folder, agent_provider, created_at) VALUES \
                 ('ag-{folder}', '{folder}', '{folder}', 'standin', '2026-01-01');
                 INSERT INTO messaging_groups (id, channel_type, platform_id, is_group, \
                 unknown_sender_policy, created_at) VALUES \
                 ('mg-{folder}', 'standin', '{folder}@s', 1, 'public', '2026-01-01');
                 INSERT INTO messaging_group_agents (id, messaging_group_id, agent_group_id, \
                 engage_mode, engage_pattern, sender_scope, ignored_message_policy, created_at) \
                 VALUES ('w-{folder}', 'mg-{folder}', 'ag-{folder}', 'pattern', '.', 'all', \
                 'drop', '2026-01-01');"
            );
            main.execute_batch(&sql).expect("a wiring");
        }
    }

    /// Ends a group's container as a crash of it does.
    fn kill_container(&self, folder: &str) {
        for (name, pid) in self.containers() {
            if name.starts_with(&format!("nanoclaw-v2-{folder}-")) {
                kill(pid, "KILL");
            }
        }
    }

    fn containers(&self) -> Vec<(String, i32)> {
        let entries = std::fs::read_dir(self.directory.join("containers"));
        let pid = |path: &Path| std::fs::read_to_string(path).ok()?.parse().ok();
        let named =
            entries.into_iter().flatten().flatten().filter_map(|entry| {
                Some((entry.file_name().into_string().ok()?, pid(&entry.path())?))
            });
        named.collect()
    }

    /// What a group's agent has heard, in its order.
    fn heard(&self, folder: &str) -> Vec<String> {
        let path = self.directory.join("groups").join(folder).join("heard.log");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter_map(|it| Some(it["text"].as_str()?.to_owned())).collect()
    }

    fn hears(&self, folder: &str, text: &str) -> usize {
        self.heard(folder).iter().map(|it| it.matches(text).count()).sum()
    }

    fn shown(&self, text: &str) -> usize {
        let sent = std::fs::read_to_string(self.directory.join("sent.log")).unwrap_or_default();
        sent.lines().filter(|line| line.contains(text)).count()
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        if let Some(mut host) = self.host.take() {
            let _ = host.kill();
            let _ = host.wait();
        }
        for (_, pid) in self.containers() {
            kill(pid, "KILL");
        }
    }
}

fn until(what: &str, mut is: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < CEILING, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn ack(gate: &Gate, agent: &str, event: &str) {
    let body = json!({"event": event}).to_string();
    let ack = Ask::post("/ack", &body).with("x-relay-secret", format!("{agent}-secret"));
    assert_eq!(gate.ask(&ack).status, 200);
}

fn state(gate: &Gate, event: &str) -> String {
    gate.show(event)["state"].as_str().expect("a state").to_owned()
}

#[test]
#[ignore = "needs a NanoClaw that was prepared: tests/nanoclaw/prepare 2 FOLDER"]
fn a_real_nanoclaw_2_gets_every_letter_through_kills_of_both() {
    let mut real = Real::prepared();
    let own = |agent: &str| format!("{agent}{}", std::process::id());
    let (ryan, cody) = (own("ryan"), own("cody"));
    // Its first start makes the database, another one the groups' configuration.
    real.start();
    real.wire(&[&ryan, &cody]);
    real.end("TERM");
    real.start();

    let mut config = USUAL.to_owned();
    for (agent, folder) in [("ryan", &ryan), ("cody", &cody)] {
        let head = format!("[gateway.groups.{agent}]\n");
        config = config.replace(&head, &format!("{head}folder = \"{folder}\"\n"));
    }
    let directory = real.directory.display();
    config = format!("{config}[gateway.nanoclaw]\ndirectory = \"{directory}\"\n");
    let mut gate = Gate::with(&config);
    std::fs::create_dir_all(real.directory.join("groups").join(&ryan)).expect("a folder");
    std::fs::create_dir_all(real.directory.join("groups").join(&cody)).expect("a folder");
    gate.start();

    // A build that fails is heard, shown in the chat, and done when the agent says so.
    let began = Instant::now();
    let first = gate.azure(build(1)).text("event");
    until("the build is heard", || real.hears(&ryan, &format!("[evt {first}]")) == 1);
    println!("webhook to a cold agent: {:?}", began.elapsed());
    assert!(real.heard(&ryan)[0].contains("feature/test-webhook"));
    until("it is taken", || ["taken", "done"].contains(&state(&gate, &first).as_str()));
    ack(&gate, "ryan", &first);
    assert_eq!(state(&gate, &first), "done");
    until("it is shown", || real.shown(&format!("[evt {first}]")) == 1);

    // One that nobody acknowledges is done when its agent has ended its turn.
    let began = Instant::now();
    let second = gate.azure(build(2)).text("event");
    until("it is heard", || real.hears(&ryan, &format!("[evt {second}]")) == 1);
    println!("webhook to a warm agent: {:?}", began.elapsed());
    until("its agent is done", || state(&gate, &second) == "done");

    // A message with a file.
    let log = filled(1 << 20);
    let ask = Ask::post("/relay?to=cody&kind=handoff", &log).with("Content-Type", "text/plain");
    let answer = gate.ask(&ask.with("X-Relay-Secret", "ryan-secret"));
    let id = answer.text("id");
    until("the file's message is heard", || real.hears(&cody, &format!("[evt {id}]")) == 1);
    let heard = real.heard(&cody).pop().expect("a message");
    let mut words = heard.split_whitespace();
    let path = words.find(|word| word.ends_with("/message-from-ryan.txt")).expect("a path");
    let path = path.strip_prefix("/workspace/agent/").expect("a path in the container");
    let file = real.directory.join("groups").join(&cody).join(path);
    assert!(std::fs::read(file).expect("the file") == log, "the file is another one");

    // Given to a runner that is busy with another one, and the runner dies.
    let say = |gate: &Gate, text: &str| {
        gate.says("cody", &json!({"to": "ryan", "message": text})).text("id")
    };
    let slow = say(&gate, "[[slow]] one");
    until("the slow one is heard", || real.hears(&ryan, &format!("[evt {slow}]")) == 1);
    let behind = say(&gate, "behind it");
    until("the other one is taken", || ["taken", "done"].contains(&state(&gate, &behind).as_str()));
    println!("behind the slow one, before the kill: {}", state(&gate, &behind));
    real.kill_container(&ryan);
    until("the one behind is heard", || real.hears(&ryan, &format!("[evt {behind}")) == 1);
    println!("heard: {:?}", real.heard(&ryan).last());
    until("both are done", || [&slow, &behind].iter().all(|it| state(&gate, it) == "done"));
    println!("the slow one was heard {} times", real.hears(&ryan, &format!("[evt {slow}")));

    // NanoClaw is killed while its agent is at work.
    let slow = say(&gate, "[[slow]] two");
    until("the slow one is heard", || real.hears(&ryan, &format!("[evt {slow}]")) == 1);
    let behind = say(&gate, "behind the second");
    until("the other one is taken", || ["taken", "done"].contains(&state(&gate, &behind).as_str()));
    real.end("KILL");
    real.start();
    until("both are done", || [&slow, &behind].iter().all(|it| state(&gate, it) == "done"));
    for it in [&slow, &behind] {
        println!("over a kill: heard {} times", real.hears(&ryan, &format!("[evt {it}")));
        assert!(real.hears(&ryan, &format!("[evt {it}")) > 0);
    }

    // An agent that fails says so to people, and its letter is not done.
    let fails = say(&gate, "[[error]]");
    until("the error is shown", || real.shown("told to fail") == 1);
    until("it is taken", || state(&gate, &fails) == "taken");
    ack(&gate, "ryan", &fails);

    // Many, and both are killed in between.
    let mut ids = Vec::new();
    for number in 0..BUILDS {
        ids.push(gate.azure(build(100 + number)).text("event"));
        if number % 4 == 1 {
            gate.end("KILL");
            gate.start();
        }
        if number % 7 == 5 {
            real.end("KILL");
            ids.push(gate.azure(build(200 + number)).text("event"));
            real.start();
        }
    }
    for id in &ids {
        until("each is heard", || real.hears(&ryan, &format!("[evt {id}")) > 0);
    }
    until("all are done", || ids.iter().all(|id| state(&gate, id) == "done"));
    let mut times: BTreeMap<(usize, usize), u32> = BTreeMap::new();
    for id in &ids {
        let all = real.hears(&ryan, &format!("[evt {id}"));
        let marked = real.hears(&ryan, &format!("[evt {id}, delivery "));
        *times.entry((all, marked)).or_default() += 1;
    }
    // NanoClaw itself gives what a dead runner had in hand once more, without a mark.
    println!("(heard, of these with a mark of repetition) -> letters: {times:?}");
    real.end("TERM");
}
