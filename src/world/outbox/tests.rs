use std::cell::RefCell as Said;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;

use super::*;
use crate::config::{SecretUrl, UrlSource};
use crate::world::children::OwnChildren;

/// Whatever is waited for takes milliseconds, or a first retry.
const CEILING: Duration = Duration::from_secs(60);

/// A double of a notification server: it answers each request by what the test says of its body.
struct Server {
    url: String,
    asked: mpsc::Receiver<String>,
}

impl Server {
    fn new(answer: impl Fn(usize) -> &'static str + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/s3cret", listener.local_addr().unwrap());
        let (told, asked) = mpsc::channel();
        std::thread::spawn(move || {
            for (n, stream) in listener.incoming().enumerate() {
                let mut stream = stream.unwrap();
                let body = body(&mut stream);
                stream.write_all(answer(n).as_bytes()).unwrap();
                if told.send(body).is_err() {
                    return;
                }
            }
        });
        Self { url, asked }
    }

    fn target(&self) -> Target {
        let url = UrlSource::Written(SecretUrl::parse(&self.url).unwrap());
        Target::Ntfy { url, token_file: None }
    }

    fn all(&self) -> Vec<String> {
        self.asked.try_iter().collect()
    }
}

fn body(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let lower = head.to_lowercase();
            let length = lower.split("content-length: ").nth(1).unwrap();
            let length: usize = length.lines().next().unwrap().parse().unwrap();
            if body.len() >= length {
                return body.to_owned();
            }
        }
        let n = stream.read(&mut buffer).unwrap();
        assert!(n > 0, "half a request: {text}");
        bytes.extend_from_slice(&buffer[..n]);
    }
}

const GOOD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const BROKEN: &str = "HTTP/1.1 500 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const SLOW_DOWN: &str =
    "HTTP/1.1 429 Slow\r\nRetry-After: 3\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const WRONG: &str = "HTTP/1.1 400 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

fn outbox(dir: &Path, targets: &[Target]) -> Rc<Outbox> {
    let hands = Hands { children: Rc::new(OwnChildren::default()), environment: vec![] };
    Outbox::open(dir, &dir.join("run"), targets, hands)
}

fn notice(key: &str) -> Notice {
    let key = key.to_owned();
    Notice { title: key.clone(), text: key.clone(), key, severity: Severity::Info }
}

/// Runs the sender until all is told; what it reported.
async fn run(outbox: &Rc<Outbox>) -> Vec<String> {
    let said = Rc::new(Said::new(Vec::new()));
    let hears = Rc::clone(&said);
    let report = Rc::new(move |report: Report| hears.borrow_mut().push(report.to_string()));
    let sending = Rc::clone(outbox).run(report);
    tokio::select! {
        () = sending => panic!("it ended"),
        told = tokio::time::timeout(CEILING, empty(outbox)) => told.unwrap(),
    }
    said.take()
}

async fn empty(outbox: &Outbox) {
    while !outbox.shelf.waiting().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn in_a_set(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test);
}

#[test]
fn what_a_server_refuses_is_told_again_in_order_until_it_takes_it() {
    in_a_set(async {
        let server = Server::new(|n| if n == 0 { BROKEN } else { GOOD });
        let dir = tempfile::tempdir().unwrap();
        let outbox = outbox(dir.path(), &[server.target()]);
        for key in ["a", "b", "c"] {
            assert!(outbox.post(notice(key)).await.unwrap().unwrap().durable);
        }
        let said = run(&outbox).await;
        assert_eq!(server.all(), ["a", "a", "b", "c"]);
        let host = server.url.split('/').nth(2).unwrap();
        assert_eq!(
            said[0],
            format!("ntfy {host} does not take notices: {host} answers with status 500")
        );
        assert_eq!(said[1..], [format!("ntfy {host} takes notices again")]);
    });
}

#[test]
fn a_server_that_asks_for_patience_is_left_alone_for_as_long() {
    in_a_set(async {
        let server = Server::new(|n| if n == 0 { SLOW_DOWN } else { GOOD });
        let dir = tempfile::tempdir().unwrap();
        let outbox = outbox(dir.path(), &[server.target()]);
        outbox.post(notice("a")).await.unwrap();
        let begun = Instant::now();
        run(&outbox).await;
        assert_eq!(server.all(), ["a", "a"]);
        assert!(begun.elapsed() >= Duration::from_secs(3));
    });
}

#[test]
fn a_target_that_fails_holds_up_no_other() {
    in_a_set(async {
        let (bad, good) = (Server::new(|_| BROKEN), Server::new(|_| GOOD));
        let dir = tempfile::tempdir().unwrap();
        let outbox = outbox(dir.path(), &[bad.target(), good.target()]);
        let posted = outbox.post(notice("a")).await.unwrap().unwrap();
        outbox.post(notice("b")).await.unwrap();
        let report = Rc::new(|_| ());
        let delivery = Rc::clone(&outbox).deliver(&posted, CEILING, report).await;
        assert!(
            matches!(&delivery, Delivery::Waits(why) if why.contains("status 500")),
            "{delivery:?}"
        );
        assert_eq!(good.all(), ["a", "b"]);
        assert_eq!(bad.all(), ["a", "a", "a"]);
    });
}

