//! `notify` with the daemon dead: it sends by itself, keeps what it could not send, and shows no
//! secret. And what `doctor` says of requirements and targets.

pub(crate) mod server;

use std::process::Stdio;

use self::server::{Answer, GOOD, Server};
use crate::house::{House, kill};

const TOPIC: &str = "t0pic-s3cret";
const TOKEN: &str = "tk_s3cret";

fn house(server: &Server) -> House {
    let place = server.place();
    let house = House::new(&format!(
        "[notify]\ntargets = [{{ kind = \"ntfy\", url = \"http://{place}/{TOPIC}\", \
         token_file = \"token\" }}]\n"
    ));
    house.write("token", &format!("{TOKEN}\n"));
    house
}

/// The files that wait to be told.
fn waiting(house: &House) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(house.path("state/outbox")) else { return Vec::new() };
    let files = entries.flatten().map(|entry| entry.path());
    let mut files: Vec<_> =
        files.filter(|file| file.extension().is_some_and(|end| end == "json")).collect();
    files.sort();
    files.iter().map(|file| std::fs::read_to_string(file).expect("a notice")).collect()
}

#[test]
fn without_a_daemon_the_verb_tells_by_itself() {
    let server = Server::new(GOOD);
    let house = house(&server);
    let said =
        house.does(&["notify", "--urgent", "--title", "backup", "nothing was saved", "--json"]);
    let said: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(said, serde_json::json!({"ok": true, "told": true}));
    let [asked] = &server.asked()[..] else { panic!("{:?}", server.asked()) };
    assert!(asked.head.starts_with(&format!("post /{TOPIC} http/1.1\r\n")), "{}", asked.head);
    for header in [": backup", "priority: urgent", "tags: rotating_light", TOKEN] {
        assert!(asked.head.contains(header), "{}", asked.head);
    }
    assert_eq!(asked.body, "nothing was saved");
    assert_eq!(waiting(&house).len(), 0);
}

#[test]
fn what_could_not_be_told_is_kept_and_told_first_by_the_next_one() {
    let server = Server::new(Answer::Status("500 No"));
    let house = house(&server);
    let (code, said) = house.refuses(&["notify", "first"]);
    assert_eq!(code, 1);
    let host = server.place();
    let wanted = format!(
        "supervisor: not told yet: ntfy {host}: {host} answers with status 500; it is kept, and told \
         by the next `supervisor run` or `notify`\n"
    );
    assert_eq!(said, wanted);
    assert_eq!(waiting(&house).len(), 1);
    let before = server.told().len();
    server.answers(GOOD);
    house.does(&["notify", "second"]);
    assert_eq!(server.told()[before..], ["first", "second"]);
    assert_eq!(waiting(&house).len(), 0);
}

#[test]
fn a_server_that_closes_the_connection_or_asks_for_patience_gets_it_later() {
    for answer in [Answer::Closes, Answer::Status("429 Slow\r\nRetry-After: 1")] {
        let server = Server::new(answer);
        let house = house(&server);
        let verb = house.command(&["notify", "hello"]).stdin(Stdio::null()).spawn();
        let mut verb = verb.expect("the binary");
        house.wait_for("the first try", || (!server.asked().is_empty()).then_some(()));
        server.answers(GOOD);
        assert!(verb.wait().expect("its end").success(), "{answer:?}");
        assert_eq!(waiting(&house).len(), 0);
    }
}

#[test]
fn a_server_that_hangs_holds_up_no_other_target_and_the_verb_comes_to_an_end() {
    let (hangs, good) = (Server::new(Answer::Hangs), Server::new(GOOD));
    let target = |server: &Server| {
        let place = server.place();
        format!("[[notify.targets]]\nkind = \"webhook\"\nurl = \"http://{place}/{TOPIC}\"\n")
    };
    let house = House::new(&(target(&hangs) + &target(&good)));
    let mut verb = house.command(&["notify", "hello"]);
    let verb = verb.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary");
    house.wait_for("the other target to be told", || (!good.told().is_empty()).then_some(()));
    let output = verb.wait_with_output().expect("its end");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("no answer within 15 s") && !said.contains(TOPIC), "{said}");
    let [waits] = &waiting(&house)[..] else { panic!("{:?}", waiting(&house)) };
    assert!(waits.contains("\"told\":{\"webhook-"), "{waits}");
}

#[test]
fn a_sender_that_is_killed_loses_nothing_keeps_the_order_and_repeats_once_at_most() {
    let server = Server::new(Answer::Hangs);
    let house = house(&server);
    let mut verb = house.command(&["notify", "first"]).stdin(Stdio::null()).spawn().expect("it");
    house.wait_for("a request that hangs", || (!server.asked().is_empty()).then_some(()));
    // One that sends has the right to; another one leaves it to it and is not held up.
    house.does(&["notify", "second"]);
    kill(verb.id().cast_signed(), "KILL");
    verb.wait().expect("its end");
    assert_eq!(waiting(&house).len(), 2);
    server.answers(GOOD);
    house.does(&["notify", "third"]);
    assert_eq!(server.told(), ["first", "first", "second", "third"]);
    assert_eq!(waiting(&house).len(), 0);
}

