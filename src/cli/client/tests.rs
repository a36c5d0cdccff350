use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Answers, Client, Next};
use crate::cli::failure::Failure;
use crate::protocol::{Answer, Verb};

/// A daemon that reads one request, says `says` and hangs up once the caller has.
fn daemon(says: &'static str) -> (tempfile::TempDir, Client, JoinHandle<String>) {
    let dir = tempfile::tempdir().expect("a folder");
    let socket = dir.path().join("control.sock");
    let listener = UnixListener::bind(&socket).expect("a socket");
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a caller");
        let mut request = String::new();
        let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
        reader.read_line(&mut request).expect("a request");
        stream.write_all(says.as_bytes()).expect("the caller listens");
        let ends = says.ends_with('\n') || says.is_empty();
        if !ends {
            drop((stream, reader));
            return request;
        }
        let mut rest = String::new();
        // Ends when the caller hangs up.
        let _ = reader.read_line(&mut rest);
        request
    });
    let client = Client { config: "/etc/x.toml".into(), socket };
    (dir, client, thread)
}

fn message(result: Result<Answer, Failure>) -> String {
    result.expect_err("a failure").to_string()
}

const SHORT: Duration = Duration::from_millis(30);
const LONG: Duration = Duration::from_secs(20);

#[test]
fn a_daemon_that_never_answers_is_left_after_the_time_out() {
    let (_dir, client, thread) = daemon("");
    let said = message(client.ask(Verb::Drain, SHORT, "x"));
    assert!(said.contains("did not answer within 0.03 s"), "{said}");
    assert_eq!(thread.join().expect("it ended"), "{\"v\":1,\"verb\":\"drain\"}\n");
}

#[test]
fn a_daemon_that_does_not_accept_is_left_after_the_time_out() {
    let dir = tempfile::tempdir().expect("a folder");
    let socket = dir.path().join("control.sock");
    let _listener = UnixListener::bind(&socket).expect("a socket");
    let client = Client { config: "c".into(), socket };
    // The queue of callers who were never accepted is filled first.
    let mut waiting: Vec<Answers> = Vec::new();
    let refused = loop {
        match client.send(Verb::Drain, SHORT) {
            Ok(answers) => waiting.push(answers),
            Err(failure) => break failure,
        }
    };
    assert!(refused.to_string().contains("did not answer"), "{refused}");
}

#[test]
fn a_stream_says_that_nothing_came_and_goes_on() {
    let (_dir, client, thread) = daemon("{\"v\":1,\"answer\":\"done\"}\n");
    let mut answers = client.send(Verb::Status { watch: true }, LONG).expect("it is sent");
    assert!(matches!(answers.wait(LONG), Ok(Next::Answer(Answer::Done { .. }))));
    assert!(matches!(answers.wait(SHORT), Ok(Next::Nothing)));
    drop(answers);
    thread.join().expect("it ended");
}

#[test]
fn nonsense_is_called_so_and_cannot_colour_the_terminal() {
    for (says, part) in [
        ("hello\n", "makes no sense"),
        ("{\"v\":1}\n", "makes no sense"),
        ("{\"v\":1,\"answer\":\"\\u001b[31mred\"}\n", "makes no sense"),
        ("{\"v\":1,\"answer\":\"do", "breaks off"),
        ("{\"v\":2,\"answer\":\"better\"}\n", "speaks version 2 of the protocol"),
        ("{\"v\":1,\"answer\":\"failed\",\"why\":\"no \\u001b[2J\"}\n", "no  [2J"),
    ] {
        let (_dir, client, thread) = daemon(says);
        let said = message(client.ask(Verb::Drain, LONG, "x"));
        assert!(said.contains(part), "{says:?}: {said}");
        assert!(!said.contains('\x1b'), "{said:?}");
        thread.join().expect("it ended");
    }
}

#[test]
fn a_stale_socket_is_no_daemon() {
    let dir = tempfile::tempdir().expect("a folder");
    let socket = dir.path().join("control.sock");
    drop(UnixListener::bind(&socket).expect("a socket"));
    let client = Client { config: "/etc/x.toml".into(), socket };
    let failure = client.ask(Verb::Drain, LONG, "x").expect_err("nobody listens");
    assert_eq!(failure.code(), 3);
    assert!(failure.to_string().starts_with("no supervisor is running for /etc/x.toml (tried /"));
}

#[test]
fn a_folder_that_may_not_be_entered_names_its_owner() {
    let said = super::who_may(std::path::Path::new("/proc/self/nothing"));
    assert!(said.starts_with("/proc/self belongs to user "), "{said}");
}