#[test]
fn a_message_that_a_server_never_takes_does_not_hold_up_the_others() {
    in_a_set(async {
        let server = Server::new(|n| if n < 3 { WRONG } else { GOOD });
        let dir = tempfile::tempdir().unwrap();
        let outbox = outbox(dir.path(), &[server.target()]);
        for key in ["a", "b"] {
            outbox.post(notice(key)).await.unwrap();
        }
        let said = run(&outbox).await;
        assert_eq!(server.all(), ["a", "a", "a", "b"]);
        assert!(
            said.iter().any(|said| said.contains("refuses the notice \"a\" for good")),
            "{said:?}"
        );
    });
}

#[test]
fn many_that_wait_are_told_in_one_message() {
    in_a_set(async {
        let server = Server::new(|_| GOOD);
        let dir = tempfile::tempdir().unwrap();
        let outbox = outbox(dir.path(), &[server.target()]);
        for n in 0..40 {
            outbox.post(notice(&format!("k{n}"))).await.unwrap();
        }
        run(&outbox).await;
        let told = server.all();
        assert_eq!(told.len(), 1);
        assert!((0..40).all(|n| told[0].contains(&format!("k{n}"))), "{told:?}");
    });
}

#[test]
fn a_chat_that_is_down_leaves_it_to_the_others() {
    in_a_set(async {
        let server = Server::new(|_| GOOD);
        let dir = tempfile::tempdir().unwrap();
        let (group, folder) = ("main".to_owned(), "main".to_owned());
        let chat = Target::Nanoclaw { group, directory: None, folder, jid: None };
        let outbox = outbox(dir.path(), &[chat.clone(), server.target()]);
        for key in ["a", "b"] {
            outbox.post(notice(key)).await.unwrap();
        }
        run(&outbox).await;
        assert_eq!(server.all(), ["a", "b"]);
        // Alone, it keeps them.
        let alone = super::tests::outbox(dir.path(), &[chat]);
        let posted = alone.post(notice("c")).await.unwrap().unwrap();
        let delivery = Rc::clone(&alone).deliver(&posted, CEILING, Rc::new(|_| ())).await;
        assert!(matches!(delivery, Delivery::Waits(_)), "{delivery:?}");
        assert_eq!(alone.shelf.waiting().len(), 1);
    });
}

#[test]
fn a_command_gets_the_text_and_the_rest_in_its_environment() {
    in_a_set(async {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("told");
        let script = format!(
            "{{ cat; echo \" $SUPERVISOR_NOTICE_TITLE $SUPERVISOR_NOTICE_SEVERITY $SUPERVISOR_NOTICE_COUNT\"; }} >> {}",
            file.display()
        );
        let words = ["/bin/sh", "-c", &script].map(str::to_owned);
        let outbox = outbox(dir.path(), &[Target::Command(words.into())]);
        outbox.post(notice("a")).await.unwrap();
        run(&outbox).await;
        assert_eq!(std::fs::read_to_string(file).unwrap(), "a a info 1\n");
    });
}

#[test]
fn only_one_of_two_sends_and_the_other_one_leaves_it_to_it() {
    in_a_set(async {
        let server = Server::new(|_| GOOD);
        let dir = tempfile::tempdir().unwrap();
        let daemon = outbox(dir.path(), &[server.target()]);
        let verb = outbox(dir.path(), &[server.target()]);
        let sending = Rc::clone(&daemon).run(Rc::new(|_| ()));
        let told = async {
            daemon.post(notice("a")).await.unwrap();
            empty(&daemon).await;
            let posted = verb.post(notice("b")).await.unwrap().unwrap();
            let delivery = Rc::clone(&verb).deliver(&posted, CEILING, Rc::new(|_| ())).await;
            assert_eq!(delivery, Delivery::LeftToTheSender);
            // The kernel tells the daemon of it.
            empty(&daemon).await;
        };
        tokio::select! {
            () = sending => panic!("it ended"),
            told = tokio::time::timeout(CEILING, told) => told.unwrap(),
        }
        assert_eq!(server.all(), ["a", "b"]);
        assert_eq!(daemon.trouble(), None);
    });
}

#[test]
fn with_nobody_to_tell_nothing_is_kept() {
    in_a_set(async {
        let dir = tempfile::tempdir().unwrap();
        let outbox = outbox(dir.path(), &[]);
        assert_eq!(outbox.post(notice("a")).await.unwrap(), None);
        assert!(!dir.path().join("outbox").exists());
    });
}
