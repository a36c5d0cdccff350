//! What `doctor` says of a gateway: each part of a letter's way, and of each that is amiss what to do.

use std::os::unix::fs::{PermissionsExt, chown};

use rusqlite::Connection;
use serde_json::Value;

use super::gate::Gate;
use super::whole::nanoclaw_v1::Disk;

const CONFIG: &str = r#"
[gateway]
listen = ["127.0.0.1:0"]
relay_listen = ["unix:relay.sock"]
[gateway.nanoclaw]
directory = "nanoclaw"
[gateway.groups.ryan]
socket_dir = "nanoclaw/groups/ryan/gateway"
[gateway.groups.cody]
token_file = "secrets/cody"
[gateway.azure_devops]
secret_files = ["secrets/azure"]
deliver_to = "ryan"
[gateway.relay]
routes = ["ryan->cody", "cody->ryan"]
"#;

/// Owns nothing on any machine.
const NOBODY: u32 = 65534;

/// A gateway that is not started, in front of an installation of NanoClaw with both groups.
fn place() -> (Gate, Disk) {
    let gate = Gate::with(CONFIG);
    // Nobody else gets to the secrets.
    mode(&gate, "", 0o700);
    let disk = Disk::new(&gate.path("nanoclaw"));
    disk.register("1@g.us", "ryan");
    disk.register("2@g.us", "cody");
    (gate, disk)
}

fn mode(gate: &Gate, path: &str, mode: u32) {
    std::fs::set_permissions(gate.path(path), PermissionsExt::from_mode(mode)).expect("ours");
}

/// The lines about the gateway: what, how it stands, what was found, and what to do.
fn lines(gate: &Gate) -> Vec<[String; 4]> {
    let output = gate.verb(&["doctor", "--json"]);
    let checks: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    let word = |check: &Value, key: &str| check[key].as_str().expect("a text").to_owned();
    let all = checks
        .iter()
        .map(|check| ["name", "verdict", "finding", "remedy"].map(|key| word(check, key)));
    all.filter(|[name, ..]| name.starts_with("gateway")).collect()
}

/// The one line of this name that is not well; it must say what to do.
fn amiss(gate: &Gate, name: &str) -> [String; 4] {
    let lines = lines(gate);
    let mut amiss = lines.iter().filter(|it| it[0] == name && it[1] != "ok");
    let (Some(one), None) = (amiss.next(), amiss.next()) else {
        panic!("one thing is amiss with {name}: {lines:#?}");
    };
    assert!(!one[3].is_empty(), "{one:?}");
    one.clone()
}

/// The ledger, as somebody else writes it.
fn ledger(gate: &Gate) -> Connection {
    Connection::open(gate.path("state/gateway.db")).expect("the ledger")
}

fn all_say(line: &[String; 4], words: &[&str]) {
    for word in words {
        assert!(line[2].contains(word) || line[3].contains(word), "{word}: {line:?}");
    }
}

#[test]
fn of_a_gateway_that_is_well_every_line_says_so() {
    let (mut gate, _disk) = place();
    gate.start();
    let lines = lines(&gate);
    assert!(lines.iter().all(|it| it[1] == "ok"), "{lines:#?}");
    let names: Vec<_> = lines.iter().map(|it| it[0].as_str()).collect();
    assert_eq!(
        names,
        [
            "gateway",
            "gateway ledger",
            "gateway letters",
            "gateway secrets",
            "gateway nanoclaw",
            "gateway groups"
        ]
    );
    assert!(lines[0][2].contains("its ledger can be written"), "{lines:#?}");
    assert!(lines[4][2].contains("generation 1") && lines[5][2].contains("cody, ryan"));
}

