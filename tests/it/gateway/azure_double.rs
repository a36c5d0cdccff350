//! A double of Azure DevOps' REST interface: it answers what it is told to, to whoever has the
//! token, and refuses everything else.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// `Basic` of a user without a name whose password is `pat-secret`.
const AUTHORIZATION: &str = "basic onbhdc1zzwnyzxq=";

type Answers = Arc<Mutex<BTreeMap<String, String>>>;

/// The double, which answers until the test ends.
pub(crate) struct AzureDouble {
    address: SocketAddr,
    answers: Answers,
}

impl AzureDouble {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let answers = Answers::default();
        let given = Arc::clone(&answers);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Whoever hangs up has had enough.
                let _ = answer(&stream, &given);
            }
        });
        Self { address, answers }
    }

    pub(crate) fn service(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers requests for this path with this body from now on.
    pub(crate) fn gives(&self, path: &str, body: impl Into<String>) {
        self.answers.lock().expect("ours").insert(path.to_owned(), body.into());
    }
}

fn answer(stream: &TcpStream, answers: &Answers) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let mut may = false;
    for line in lines {
        let line = line?.to_lowercase();
        may |= line == format!("authorization: {AUTHORIZATION}");
        if line.is_empty() {
            break;
        }
    }
    let target = request.split(' ').nth(1).unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let known = answers.lock().expect("ours").get(path).cloned();
    let (status, body) = match known {
        _ if !may => ("302 Found", String::new()),
        _ if !query.contains("api-version=7.1") => ("400 Bad Request", String::new()),
        Some(body) => ("200 OK", body),
        None => ("404 Not Found", String::new()),
    };
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    (&*stream).write_all(format!("{head}{body}").as_bytes())
}
