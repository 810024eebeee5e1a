//! Packets sent and seen, from inside the places.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use eksile_linux::Namespace;

/// How long a packet that should arrive may take.
const ARRIVES: Duration = Duration::from_secs(3);
/// How long silence must last to count as such.
const SILENCE: Duration = Duration::from_millis(250);

/// Serves TCP and UDP on `port` of every address of `place`, telling callers who they seem to be.
/// Ends with the test's process.
pub(super) fn serve(place: &str, port: u16) {
    let (tcp, udp) = Namespace::named(place)
        .enter(|| (TcpListener::bind(("0.0.0.0", port)).unwrap(), UdpSocket::bind(("0.0.0.0", port)).unwrap()))
        .unwrap();
    thread::spawn(move || {
        for stream in tcp.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let peer = stream.peer_addr().unwrap().ip().to_string();
                let mut byte = [0];
                while matches!(stream.read(&mut byte), Ok(1)) {
                    if stream.write_all(peer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    thread::spawn(move || {
        let mut buffer = [0; 64];
        while let Ok((_, peer)) = udp.recv_from(&mut buffer) {
            let _refused = udp.send_to(peer.ip().to_string().as_bytes(), peer);
        }
    });
}

/// What came of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// It arrived, and this is who the other end saw.
    Seen(String),
    /// Nothing came back.
    Silence,
    /// Something on the way refused.
    Refused(ErrorKind),
}

pub(super) fn seen(by: &str) -> Answer {
    Answer::Seen(by.to_owned())
}

/// A TCP connection from `place`; `patient` when it is expected to succeed.
pub(super) fn tcp(place: &str, to: &str, patient: bool) -> Answer {
    match connect(place, to, if patient { ARRIVES } else { SILENCE }) {
        Ok(mut stream) => exchange(&mut stream),
        Err(e) => unanswered(&e),
    }
}

pub(super) fn connect(place: &str, to: &str, patience: Duration) -> std::io::Result<TcpStream> {
    let address: SocketAddr = to.parse().unwrap();
    Namespace::named(place).enter(|| TcpStream::connect_timeout(&address, patience)).unwrap()
}

/// One byte over, the caller's address back.
pub(super) fn exchange(stream: &mut TcpStream) -> Answer {
    stream.set_read_timeout(Some(ARRIVES)).unwrap();
    stream.write_all(b"?").unwrap();
    let mut buffer = [0; 64];
    match stream.read(&mut buffer) {
        Ok(n) => Answer::Seen(String::from_utf8_lossy(&buffer[..n]).into_owned()),
        Err(e) => unanswered(&e),
    }
}

/// A datagram from `place` and its answer.
pub(super) fn udp(place: &str, to: &str, patient: bool) -> Answer {
    let address: SocketAddr = to.parse().unwrap();
    let socket = Namespace::named(place).enter(|| UdpSocket::bind("0.0.0.0:0").unwrap()).unwrap();
    socket.set_read_timeout(Some(if patient { ARRIVES } else { SILENCE })).unwrap();
    let mut buffer = [0; 64];
    match socket.send_to(b"?", address).and_then(|_| socket.recv_from(&mut buffer)) {
        Ok((n, _)) => Answer::Seen(String::from_utf8_lossy(&buffer[..n]).into_owned()),
        Err(e) => unanswered(&e),
    }
}

fn unanswered(e: &std::io::Error) -> Answer {
    match e.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => Answer::Silence,
        kind => Answer::Refused(kind),
    }
}

/// An ICMP echo from `place`; nothing when this machine has no `ping`.
pub(super) fn ping(place: &str, to: Ipv4Addr) -> Option<bool> {
    let run = || {
        Command::new("ping").args(["-c1", "-W1", &to.to_string()]).stdout(Stdio::null()).stderr(Stdio::null()).status()
    };
    match Namespace::named(place).enter(run).unwrap() {
        Ok(status) => Some(status.success()),
        Err(e) => {
            println!("skipped: no ping ({e})");
            None
        }
    }
}

/// Waits for a condition; says what for when it never comes.
pub(super) fn until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(10), "waited in vain until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
