//! Requests byte by byte: bodies that no client would send, and clients that are slow.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::http::Answer;
use super::service::Service;

/// A connection to the service, on which reads give up after a minute.
pub fn connect(service: &Service) -> TcpStream {
    let address = service.root().trim_start_matches("http://").to_owned();
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

/// The head of a request with a body of `length` bytes, on a connection that ends with its answer.
pub fn head(method: &str, path: &str, headers: &[(&str, &str)], length: usize) -> String {
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if length > 0 {
        text.push_str(&format!("content-length: {length}\r\n"));
    }
    text + "\r\n"
}

/// One request with that body; `path` is the whole path.
pub fn send(service: &Service, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut stream = connect(service);
    stream.write_all(head(method, path, headers, body.len()).as_bytes()).unwrap();
    // A service that has answered already need not read the rest.
    let _early = stream.write_all(body);
    answer(&mut stream).expect("an answer")
}

/// The answer that stands on the connection until its end; nothing when it ends without one.
pub fn answer(stream: &mut TcpStream) -> Option<Answer> {
    let mut bytes = Vec::new();
    let mut piece = [0; 8192];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => bytes.extend_from_slice(&piece[..length]),
            Err(error) if bytes.is_empty() => panic!("no answer: {error}"),
            Err(_) => break,
        }
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines.filter_map(|line| line.split_once(": ")).map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    Some(Answer { status, headers, text: body.to_owned() })
}