#[test]
fn one_that_does_not_run_or_is_another_program_is_named_with_its_address() {
    let (gate, _disk) = place();
    let absent = amiss(&gate, "gateway");
    assert_eq!(absent[1], "warn");
    all_say(&absent, &["relay.sock", "does not answer"]);
    let other = std::os::unix::net::UnixListener::bind(gate.path("relay.sock")).expect("a socket");
    let strange = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let (mut stream, _) = other.accept().expect("a caller");
        assert!(stream.read(&mut [0; 1024]).expect("a request") > 0);
        stream.write_all(b"HTTP/1.1 418 Teapot\r\n\r\n").expect("an answer");
    });
    all_say(&amiss(&gate, "gateway"), &["is no gateway (status 418)"]);
    strange.join().expect("its end");
}

#[test]
fn secrets_that_are_missing_empty_or_open_to_all_are_named_and_not_shown() {
    let (gate, _disk) = place();
    let file = gate.path("secrets/azure");
    mode(&gate, "secrets/cody", 0o600);
    // Behind a closed door a mode is of no matter.
    mode(&gate, "secrets/azure", 0o644);
    assert!(lines(&gate).iter().any(|it| it[0] == "gateway secrets" && it[1] == "ok"));
    mode(&gate, "", 0o755);
    let open = amiss(&gate, "gateway secrets");
    assert_eq!(open[1], "warn");
    all_say(&open, &["by everybody", "azure-devops", "chmod 0600"]);
    mode(&gate, "secrets/azure", 0o600);
    std::fs::write(&file, "\n").expect("a file");
    all_say(&amiss(&gate, "gateway secrets"), &["no valid secret"]);
    std::fs::remove_file(&file).expect("a file");
    let missing = amiss(&gate, "gateway secrets");
    assert_eq!(missing[1], "fail");
    all_say(&missing, &["No such file", "mode 0600"]);
    let all = format!("{:?}", lines(&gate));
    assert!(!all.contains("-secret\""), "{all}");
}

#[test]
fn what_another_user_left_in_the_gateways_folder_is_found() {
    let (mut gate, _disk) = place();
    gate.start();
    gate.end("TERM");
    ledger(&gate).pragma_update(None, "user_version", 99).expect("ours");
    all_say(&amiss(&gate, "gateway ledger"), &["version 99"]);
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    chown(gate.path("state"), Some(NOBODY), Some(NOBODY)).expect("root may");
    let lines = lines(&gate);
    let owned = lines.iter().find(|it| it[2].contains("belongs to uid 0")).expect("the owner");
    assert_eq!((owned[0].as_str(), owned[1].as_str()), ("gateway ledger", "fail"));
    assert!(owned[3].contains("chown 65534"), "{owned:?}");
    // Whose folder it is, is who must be able to read the secrets.
    for name in ["cody", "azure"] {
        mode(&gate, &format!("secrets/{name}"), 0o600);
    }
    let unread = lines_of(&gate, "gateway secrets");
    assert!(unread.iter().all(|it| it[2].contains("cannot be read by the gateway's user, 65534")));
    assert_eq!(unread.len(), 2);
}

fn lines_of(gate: &Gate, name: &str) -> Vec<[String; 4]> {
    lines(gate).into_iter().filter(|it| it[0] == name).collect()
}

#[test]
fn nanoclaw_and_groups_that_a_letter_would_not_wake_are_found() {
    let gate = Gate::with(CONFIG);
    all_say(&amiss(&gate, "gateway nanoclaw"), &["there is no NanoClaw"]);
    let disk = Disk::new(&gate.path("nanoclaw"));
    disk.register("1@g.us", "ryan");
    let unknown = amiss(&gate, "gateway group cody");
    assert_eq!(unknown[1], "fail");
    all_say(&unknown, &["no group with the folder \"cody\""]);
    disk.register("2@g.us", "cody");
    let trigger = "UPDATE registered_groups SET requires_trigger = 1 WHERE folder = 'cody'";
    disk.open().execute(trigger, []).expect("a group");
    all_say(&amiss(&gate, "gateway group cody"), &["answers only to its trigger"]);
    gate.configure(&CONFIG.replace("directory = \"nanoclaw\"", ""));
    all_say(&amiss(&gate, "gateway nanoclaw"), &["nobody gets them", "[gateway.nanoclaw]"]);
}

