//! Listeners, slow callers, large bodies, ends and upgrades.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::caller::{Ask, answer};
use super::gate::{Gate, USUAL, build, is_there};
use crate::house::kill;

#[test]
fn a_body_that_says_it_is_too_large_is_refused_unread() {
    let gate = Gate::open();
    for (path, header, length) in [
        ("/webhook/azure-devops", "x-webhook-secret: azure-secret", (2_u64 << 20) + 1),
        ("/relay", "x-relay-secret: ryan-secret", (4 << 20) + 1),
        ("/ack", "x-relay-secret: ryan-secret", 1 << 40),
    ] {
        let mut stream = TcpStream::connect(gate.address()).expect("a connection");
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\n{header}\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).expect("a head");
        let answer = answer(&mut stream).expect("an answer");
        assert_eq!(answer.status, 413, "{path}: {answer:?}");
    }
}

#[test]
fn chunks_without_end_are_cut_off() {
    let gate = Gate::open();
    let mut stream = TcpStream::connect(gate.address()).expect("a connection");
    let head = "POST /webhook/azure-devops HTTP/1.1\r\nHost: x\r\nx-webhook-secret: azure-secret\r\n\
                Transfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).expect("a head");
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
    let mut reading = stream.try_clone().expect("a copy");
    let sender = std::thread::spawn(move || while stream.write_all(&chunk).is_ok() {});
    let answer = answer(&mut reading).expect("an answer");
    assert_eq!(answer.status, 413, "{answer:?}");
    drop(reading);
    sender.join().expect("it is cut off");
}

#[test]
fn who_says_nothing_or_little_keeps_nobody_out() {
    let gate = Gate::open();
    let mut slow = Vec::new();
    for n in 0..1200 {
        let mut stream = TcpStream::connect(gate.address()).expect("a connection");
        if n % 2 == 0 {
            stream.write_all(b"POST /webhook/azure-devops HTTP/1.1\r\nHo").expect("a beginning");
        }
        slow.push(stream);
    }
    assert_eq!(gate.azure(build(1)).status, 202);
    // The first of them had to make room.
    slow[0].set_read_timeout(Some(Duration::from_secs(60))).expect("a time-out");
    assert!(matches!(slow[0].read(&mut [0]), Ok(0) | Err(_)));
}

/// Bytes of memory that a process has.
fn memory(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

#[test]
fn ten_thousand_idle_connections_or_as_many_as_the_limit_allows_cost_little_and_keep_nobody_out() {
    // The limit is that of all tests in this process; theirs are few.
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit");
    setrlimit(Resource::RLIMIT_NOFILE, most, most).expect("a higher limit");
    let count = usize::try_from(most.saturating_sub(1000)).unwrap_or(usize::MAX).min(10_000);
    let gate = Gate::open();
    gate.azure(build(1));
    let before = memory(gate.pid());
    let idle: Vec<TcpStream> = (0..count)
        .map(|n| TcpStream::connect(gate.address()).unwrap_or_else(|e| panic!("the {n}th: {e}")))
        .collect();
    let asked = Instant::now();
    assert_eq!(gate.azure(build(2)).status, 202);
    let (answered, grown) = (asked.elapsed(), memory(gate.pid()).saturating_sub(before));
    println!("{} idle: a webhook took {answered:?}, {} KiB more", idle.len(), grown >> 10);
    assert!(answered < Duration::from_secs(5), "{answered:?}");
    assert!(grown < 64 << 20, "{grown} bytes");
}

#[test]
fn bodies_that_stop_halfway_are_answered_and_others_are_served_meanwhile() {
    let gate = Gate::open();
    let mut half = TcpStream::connect(gate.address()).expect("a connection");
    let head = "POST /webhook/azure-devops HTTP/1.1\r\nHost: x\r\nx-webhook-secret: azure-secret\r\n\
                Content-Length: 100\r\n\r\n{\"event";
    half.write_all(head.as_bytes()).expect("a beginning");
    assert_eq!(gate.azure(build(1)).status, 202);
    let answer = answer(&mut half).expect("an answer");
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(gate.events().len(), 1);
}

#[test]
fn each_listener_answers_for_its_side() {
    let mut gate = Gate::with(&USUAL.replace(
        "listen = [\"127.0.0.1:0\"]",
        "listen = [\"127.0.0.1:0\"]\nrelay_listen = [\"127.0.0.1:0\", \"unix:relay.sock\"]",
    ));
    gate.start();
    let [hooks, relay] = gate.addresses()[..] else { panic!("{}", gate.said()) };
    let body = r#"{"from":"ryan","to":"cody","message":"x"}"#;
    let message = Ask::post("/relay", body).with("x-relay-secret", "ryan-secret");
    let hook = build(1);
    let hook = Ask::post("/webhook/azure-devops", &hook).with("x-webhook-secret", "azure-secret");
    assert_eq!((message.to(hooks).status, message.to(relay).status), (404, 200));
    assert_eq!((hook.to(hooks).status, hook.to(relay).status), (202, 404));
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(Ask::get(path).to(hooks).status, 404, "{path}");
        assert_eq!(Ask::get(path).to(relay).status, 200, "{path}");
        assert_eq!(Ask::get(path).through(&gate.path("relay.sock")).status, 200, "{path}");
    }
    let metrics = Ask::get("/metrics").to(relay).body;
    let counted = r#"supervisor_gateway_requests_total{path="azure-devops",status="202"} 1"#;
    assert!(metrics.contains(counted), "{metrics}");
}