#[test]
fn equals_that_wait_are_told_once_and_many_in_one_message() {
    let server = Server::new(Answer::Hangs);
    let house = house(&server);
    let mut verb = house.command(&["notify", "first"]).stdin(Stdio::null()).spawn().expect("it");
    house.wait_for("a request that hangs", || (!server.asked().is_empty()).then_some(()));
    for n in 0..3 {
        house.does(&["notify", "--key", "disk", &format!("{n} MiB left")]);
    }
    kill(verb.id().cast_signed(), "KILL");
    verb.wait().expect("its end");
    server.answers(GOOD);
    for _ in 0..2 {
        house.does(&["notify", "last"]);
    }
    let told = server.told();
    assert_eq!(told.len(), 5, "{told:?}");
    assert!(told[2].starts_with("2 MiB left\n(3 times since "), "{told:?}");
}

#[test]
fn no_secret_is_in_any_file_or_word_of_ours() {
    let server = Server::new(Answer::Status("403 No"));
    let house = house(&server);
    let (_, mut said) = house.refuses(&["notify", "hello"]);
    house.write("token", &format!("{TOKEN} {TOKEN}\n"));
    said += &house.refuses(&["notify", "hello"]).1;
    let doctor = house.verb(&["doctor"]);
    said += &String::from_utf8_lossy(&doctor.stdout);
    let mut grep = std::process::Command::new("grep");
    let listed = grep.arg("-rlE").arg("s3cret").arg(house.path("")).output().expect("grep");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let mut files: Vec<_> = listed.lines().filter_map(|line| line.rsplit('/').next()).collect();
    files.sort_unstable();
    assert_eq!(files, ["config.toml", "token"], "{listed}");
    assert!(!said.contains("s3cret"), "{said}");
    assert!(said.contains("no secret: it must be one word of plain characters"), "{said}");
}

#[test]
fn on_a_full_disk_it_is_told_all_the_same() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("SKIPPED: a small disk needs root");
        return;
    }
    let server = Server::new(GOOD);
    let house = house(&server);
    std::fs::create_dir(house.path("state")).expect("a folder");
    let script = "mount -t tmpfs -o size=64k none state && \
                  { head -c 1000000 /dev/zero > state/filler 2>/dev/null; true; } && exec \"$@\"";
    let mut words = vec!["--mount", "--", "sh", "-c", script, "sh"];
    let binary = env!("CARGO_BIN_EXE_supervisor");
    words.extend([binary, "--config", "config.toml", "notify", "the disk is full"]);
    let mut command = std::process::Command::new("unshare");
    command.args(words).current_dir(house.path(""));
    let output = command.output().expect("unshare");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(server.told(), ["the disk is full"]);
}

#[test]
fn with_nobody_to_tell_it_says_what_to_write() {
    let house = House::new("");
    let (code, said) = house.refuses(&["notify", "hello"]);
    assert_eq!(code, 1);
    assert!(said.contains("names no target; add one, [notify] targets = [ … ]"), "{said}");
    assert_eq!(house.refuses(&["notify", " "]).0, 2);
}

#[test]
fn a_program_and_a_webhook_with_a_template_are_told_as_well() {
    let server = Server::new(GOOD);
    let house = House::new(
        "[[notify.targets]]\nkind = \"webhook\"\nurl_file = \"url\"\n\
         template = '{\"text\": \"{title}: {text} ({severity})\"}'\n\
         [[notify.targets]]\nkind = \"command\"\ncommand = [\"./tell\"]\n",
    );
    house.write("url", &format!("http://{}/{TOPIC}\n", server.place()));
    house.program("tell", "cat > told; echo \" $SUPERVISOR_NOTICE_KEY\" >> told");
    house.does(&["notify", "--key", "k", "a \"word\""]);
    let [asked] = &server.asked()[..] else { panic!("{:?}", server.asked()) };
    let json: serde_json::Value = serde_json::from_str(&asked.body).expect("JSON");
    assert_eq!(json["text"], "notice: a \"word\" (info)");
    assert!(asked.head.contains("content-type: application/json"), "{}", asked.head);
    let told = std::fs::read_to_string(house.path("told")).expect("told");
    assert_eq!(told, "a \"word\" notify: k\n");
}

#[test]
fn doctor_looks_at_what_is_required_and_names_what_that_is_for() {
    let house = House::new(
        "[[require]]\nfile = \"config.toml\"\n\
         [[require]]\ntcp = \"127.0.0.1:1\"\ntext = \"the forge is reachable\"\n\
         [[require]]\ncommand = [\"sh\", \"-c\", \"exit 3\"]\n",
    );
    let output = house.verb(&["doctor"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("ok: required file"), "{said}");
    assert!(
        said.contains("fail: required tcp 127.0.0.1:1: 127.0.0.1:1 cannot be connected to"),
        "{said}"
    );
    assert!(said.contains("so that this is true: the forge is reachable"), "{said}");
    assert!(said.contains("fail: required command sh: sh ended with 3"), "{said}");
}