#[test]
fn a_socket_that_its_container_does_not_see_is_found_if_that_can_be_known() {
    let (gate, disk) = place();
    gate.configure(&CONFIG.replace("nanoclaw/groups/ryan/gateway", "sockets/ryan"));
    let hidden = amiss(&gate, "gateway group ryan");
    assert_eq!(hidden[1], "warn");
    all_say(&hidden, &["sockets/ryan", "additionalMounts"]);
    let mount = serde_json::json!({"additionalMounts": [{"hostPath": gate.path("sockets")}]});
    let mounted = "UPDATE registered_groups SET container_config = ?1 WHERE folder = 'ryan'";
    disk.open().execute(mounted, [mount.to_string()]).expect("a group");
    assert_eq!(lines_of(&gate, "gateway group ryan"), Vec::<[String; 4]>::new());
}

#[test]
fn routes_that_lead_nowhere_and_agents_that_cannot_speak_are_found() {
    let (gate, _disk) = place();
    gate.configure(&CONFIG.replace("\"ryan->cody\"", "\"ryan->codi\""));
    let unknown = amiss(&gate, "gateway routes");
    assert_eq!(unknown[1], "fail");
    all_say(&unknown, &["ryan->codi", "write \"cody\""]);
    gate.configure(&CONFIG.replace("token_file = \"secrets/cody\"", ""));
    all_say(&amiss(&gate, "gateway routes"), &["cody may write", "token_file or a socket_dir"]);
}

#[test]
fn a_relay_that_all_the_world_reaches_is_found() {
    let (mut gate, _disk) = place();
    let public = CONFIG.replace("listen = [\"127.0.0.1:0\"]", "listen = [\"0.0.0.0:0\"]");
    gate.configure(&public.replace("relay_listen = [\"unix:relay.sock\"]", ""));
    let open = amiss(&gate, "gateway relay");
    assert_eq!(open[1], "warn");
    all_say(&open, &["0.0.0.0", "relay_listen"]);
    gate.configure(&public);
    assert_eq!(lines_of(&gate, "gateway relay"), Vec::<[String; 4]>::new());
    // One that runs with what was configured before.
    let one = CONFIG.replace("listen = [\"127.0.0.1:0\"]", "listen = [\"unix:hooks.sock\"]");
    gate.configure(&one.replace("relay_listen = [\"unix:relay.sock\"]", ""));
    gate.start();
    gate.configure(&one);
    all_say(&amiss(&gate, "gateway relay"), &["hooks.sock", "supervisor restart gateway"]);
}

#[test]
fn what_waits_for_a_person_is_told_with_the_gateway_up_and_down() {
    let (mut gate, disk) = place();
    gate.start();
    let trigger = "UPDATE registered_groups SET requires_trigger = 1 WHERE folder = 'ryan'";
    disk.open().execute(trigger, []).expect("a group");
    let event = gate.azure(super::gate::build(7)).text("event");
    gate.wait("the letter to be queued", || gate.show(&event)["state"] == "queued");
    let line = &lines_of(&gate, "gateway letters")[0];
    assert_eq!(line[1], "ok", "{line:?}");
    assert!(line[2].contains(&event) && line[2].contains("for ryan"), "{line:?}");
    let told = |gate: &Gate| {
        let lines = lines_of(gate, "gateway letters");
        assert_eq!(lines.len(), 2, "{lines:?}");
        all_say(&lines[0], &["t-1: by a test", "supervisor relay release t-1"]);
        all_say(&lines[1], &["ryan: ", "trigger"]);
    };
    let held =
        "INSERT INTO threads (thread, held, why, counted_from) VALUES ('t-1', 1, 'by a test', 0)";
    ledger(&gate).execute(held, []).expect("a thread");
    gate.wait("the trouble", || {
        let old = "UPDATE troubles SET since = since - 3600000 WHERE addressee = 'ryan'";
        ledger(&gate).execute(old, []).is_ok_and(|changed| changed > 0)
    });
    told(&gate);
    gate.end("TERM");
    told(&gate);
}
