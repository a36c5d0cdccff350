//! How fast it answers beside a plain receiver in Node: by hand, with the release binary, on an idle
//! machine. The README has the table that it prints.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use super::caller::Ask;
use super::gate::{Gate, build};
use super::whole::installed;

/// How often both are measured, in turn.
const ROUNDS: usize = 5;
/// How long each is asked in a round.
const LASTS: Duration = Duration::from_secs(4);
/// The size of a usual webhook of Azure DevOps, in bytes.
const SIZE: usize = 3 * 1024;
/// How often one webhook is followed to its row.
const WEBHOOKS: u64 = 40;
/// So many letters wait when it is started.
const QUEUED: u64 = 100_000;
/// Whatever is waited for takes milliseconds.
const CEILING: Duration = Duration::from_secs(60);

/// What was seen of a server in one round.
struct Seen {
    per_second: f64,
    median: Duration,
    p99: Duration,
}

#[test]
#[ignore = "numbers, by hand: npm ci --prefix tests/peer && cargo build --release && GATEWAY_BINARY=target/release/supervisor cargo test --test it speed -- --ignored --nocapture --test-threads=1"]
fn how_fast_it_answers_beside_a_receiver_in_node() {
    let gate = Gate::open();
    let peer = Peer::start(&gate.path("peer.db"));
    let next = AtomicU64::new(1);
    println!("| connections | what | gateway | Node | ratio (min-max of {ROUNDS} pairs) |");
    println!("|---|---|---|---|---|");
    for callers in [1, 32] {
        let pairs: Vec<(Seen, Seen)> = (0..ROUNDS)
            .map(|_| (asked(gate.address(), callers, &next), asked(peer.address, callers, &next)))
            .collect();
        row(callers, "requests/s", &pairs, |seen| seen.per_second, 0);
        row(callers, "median, ms", &pairs, |seen| seen.median.as_secs_f64() * 1e3, 2);
        row(callers, "p99, ms", &pairs, |seen| seen.p99.as_secs_f64() * 1e3, 2);
    }
    let (ours, theirs) = (memory(gate.pid()), memory(peer.child.id().cast_signed()));
    println!("| | peak memory, MiB | {ours:.1} | {theirs:.1} | {:.2} |", ours / theirs);
}

#[test]
#[ignore = "numbers, by hand: as above"]
fn how_soon_a_webhook_is_a_row_of_nanoclaw() {
    let (mut gate, disk) = installed("speed");
    gate.start();
    let mut times = Vec::new();
    for id in 1..=WEBHOOKS {
        let began = Instant::now();
        let event = gate.azure(build(id)).text("event");
        while disk.rows_of_ours().len() < usize::try_from(id).expect("few") {
            assert!(began.elapsed() < CEILING, "no row of {event}");
            std::thread::sleep(Duration::from_millis(1));
        }
        times.push(began.elapsed());
        // A group has one row at a time.
        let body = json!({"event": event}).to_string();
        let ack = Ask::post("/ack", &body).with("x-relay-secret", "ryan-secret");
        assert_eq!(gate.ask(&ack).status, 200);
    }
    times.sort_unstable();
    println!(
        "webhook to row: median {:?}, worst {:?}",
        times[times.len() / 2],
        times[times.len() - 1]
    );
}

#[test]
#[ignore = "numbers, by hand: as above"]
fn how_soon_it_is_ready_with_a_long_queue() {
    let mut gate = Gate::open();
    let next = AtomicU64::new(1);
    while next.load(Ordering::Relaxed) <= QUEUED {
        asked(gate.address(), 32, &next);
    }
    let rows = next.load(Ordering::Relaxed) - 1;
    for _ in 0..ROUNDS {
        gate.end("TERM");
        let began = Instant::now();
        gate.start();
        println!("{rows} letters wait: ready after {:?}", began.elapsed());
    }
}

/// One line of the table: the medians of both, and the ratio pair by pair.
fn row(
    callers: usize,
    what: &str,
    pairs: &[(Seen, Seen)],
    of: impl Fn(&Seen) -> f64,
    digits: usize,
) {
    let sorted = |values: Vec<f64>| {
        let mut values = values;
        values.sort_by(f64::total_cmp);
        values
    };
    let ours = sorted(pairs.iter().map(|(ours, _)| of(ours)).collect());
    let theirs = sorted(pairs.iter().map(|(_, theirs)| of(theirs)).collect());
    let ratios = sorted(pairs.iter().map(|(ours, theirs)| of(ours) / of(theirs)).collect());
    let middle = pairs.len() / 2;
    println!(
        "| {callers} | {what} | {:.digits$} | {:.digits$} | {:.2} ({:.2}-{:.2}) |",
        ours[middle],
        theirs[middle],
        ratios[middle],
        ratios[0],
        ratios[pairs.len() - 1],
    );
}

/// Asks it on so many connections at once.
fn asked(address: SocketAddr, callers: usize, next: &AtomicU64) -> Seen {
    let mut times = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..callers).map(|_| scope.spawn(|| calls(address, next))).collect();
        callers.into_iter().flat_map(|caller| caller.join().expect("a caller")).collect::<Vec<_>>()
    });
    times.sort_unstable();
    Seen {
        per_second: times.len() as f64 / LASTS.as_secs_f64(),
        median: times[times.len() / 2],
        p99: times[times.len() * 99 / 100],
    }
}

/// One after the other on one connection; how long each took.
fn calls(address: SocketAddr, next: &AtomicU64) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_nodelay(true).expect("no delay");
    let mut times = Vec::new();
    let began = Instant::now();
    while began.elapsed() < LASTS {
        let mut body = build(next.fetch_add(1, Ordering::Relaxed));
        body.extend(std::iter::repeat_n(' ', SIZE.saturating_sub(body.len())));
        let head = format!(
            "POST /webhook/azure-devops HTTP/1.1\r\nHost: x\r\nx-webhook-secret: azure-secret\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        let asked = Instant::now();
        stream.write_all((head + &body).as_bytes()).expect("a request");
        let mut answer = [0; 1024];
        let length = stream.read(&mut answer).expect("an answer");
        times.push(asked.elapsed());
        assert!(answer[..length].starts_with(b"HTTP/1.1 202"), "no success");
    }
    times
}

/// The most that it ever had, in MiB.
fn memory(pid: i32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its memory");
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kibibytes / 1024.0
}

/// The receiver in Node.
struct Peer {
    child: Child,
    address: SocketAddr,
}

impl Peer {
    fn start(database: &Path) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peer/server.js");
        let mut command = Command::new("node");
        command.arg(script).arg(database).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("node");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().expect("its output"))
            .read_line(&mut line)
            .expect("it");
        let port = line.trim().parse().expect("npm ci --prefix tests/peer was done");
        Self { child, address: (Ipv4Addr::LOCALHOST, port).into() }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