#[test]
fn an_address_that_is_not_there_yet_is_waited_for_and_told_once() {
    let mut gate =
        Gate::with(&USUAL.replace("\"127.0.0.1:0\"", "\"127.0.0.1:0\", \"192.0.2.1:9876\""));
    gate.start();
    assert_eq!(gate.azure(build(1)).status, 202);
    assert!(gate.said().contains("192.0.2.1:9876 (not there yet)"), "{}", gate.said());
    assert_eq!(gate.said().matches("does not have the address yet").count(), 1);
    assert_eq!(gate.end("TERM"), Some(0));
}

#[test]
fn an_end_is_clean_and_takes_the_sockets_along() {
    let mut gate = Gate::open();
    assert!(is_there(&gate.socket("ryan")));
    assert_eq!(gate.end("TERM"), Some(0));
    assert!(!is_there(&gate.socket("ryan")));
    // One that is killed leaves it, and the next one takes it.
    gate.start();
    gate.end("KILL");
    assert!(is_there(&gate.socket("ryan")));
    gate.start();
    assert_eq!(Ask::get("/healthz").through(&gate.socket("ryan")).status, 200);
}

#[test]
fn an_upgrade_in_place_keeps_the_address_and_refuses_nobody() {
    let gate = Gate::open();
    let (address, pid) = (gate.address(), gate.pid());
    for round in 1..4 {
        kill(pid, "HUP");
        let mut asked = 0;
        gate.wait("the next image to be ready", || {
            asked += 1;
            let hook = build(round * 10_000 + asked);
            let hook = Ask::post("/webhook/azure-devops", &hook);
            let answer = hook.with("x-webhook-secret", "azure-secret").to(address);
            assert_eq!(answer.status, 202, "{answer:?}");
            gate.said().matches("the gateway is ready").count() as u64 == round + 1
        });
    }
    assert_eq!(gate.pid(), pid);
    // With a configuration that is wrong it goes on as it is.
    gate.configure("[gateway]\nlisten = 5\n");
    kill(pid, "HUP");
    gate.wait("the complaint", || gate.said().contains("not reloaded"));
    assert_eq!(Ask::get("/healthz").to(address).status, 200);
}

#[test]
fn nothing_of_a_secret_is_said_or_printed() {
    let gate = Gate::open();
    gate.azure(build(1));
    gate.ask(&Ask::post("/relay", "{}").with("x-relay-secret", "a-wrong-secret"));
    let said = gate.said() + &gate.does(&["gateway", "list"]);
    assert!(!said.contains("-secret\n") && !said.contains("a-wrong-secret"), "{said}");
    let line = std::fs::read(format!("/proc/{}/cmdline", gate.pid())).expect("its command line");
    assert!(!String::from_utf8_lossy(&line).contains("-secret"));
}
