//! A double of a notification server, over real HTTP: it notes what it is asked, and answers as the
//! test says. It refuses what is no request.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// How a request is answered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// With this status line and further headers.
    Status(&'static str),
    /// Never.
    Hangs,
    /// By closing the connection.
    Closes,
}

/// 200.
pub(crate) const GOOD: Answer = Answer::Status("200 OK");

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) head: String,
    pub(crate) body: String,
}

/// The server; its thread ends with the tests.
pub(crate) struct Server {
    place: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    answer: Arc<Mutex<Answer>>,
}

impl Server {
    /// One that answers so, until it is told otherwise.
    pub(crate) fn new(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let place = listener.local_addr().expect("its own").to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let answer = Arc::new(Mutex::new(answer));
        let (notes, says) = (Arc::clone(&asked), Arc::clone(&answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (notes, says) = (Arc::clone(&notes), Arc::clone(&says));
                std::thread::spawn(move || serve(stream.expect("a client"), &notes, &says));
            }
        });
        Self { place, asked, answer }
    }

    /// `HOST:PORT`.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// From now on it answers so.
    pub(crate) fn answers(&self, answer: Answer) {
        *self.answer.lock().expect("a mutex") = answer;
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("a mutex").clone()
    }

    /// The bodies of that.
    pub(crate) fn told(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.body).collect()
    }
}

fn serve(mut stream: TcpStream, notes: &Mutex<Vec<Asked>>, says: &Mutex<Answer>) {
    let Some(asked) = read(&mut stream) else { return };
    let answer = *says.lock().expect("a mutex");
    notes.lock().expect("a mutex").push(asked);
    match answer {
        Answer::Status(status) => {
            let head =
                format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            // The client may be gone.
            let _ = stream.write_all(head.as_bytes());
        }
        Answer::Hangs => {
            // Until the client has had enough.
            let _ = stream.read(&mut [0]);
        }
        Answer::Closes => {}
    }
}

/// A whole request; `None` if the client left before its end.
fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8(bytes.clone()).expect("UTF-8");
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            assert!(head.contains(" HTTP/1.1"), "no request: {text}");
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.parse().expect("a length"))
            });
            if body.len() >= length.unwrap_or(0) {
                return Some(Asked { head: head.to_lowercase(), body: body.to_owned() });
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return None,
            Ok(n) => bytes.extend_from_slice(&buffer[..n]),
        }
    }
}
