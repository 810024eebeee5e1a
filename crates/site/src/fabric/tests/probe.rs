//! Packets sent and seen, from inside the places.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

use eksile_linux::Namespace;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, recv, sendto, setsockopt, socket, sockopt,
};
use nix::sys::time::TimeVal;

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

/// An ICMP echo (RFC 792) from `place`: whether its reply came.
pub(super) fn ping(place: &str, to: Ipv4Addr, patient: bool) -> bool {
    let address = SockaddrIn::from(std::net::SocketAddrV4::new(to, 0));
    let open = || socket(AddressFamily::Inet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::Icmp).unwrap();
    let socket = Namespace::named(place).enter(open).unwrap();
    let patience = if patient { TimeVal::new(3, 0) } else { TimeVal::new(0, 250_000) };
    setsockopt(&socket, sockopt::ReceiveTimeout, &patience).unwrap();
    // Type 8, code 0, checksum, identifier 0x4242, sequence 1.
    let request = [8, 0, 0xb5, 0xbc, 0x42, 0x42, 0, 1];
    if sendto(socket.as_raw_fd(), &request, &address, MsgFlags::empty()).is_err() {
        return false;
    }
    let mut buffer = [0; 256];
    while let Ok(n) = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
        // An IP header of 20 bytes, then type 0 for a reply.
        if n >= 28 && buffer[20] == 0 && buffer[24..26] == [0x42, 0x42] {
            return buffer[12..16] == to.octets();
        }
    }
    false
}

/// Waits for a condition; says what for when it never comes.
pub(super) fn until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(10), "waited in vain until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
