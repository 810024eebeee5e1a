//! Requests by hand.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use eksile_pki::KeyPair;
use rustls::pki_types::ServerName;

use crate::plane::Plane;

/// Bytes that are no TLS: the server must hang up or ignore them, nothing else.
pub(crate) fn garbage(plane: &Plane, bytes: &[u8]) {
    let mut stream = TcpStream::connect(plane.ready.listeners[0]).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // The server may have hung up before all is written.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
}

/// Status and body of one request over HTTP/1.1.
pub(crate) fn send(
    plane: &Plane,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: &[u8],
    certificate: Option<&KeyPair>,
) -> (u16, String) {
    exchange(plane, method, path, token, ("application/json", body), certificate)
}

/// A patch of this media type, by the admin.
pub(crate) fn patch(plane: &Plane, path: &str, media: &str, body: &[u8]) -> (u16, String) {
    exchange(plane, "PATCH", path, Some("admin-token"), (media, body), None)
}

fn exchange(
    plane: &Plane,
    method: &str,
    path: &str,
    token: Option<&str>,
    (media, body): (&str, &[u8]),
    certificate: Option<&KeyPair>,
) -> (u16, String) {
    let config = eksile_pki::client_config(&plane.ca(), certificate).unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let stream = TcpStream::connect(plane.ready.listeners[0]).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    let mut stream = rustls::StreamOwned::new(connection, stream);
    let token = token.map(|t| format!("Authorization: Bearer {t}\r\n")).unwrap_or_default();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {media}\r\n{token}Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // A body that is too large is refused before it is read.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer).into_owned();
    let code = text.split(' ').nth(1).and_then(|c| c.parse().ok()).unwrap_or(0);
    let body = text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    (code, body)
}

/// A connection that stays, with a client certificate.
pub(crate) struct Kept(Tls);

impl Kept {
    /// Connects.
    pub(crate) fn new(plane: &Plane, certificate: &KeyPair) -> Self {
        let stream = connect(plane, Some(certificate));
        stream.sock.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        Self(stream)
    }

    /// The status of one more request.
    pub(crate) fn get(&mut self, path: &str) -> u16 {
        self.0.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            self.0.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        self.0.read_exact(&mut body).unwrap();
        head.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

type Tls = rustls::StreamOwned<rustls::ClientConnection, TcpStream>;

fn connect(plane: &Plane, certificate: Option<&KeyPair>) -> Tls {
    let config = eksile_pki::client_config(&plane.ca(), certificate).unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let stream = TcpStream::connect(plane.ready.listeners[0]).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    rustls::StreamOwned::new(connection, stream)
}

/// A body at a byte at a time, until it is told to end or the server has had enough.
pub(crate) fn drip(plane: &Plane, path: &str, done: &AtomicBool) -> (u16, String) {
    let mut stream = connect(plane, None);
    let head =
        "Host: x\r\nAuthorization: Bearer admin-token\r\nContent-Type: application/json\r\nContent-Length: 1000000";
    let begun = stream.write_all(format!("POST {path} HTTP/1.1\r\n{head}\r\n\r\n{{").as_bytes());
    let mut byte = [0];
    while begun.is_ok() && !done.load(Ordering::Relaxed) {
        let wait = stream.read(&mut byte).map_err(|error| error.kind());
        if stream.write_all(b" ").is_err() || !matches!(wait, Err(std::io::ErrorKind::WouldBlock)) {
            break;
        }
    }
    (0, String::new())
}

/// A watch, read until it is told to end.
pub(crate) fn follow(plane: &Plane, path: &str, done: &AtomicBool) -> (u16, String) {
    let mut stream = connect(plane, None);
    let head = format!("GET {path}?watch=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token\r\n\r\n");
    let begun = stream.write_all(head.as_bytes());
    let mut bytes = [0; 4096];
    while begun.is_ok() && !done.load(Ordering::Relaxed) {
        match stream.read(&mut bytes).map_err(|error| error.kind()) {
            Ok(0) => break,
            Ok(_) | Err(std::io::ErrorKind::WouldBlock) => {}
            Err(_) => break,
        }
    }
    (0, String::new())
}
