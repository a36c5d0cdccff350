//! How fast it answers, for the table in the README: by hand, with the release binary.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::gate::{Gate, build};

/// How long each number is measured.
const LASTS: Duration = Duration::from_secs(6);
/// The size of a usual webhook of Azure DevOps, in bytes.
const SIZE: usize = 3 * 1024;

#[test]
#[ignore = "numbers, by hand: GATEWAY_BINARY=target/release/supervisor cargo test --test it speed -- --ignored --nocapture"]
fn how_fast_it_answers() {
    let gate = Gate::open();
    let next = AtomicU64::new(1);
    for callers in [1, 32] {
        let mut times = std::thread::scope(|scope| {
            let callers: Vec<_> =
                (0..callers).map(|_| scope.spawn(|| calls(gate.address(), &next))).collect();
            callers
                .into_iter()
                .flat_map(|caller| caller.join().expect("a caller"))
                .collect::<Vec<_>>()
        });
        times.sort_unstable();
        let status = std::fs::read_to_string(format!("/proc/{}/status", gate.pid())).expect("it");
        let memory = status.lines().find(|line| line.starts_with("VmRSS")).expect("its memory");
        println!(
            "{callers} callers: {:.0}/s, median {:?}, p99 {:?}; {memory}",
            times.len() as f64 / LASTS.as_secs_f64(),
            times[times.len() / 2],
            times[times.len() * 99 / 100],
        );
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
