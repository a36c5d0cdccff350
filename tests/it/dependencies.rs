//! What must be there first: another unit that is ready, the docker engine, the network.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::house::House;

#[test]
fn a_unit_starts_when_the_one_before_it_is_ready() {
    let house = House::running(
        "[services.db]\nready = { log = \"ready\", within = \"10m\" }\n\
         command = [\"sh\", \"-c\", \"while [ ! -e go ]; do sleep 0.02; done; echo ready; exec sleep 1000\"]\n\
         [services.api]\ncommand = [\"sleep\", \"1000\"]\nafter = [\"db\"]\n\
         [services.web]\ncommand = [\"sleep\", \"1000\"]\nafter = [\"api\"]\n",
    );
    house.wait_unit("db", "runs", |unit| unit.pid.is_some());
    let api = house.unit("api");
    assert_eq!((&*api.state, api.why.contains("db"), api.pid), ("waiting", true, None));
    assert_eq!(house.unit("web").state, "waiting");
    house.write("go", "");
    house.wait_up(&["db", "api", "web"]);
    let order = |event: &str| {
        house.events().iter().position(|line| line.starts_with(event)).expect("an event")
    };
    assert!(order("db ready") < order("api starting"));
    assert!(order("api started") < order("web starting"));
}

#[test]
fn the_death_of_the_one_before_does_not_touch_those_that_run() {
    let house = House::running(
        "[services.db]\ncommand = [\"sleep\", \"1000\"]\n\
         [services.web]\ncommand = [\"sleep\", \"1000\"]\nafter = [\"db\"]\n",
    );
    house.wait_up(&["db", "web"]);
    let (db, web) = (house.pid_of("db"), house.pid_of("web"));
    house.does(&["stop", "db"]);
    assert_eq!(house.pid_of("web"), web);
    // But what dies now waits.
    crate::house::kill(web, "KILL");
    house.wait_unit("web", "waits", |unit| unit.state == "waiting" && unit.why.contains("db"));
    house.does(&["start", "db"]);
    house.wait_up(&["web"]);
    assert_ne!(house.pid_of("db"), db);
}

/// How the stand-in engine behaves.
const HANGS: u8 = 0;
const FAILS: u8 = 1;
const WORKS: u8 = 2;

/// Answers `/_ping` as told, for as long as the test lives.
fn engine(socket: &Path) -> Arc<AtomicU8> {
    let mood = Arc::new(AtomicU8::new(HANGS));
    let listener = UnixListener::bind(socket).expect("a socket");
    let shared = Arc::clone(&mood);
    std::thread::spawn(move || {
        let mut silent: Vec<UnixStream> = Vec::new();
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            match shared.load(Ordering::SeqCst) {
                HANGS => silent.push(stream),
                mood => {
                    let mut request = [0; 256];
                    let read = stream.read(&mut request).unwrap_or_default();
                    assert!(request[..read].starts_with(b"GET /_ping "));
                    let line = if mood == WORKS { "200 OK" } else { "500 Internal Server Error" };
                    let answer = format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n");
                    // A caller that is gone needs no answer.
                    let _ = stream.write_all(answer.as_bytes());
                }
            }
        }
    });
    mood
}

#[test]
fn a_unit_waits_for_a_docker_engine_that_answers_and_says_what_is_wrong() {
    let mut house =
        House::new("[services.web]\ncommand = [\"sleep\", \"1000\"]\nafter = [\"docker\"]\n");
    let socket = house.path("docker.sock");
    house.set("DOCKER_HOST", &format!("unix://{}", socket.display()));
    house.run();
    let waits = |words: &str| {
        house.wait_unit("web", words, |unit| {
            assert_eq!(unit.pid, None);
            unit.state == "waiting" && unit.why.contains(words)
        });
    };
    waits("there is no socket");
    let mood = engine(&socket);
    waits("no answer over");
    mood.store(FAILS, Ordering::SeqCst);
    waits("status 500");
    mood.store(WORKS, Ordering::SeqCst);
    house.wait_up(&["web"]);
}

#[test]
fn a_docker_host_that_is_no_socket_is_said() {
    let mut house =
        House::new("[services.web]\ncommand = [\"sleep\", \"1000\"]\nafter = [\"docker\"]\n");
    house.set("DOCKER_HOST", "tcp://10.0.0.1:2375");
    house.run();
    house.wait_unit("web", "waits", |unit| {
        unit.state == "waiting" && unit.why.contains("tcp://10.0.0.1:2375")
    });
}

#[test]
fn a_unit_waits_for_a_default_route() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("SKIPPED: a network of our own needs root");
        return;
    }
    let mut house =
        House::new("[services.web]\ncommand = [\"sleep\", \"1000\"]\nafter = [\"network\"]\n");
    house.wrap(&["unshare", "--net", "--"]);
    house.run();
    house.wait_unit("web", "waits", |unit| {
        unit.state == "waiting" && unit.why.contains("there is no default route")
    });
    let inside = |words: &[&str]| {
        let mut command = Command::new("nsenter");
        command.args(["--net", "--target", &house.pid().to_string(), "--", "ip"]).args(words);
        assert!(command.status().expect("nsenter").success(), "{words:?}");
    };
    inside(&["link", "add", "up0", "type", "veth", "peer", "name", "up1"]);
    inside(&["link", "set", "up0", "up"]);
    inside(&["address", "add", "192.0.2.1/24", "dev", "up0"]);
    inside(&["route", "add", "default", "via", "192.0.2.2"]);
    house.wait_up(&["web"]);
}
