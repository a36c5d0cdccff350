use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use super::*;

/// Answers one request with this; what was asked.
fn double(answer: &'static str) -> (SecretUrl, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/s3cret", listener.local_addr().unwrap());
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = Vec::new();
        let mut buffer = [0; 4096];
        while !asked.ends_with(b"\r\n\r\n") && !asked.ends_with(b"over") {
            let n = stream.read(&mut buffer).unwrap();
            asked.extend_from_slice(&buffer[..n]);
        }
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8(asked).unwrap()
    });
    (SecretUrl::parse(&url).unwrap(), served)
}

#[test]
fn a_request_has_its_token_its_headers_and_its_body() {
    let (url, served) = double("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let request = Request {
        url: &url,
        token: Some("tk_1".into()),
        headers: vec![("Title", "hello".into())],
        body: Some(b"over".to_vec()),
    };
    assert!(send(request).unwrap().is_good());
    let asked = served.join().unwrap().to_lowercase();
    assert!(asked.starts_with("post /s3cret http/1.1\r\n"), "{asked}");
    assert!(asked.contains("authorization: bearer tk_1\r\n"), "{asked}");
    assert!(
        asked.contains("title: hello\r\n") && asked.contains("content-length: 4\r\n"),
        "{asked}"
    );
}

#[test]
fn a_status_that_refuses_is_an_answer_and_says_how_long_to_wait() {
    let (url, served) = double("HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n");
    let answer = send(Request { url: &url, token: None, headers: vec![], body: None }).unwrap();
    assert_eq!(answer, Answer { status: 429, retry_after: Some(Duration::from_secs(7)) });
    assert!(served.join().unwrap().starts_with("GET /s3cret "));
}

#[test]
fn a_redirect_is_not_followed() {
    let (url, served) =
        double("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n");
    let answer = send(Request { url: &url, token: None, headers: vec![], body: None }).unwrap();
    assert_eq!(answer.status, 302);
    served.join().unwrap();
}

#[test]
fn an_error_names_the_host_and_never_the_path() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap();
    drop(listener);
    for text in [format!("http://{place}/s3cret"), format!("https://{place}/s3cret")] {
        let url = SecretUrl::parse(&text).unwrap();
        let request =
            Request { url: &url, token: Some("s3cret".into()), headers: vec![], body: None };
        let error = format!("{:?}", send(request).unwrap_err());
        assert!(error.contains(&place.to_string()) && !error.contains("s3cret"), "{error}");
    }
}

#[test]
fn what_is_no_http_is_told_so() {
    let (url, served) = double("SSH-2.0-OpenSSH_9.2\r\n\r\n");
    let error = send(Request { url: &url, token: None, headers: vec![], body: None }).unwrap_err();
    assert!(error.to_string().ends_with("what it answers is no HTTP"), "{error}");
    served.join().unwrap();
}

#[test]
fn patience_is_asked_for_in_seconds_or_until_a_date() {
    let now = clock::parse_rfc3339("2026-11-29T12:00:00Z").unwrap();
    let seconds = |text| patience(text, now).map(|asked| asked.as_secs());
    assert_eq!(seconds("120"), Some(120));
    assert_eq!(seconds("Sun, 29 Nov 2026 12:01:00 GMT"), Some(60));
    assert_eq!(seconds("Sun, 29 Nov 2026 11:00:00 GMT"), Some(0));
    assert_eq!(seconds("99999999"), Some(6 * 60 * 60));
    assert_eq!(seconds("soon"), None);
}

#[test]
fn a_secret_is_the_first_line_of_its_file_and_an_odd_one_is_not_shown() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, " tk_1 \r\nmore\n").unwrap();
    assert_eq!(secret(&file).unwrap(), "tk_1");
    std::fs::write(&file, "\ns3cret").unwrap();
    assert!(secret(&file).is_err());
    std::fs::write(&file, "s3cret\u{1}").unwrap();
    assert!(!format!("{:?}", secret(&file).unwrap_err()).contains("s3cret"));
    std::fs::write(&file, "h/s3cret").unwrap();
    let error = url(&UrlSource::File(file.clone())).unwrap_err().to_string();
    assert_eq!(error, format!("{} is no URL; write \"https://…\"", file.display()));
}
