//! `eksile fetch [-X METHOD] [-H 'NAME: VALUE'] URL`: what a URL answers, for scripts where there is no curl.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

const TRUSTED: &str = "/etc/ssl/certs/ca-certificates.crt";
const PATIENCE: Duration = Duration::from_secs(5);
const ANSWER_MOST: u64 = 16 << 20;
const METADATA: &str = "169.254.169.254";

struct Request {
    method: String,
    headers: Vec<String>,
    url: String,
}

/// Prints the body; a status of 400 or more ends with 22, as `curl --fail` does.
#[must_use]
pub fn fetch(arguments: &[String]) -> ExitCode {
    let Some(mut request) = parse(arguments) else {
        eprintln!("usage: eksile fetch [-X METHOD] [-H 'NAME: VALUE'] URL");
        return ExitCode::from(2);
    };
    match with_session(&mut request).and_then(|()| send(&request)) {
        Ok((status, body)) if status < 400 => {
            let written = io::stdout().write_all(&body);
            if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Ok((status, _)) => {
            eprintln!("{}: {status}", request.url);
            ExitCode::from(22)
        }
        Err(error) => {
            eprintln!("{}: {error}", request.url);
            ExitCode::from(7)
        }
    }
}

fn parse(arguments: &[String]) -> Option<Request> {
    let mut request = Request { method: "GET".to_owned(), headers: Vec::new(), url: String::new() };
    let mut rest = arguments.iter();
    while let Some(word) = rest.next() {
        match word.as_str() {
            "-X" => request.method.clone_from(rest.next()?),
            "-H" => request.headers.push(rest.next()?.clone()),
            url if request.url.is_empty() && !url.starts_with('-') => url.clone_into(&mut request.url),
            _ => return None,
        }
    }
    let clean = |text: &String| !text.contains(['\r', '\n']);
    (!request.url.is_empty() && clean(&request.method) && request.headers.iter().all(clean)).then_some(request)
}

/// The metadata service wants a session token first; it is fetched unless the caller brings one.
fn with_session(request: &mut Request) -> io::Result<()> {
    let brings =
        request.headers.iter().any(|header| header.to_ascii_lowercase().starts_with("x-aws-ec2-metadata-token"));
    if brings || !request.url.starts_with(&format!("http://{METADATA}/")) {
        return Ok(());
    }
    let session = Request {
        method: "PUT".to_owned(),
        headers: vec!["X-aws-ec2-metadata-token-ttl-seconds: 300".to_owned()],
        url: format!("http://{METADATA}/latest/api/token"),
    };
    let (status, body) = send(&session)?;
    if status >= 400 {
        return Err(io::Error::other(format!("no metadata session: {status}")));
    }
    request.headers.push(format!("X-aws-ec2-metadata-token: {}", String::from_utf8_lossy(&body)));
    Ok(())
}

fn send(request: &Request) -> io::Result<(u16, Vec<u8>)> {
    let bad = || io::Error::from(io::ErrorKind::InvalidInput);
    let (scheme, rest) = request.url.split_once("://").ok_or_else(bad)?;
    let (authority, path) = rest.split_once('/').map_or((rest, String::new()), |(host, path)| (host, path.to_owned()));
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| bad())?),
        None => (authority, if scheme == "https" { 443 } else { 80 }),
    };
    let address = (host, port).to_socket_addrs()?.next().ok_or(io::ErrorKind::NotFound)?;
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut text = format!("{} /{path} HTTP/1.0\r\nHost: {authority}\r\nContent-Length: 0\r\n", request.method);
    for header in &request.headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    match scheme {
        "http" => exchange(stream, &text),
        "https" => exchange(secure(host, stream)?, &text),
        _ => Err(bad()),
    }
}

fn secure(host: &str, stream: TcpStream) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let mut roots = RootCertStore::empty();
    let pem = fs::read(TRUSTED)?;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        roots.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    Ok(StreamOwned::new(ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?, stream))
}

/// HTTP/1.0: the answer ends with the connection, unless its length is told.
fn exchange(mut stream: impl Read + Write, request: &str) -> io::Result<(u16, Vec<u8>)> {
    let bad = || io::Error::from(io::ErrorKind::InvalidData);
    stream.write_all(request.as_bytes())?;
    stream.flush()?;
    let mut answer = Vec::new();
    stream.take(ANSWER_MOST).read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").ok_or_else(bad)?;
    let head = std::str::from_utf8(&answer[..end]).map_err(|_| bad())?;
    let status = head.split(' ').nth(1).and_then(|word| word.get(..3)?.parse().ok()).ok_or_else(bad)?;
    Ok((status, answer.split_off(end + 4)))
}
