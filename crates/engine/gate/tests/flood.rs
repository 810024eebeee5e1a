//! Connections that say nothing, too little, or read nothing.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use eksile_gate::body::{self, Paced, Room};
use eksile_gate::{Gate, Limits, Times};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const SHORT: Duration = Duration::from_millis(300);
/// No test waits longer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes that fit into no socket's buffers.
const LARGE: usize = 64 << 20;

fn times() -> Times {
    Times { handshake: SHORT, head: SHORT, idle: SHORT, unread: SHORT }
}

async fn answer(request: Request<Incoming>) -> Response<Full<Bytes>> {
    let length = if request.uri().path() == "/large" { LARGE } else { 2 };
    if request.uri().path() == "/whole" {
        let (parts, body) = request.into_parts();
        let read = body::whole(&parts, body, 1 << 20, &Room::default(), &mut None).await;
        return Response::new(Full::new(read.unwrap_or_default()));
    }
    let body = Paced::within(request.into_body(), SHORT).collect().await;
    let mut response = Response::new(Full::new(Bytes::from(vec![b'x'; length])));
    if body.is_err() {
        *response.status_mut() = http::StatusCode::REQUEST_TIMEOUT;
    }
    response
}

/// A server behind a gate of so many connections.
async fn serve(connections: usize, times: Times) -> (SocketAddr, Arc<Gate>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let gate = Gate::new("test", Limits { connections, times });
    let own = Arc::clone(&gate);
    tokio::spawn(async move {
        loop {
            let (stream, _, pass) = own.accept(&listener).await;
            tokio::spawn(eksile_gate::http(pass, stream, answer));
        }
    });
    (address, gate)
}

/// Whether the other end has closed within [`PATIENCE`].
async fn closed(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut rest)).await.is_ok()
}

async fn asks(stream: &mut TcpStream) -> bool {
    if stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.is_err() {
        return false;
    }
    let mut answer = [0; 15];
    timeout(PATIENCE, stream.read_exact(&mut answer)).await.is_ok_and(|read| read.is_ok())
        && &answer == b"HTTP/1.1 200 OK"
}

#[tokio::test]
async fn a_connection_that_says_nothing_or_drips_its_head_is_closed() {
    let (address, gate) = serve(100, times()).await;
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut dripping = TcpStream::connect(address).await.unwrap();
    let (mut reader, mut writer) = dripping.split();
    let drip = async {
        for byte in b"GET / HTTP/1.1\r\nX-Long: ".iter().chain(std::iter::repeat(&b'a')) {
            if writer.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let mut rest = Vec::new();
    let ended = async {
        tokio::select! {
            () = drip => {}
            _ = reader.read_to_end(&mut rest) => {}
        }
    };
    assert!(timeout(PATIENCE, ended).await.is_ok(), "a head at a byte at a time is not waited for");
    assert!(closed(&mut silent).await);
    while gate.connections() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_connection_that_pauses_too_long_between_requests_is_closed() {
    let (address, _) = serve(100, times()).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    assert!(asks(&mut stream).await);
    assert!(closed(&mut stream).await);
}

#[tokio::test]
async fn a_body_that_drips_is_refused() {
    let (address, _) = serve(100, times()).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nabc").await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn an_answer_that_nobody_reads_is_not_kept() {
    let (address, gate) = serve(100, times()).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let begun = Instant::now();
    while gate.connections() == 0 {
        tokio::task::yield_now().await;
    }
    while gate.connections() > 0 {
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn silent_connections_give_way_to_those_that_ask() {
    let (address, gate) = serve(32, Times::default()).await;
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    // The last that came may be too fresh to be taken for idle: whoever is turned away comes again.
    let begun = Instant::now();
    loop {
        let mut stream = TcpStream::connect(address).await.unwrap();
        if asks(&mut stream).await {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "nobody is let in");
    }
    assert!(gate.connections() <= 32);
}

#[tokio::test]
async fn the_busy_are_never_dismissed_and_one_source_does_not_push_out_another() {
    let gate = Gate::new("test", Limits { connections: 16, times: Times::default() });
    let source = |last| IpAddr::from([10, 0, 0, last]);
    let calm = gate.admit(source(1)).unwrap();
    let many: Vec<_> = (0..15).map(|_| gate.admit(source(2)).unwrap()).collect();
    tokio::time::sleep(Duration::from_millis(150)).await;
    let more = gate.admit(source(2)).unwrap();
    assert!(timeout(Duration::from_millis(50), calm.ended()).await.is_err(), "it was there first, and stays");
    let (busy, none) = (many.iter().map(eksile_gate::Pass::busy).collect::<Vec<_>>(), (calm.busy(), more.busy()));
    assert!(gate.admit(source(3)).is_none(), "all are busy");
    drop((busy, none));
}

#[tokio::test]
async fn bodies_wait_for_room_and_leave_it() {
    const STEP: usize = 64 * 1024;
    let room = Room::of(16 * STEP);
    let (mut all, mut small, mut next) = (None, None, None);
    room.hold(16 * STEP, &mut all).await.unwrap();
    room.hold(STEP - 1, &mut small).await.unwrap();
    assert!(small.is_none(), "what is small is not counted");
    let frees = async {
        tokio::task::yield_now().await;
        drop(all);
    };
    let (waited, ()) = tokio::join!(room.hold(2 * STEP, &mut next), frees);
    waited.unwrap();
    room.hold(3 * STEP, &mut next).await.unwrap();
    assert_eq!(next.map(|room| room.num_permits()), Some(3));
}

#[tokio::test]
async fn what_is_carried_and_moves_outlives_what_said_one_byte() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let gate = Gate::new("test", Limits { connections: 8, times: Times::default() });
    let mut callers = Vec::new();
    let mut carried = Vec::new();
    for _ in 0..8 {
        let mut caller = TcpStream::connect(address).await.unwrap();
        let (mut stream, _, pass) = gate.accept(&listener).await;
        let (mut near, mut far) = tokio::io::duplex(64);
        carried.push(tokio::spawn(async move { pass.carry(&mut stream, &mut near).await }));
        caller.write_all(b"a").await.unwrap();
        far.read_exact(&mut [0]).await.unwrap();
        callers.push((caller, far));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(150)).await;
    let (oldest, far) = &mut callers[0];
    far.write_all(b"b").await.unwrap();
    oldest.read_exact(&mut [0]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(110)).await;
    let _more = gate.admit(IpAddr::from(Ipv4Addr::LOCALHOST)).unwrap();
    let second = carried.remove(1);
    assert!(timeout(PATIENCE, second).await.unwrap().unwrap().is_err(), "the idlest goes");
    assert!(!carried[0].is_finished(), "the oldest is not the idlest");
}

#[tokio::test]
async fn bodies_that_drip_give_way_to_those_that_ask() {
    let (address, gate) = serve(32, Times::default()).await;
    let mut dripping = Vec::new();
    for _ in 0..32 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"POST /whole HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\na").await.unwrap();
        dripping.push(stream);
    }
    let drip = async {
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            for stream in &mut dripping {
                // One that was closed says so here.
                let _ = stream.write_all(b"a").await;
            }
        }
    };
    let calm = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let begun = Instant::now();
        while !asks(&mut TcpStream::connect(address).await.unwrap()).await {
            assert!(begun.elapsed() < Duration::from_secs(10), "nobody is let in");
        }
    };
    tokio::select! {
        () = drip => {}
        () = calm => {}
    }
    assert!(gate.connections() <= 32);
}
