//! How fast it answers beside a plain receiver in Node: by hand, with the release binary, on an idle
//! machine that has node and wrk. The README has the table that it prints.

use std::cell::Cell;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use super::caller::Ask;
use super::gate::{Gate, build};
use super::whole::nanoclaw_v1::NanoClaw;
use super::whole::{RYAN, installed};

/// How often both are measured, in turn.
const ROUNDS: usize = 5;
/// How long each is asked in a round, in seconds.
const LASTS: u64 = 4;
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
    let next = Cell::new(1);
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
    let mut nanoclaw = NanoClaw::start(&disk, 10);
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
        // A group has one row at a time: it is read and done with before the next.
        nanoclaw.polls();
        let body = json!({"event": event}).to_string();
        let ack = Ask::post("/ack", &body).with("x-relay-secret", "ryan-secret");
        assert_eq!(gate.ask(&ack).status, 200);
        nanoclaw.container_ends(RYAN, 0, true);
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
    let next = Cell::new(1);
    while next.get() <= QUEUED {
        asked(gate.address(), 32, &next);
    }
    let rows = next.get() - 1;
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
fn asked(address: SocketAddr, connections: usize, next: &Cell<u64>) -> Seen {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peer/webhooks.lua");
    let mut command = Command::new("wrk");
    command.args(["-t1", &format!("-c{connections}"), &format!("-d{LASTS}s"), "-s", script]);
    command.args([format!("http://{address}"), "--".to_owned(), next.get().to_string()]);
    let output = command.output().expect("wrk: the package of that name has it");
    let output = String::from_utf8(output.stdout).expect("UTF-8");
    let line = output.lines().find_map(|line| line.strip_prefix("seen ")).expect("what wrk saw");
    let numbers: Vec<f64> = line.split(' ').map(|word| word.parse().expect("a number")).collect();
    let [requests, failed, seconds, median, p99] = numbers[..] else { panic!("{line}") };
    assert_eq!(failed, 0.0, "no success: {output}");
    // Those that were under way at the end are not counted.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    next.set(next.get() + requests as u64 + 2 * connections as u64);
    let time = |micros: f64| Duration::from_secs_f64(micros / 1e6);
    Seen { per_second: requests / seconds, median: time(median), p99: time(p99) }
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
