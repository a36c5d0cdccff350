//! One request of HTTP to a listener on this machine, by an address or a unix socket, with an end.
//! Not here: requests that leave the machine (see [`super::http`]).

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::config::Endpoint;

/// The longest answer, in bytes.
const ANSWER_MAX: usize = 1 << 20;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// `GET` or `POST`.
    pub method: &'a str,
    /// The path, with its query.
    pub target: &'a str,
    /// Further headers, without secrets of more than one line.
    pub headers: &'a [(&'a str, &'a str)],
    /// What is sent.
    pub body: &'a [u8],
    /// How long the whole may take.
    pub within: Duration,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body; what is no UTF-8 in it is replaced.
    pub body: String,
}

/// Asks, and waits for the answer. It blocks: not for a loop.
///
/// # Errors
/// Nobody listens, it takes too long, or what is answered is no HTTP.
pub fn ask(endpoint: &Endpoint, ask: &Ask<'_>) -> io::Result<Answer> {
    let deadline = Instant::now() + ask.within;
    match endpoint {
        Endpoint::Tcp(address) => {
            let stream = TcpStream::connect_timeout(&reachable(*address), ask.within)?;
            exchange(stream, ask, deadline, |stream, left| {
                stream.set_read_timeout(Some(left))?;
                stream.set_write_timeout(Some(left))
            })
        }
        Endpoint::Unix(path) => exchange(UnixStream::connect(path)?, ask, deadline, |it, left| {
            it.set_read_timeout(Some(left))?;
            it.set_write_timeout(Some(left))
        }),
    }
}

/// Whoever listens on all addresses is spoken to by the one that every machine has.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    address
}

fn exchange<S: Read + Write>(
    mut stream: S,
    ask: &Ask<'_>,
    deadline: Instant,
    patience: impl Fn(&S, Duration) -> io::Result<()>,
) -> io::Result<Answer> {
    let left = || match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(io::Error::from(io::ErrorKind::TimedOut)),
        left => Ok(left),
    };
    let Ask { method, target, headers, body, .. } = ask;
    let headers: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: gateway\r\n{headers}Content-Length: {length}\r\n\
         Connection: close\r\n\r\n"
    );
    patience(&stream, left()?)?;
    stream.write_all(head.as_bytes())?;
    // Whoever refuses it unread answers all the same.
    let sent = stream.write_all(body);
    let mut said = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        patience(&stream, left()?)?;
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => said.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // A caller that is refused may be cut off behind the answer.
            Err(_) if !said.is_empty() => break,
            Err(error) => return Err(error),
        }
        if said.len() > ANSWER_MAX {
            return Err(io::Error::other("the answer is too long"));
        }
    }
    sent.or_else(|error| if said.is_empty() { Err(error) } else { Ok(()) })?;
    let said = String::from_utf8_lossy(&said);
    let (head, body) = said.split_once("\r\n\r\n").unwrap_or((&said, ""));
    let status = head.split_ascii_whitespace().nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::other("what is answered is no HTTP"))?;
    Ok(Answer { status, body: body.trim().to_owned() })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;

    use super::*;

    const ASK: Ask<'_> = Ask {
        method: "POST",
        target: "/ack",
        headers: &[("X-A", "b")],
        body: b"hello",
        within: Duration::from_secs(20),
    };

    fn serve(mut stream: impl Read + Write, answer: &str) -> String {
        let mut said = Vec::new();
        while !said.ends_with(b"hello") {
            let mut buffer = [0; 64];
            let length = stream.read(&mut buffer).unwrap();
            said.extend_from_slice(&buffer[..length]);
        }
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8(said).unwrap()
    }

    #[test]
    fn an_address_and_a_socket_are_asked_in_the_same_words() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let (tcp, unix) =
            (TcpListener::bind("0.0.0.0:0").unwrap(), UnixListener::bind(&path).unwrap());
        let address = Endpoint::Tcp(tcp.local_addr().unwrap());
        let good = "HTTP/1.1 202 Accepted\r\nX: y\r\n\r\n{}\n";
        let first = std::thread::spawn(move || serve(tcp.accept().unwrap().0, good));
        let second = std::thread::spawn(move || serve(unix.accept().unwrap().0, good));
        for endpoint in [address, Endpoint::Unix(path)] {
            let answer = ask(&endpoint, &ASK).unwrap();
            assert_eq!((answer.status, answer.body.as_str()), (202, "{}"));
        }
        let (first, second) = (first.join().unwrap(), second.join().unwrap());
        assert_eq!(first, second);
        assert!(first.starts_with("POST /ack HTTP/1.1\r\n") && first.contains("\r\nX-A: b\r\n"));
    }

    #[test]
    fn who_says_nothing_in_time_or_no_http_is_an_error() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = Endpoint::Tcp(tcp.local_addr().unwrap());
        let soon = Ask { within: Duration::from_millis(50), ..ASK };
        assert!(ask(&endpoint, &soon).is_err());
        let other = std::thread::spawn(move || {
            drop(tcp.accept());
            serve(tcp.accept().unwrap().0, "hello\r\n")
        });
        let error = ask(&endpoint, &ASK).unwrap_err();
        assert!(error.to_string().contains("no HTTP"), "{error}");
        other.join().unwrap();
    }
}
