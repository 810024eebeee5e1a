use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::gate::Gate;
use crate::stream::Watched;

/// How long each step of a connection may take. After that it is closed.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// From the connection to the end of its TLS handshake.
    pub handshake: Duration,
    /// From there to the end of the first request's head.
    pub head: Duration,
    /// From the end of one answer to the end of the next request's head.
    pub idle: Duration,
    /// How long bytes of an answer may wait for somebody to read them.
    pub unread: Duration,
}

impl Default for Times {
    /// Those of Kubernetes' API server where it has any (`k8s.io/apiserver/pkg/server/secure_serving.go`: 32 s for a head,
    /// 90 s between requests).
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(32),
            idle: Duration::from_secs(90),
            unread: Duration::from_secs(60),
        }
    }
}

/// Why a pass ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// A step took longer than it may.
    Late,
    /// Another connection needed the place.
    Dismissed,
}

/// What a gate knows of a connection.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) source: IpAddr,
    begun: Instant,
    /// Requests that are being answered.
    busy: AtomicUsize,
    /// Those among them whose bodies have not come whole.
    waiting: AtomicUsize,
    /// Whether bytes are carried, of which no requests are known.
    carries: AtomicBool,
    /// Requests that were answered.
    answered: AtomicUsize,
    /// Milliseconds from `begun` to the end of the last request or the begin of a wait for a body; where bytes are carried, to
    /// the last of them.
    quiet_since: AtomicU64,
    /// Milliseconds from `begun`, plus one, since bytes wait to be written; 0 while none wait.
    blocked_since: AtomicU64,
    /// Whether the other end has said anything.
    spoke: AtomicBool,
    dismissed: Notify,
}

impl Seat {
    pub(crate) fn new(source: IpAddr) -> Self {
        Self {
            source,
            begun: Instant::now(),
            busy: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            carries: false.into(),
            answered: AtomicUsize::new(0),
            quiet_since: AtomicU64::new(0),
            blocked_since: AtomicU64::new(0),
            spoke: false.into(),
            dismissed: Notify::new(),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// How long nothing has been done here; `None` while a request that has come whole is being answered. A body that is
    /// waited for is nothing done: whoever drips it would never be idle.
    pub(crate) fn idle(&self) -> Option<Duration> {
        let waiting = self.waiting.load(Ordering::Acquire);
        (self.busy.load(Ordering::Acquire) <= waiting).then(|| self.quiet())
    }

    fn quiet(&self) -> Duration {
        Duration::from_millis(self.now().saturating_sub(self.quiet_since.load(Ordering::Acquire)))
    }

    fn hush(&self) {
        self.quiet_since.store(self.now(), Ordering::Release);
    }

    /// Notes that bytes came or went.
    fn moved(&self) {
        if self.carries.load(Ordering::Relaxed) {
            self.hush();
        }
    }

    pub(crate) fn spoke(&self) -> bool {
        self.spoke.load(Ordering::Relaxed)
    }

    pub(crate) fn heard(&self) {
        self.spoke.store(true, Ordering::Relaxed);
        self.moved();
    }

    /// Notes that bytes wait to be written, or that some were.
    pub(crate) fn blocked(&self, waits: bool) {
        if !waits {
            self.blocked_since.store(0, Ordering::Relaxed);
            self.moved();
        } else if self.blocked_since.load(Ordering::Relaxed) == 0 {
            self.blocked_since.store(self.now() + 1, Ordering::Relaxed);
        }
    }

    fn unread(&self) -> Duration {
        match self.blocked_since.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            since => Duration::from_millis(self.now().saturating_sub(since - 1)),
        }
    }

    pub(crate) fn dismiss(&self) {
        self.dismissed.notify_one();
    }
}

/// Leave to be connected. It ends with the value.
#[derive(Debug)]
pub struct Pass {
    gate: Arc<Gate>,
    id: u64,
    seat: Arc<Seat>,
    times: Times,
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.gate.leave(self.id);
    }
}

impl Pass {
    pub(crate) fn new(gate: Arc<Gate>, id: u64, seat: Arc<Seat>, times: Times) -> Self {
        Self { gate, id, seat, times }
    }

    /// A stream whose reads and writes this pass sees.
    pub fn watch<S>(&self, stream: S) -> Watched<S> {
        Watched::new(stream, Arc::clone(&self.seat))
    }

    /// Does the first step of a connection in the time that it has.
    ///
    /// # Errors
    /// When it takes longer, or the place was needed.
    pub async fn handshake<T>(&self, step: impl Future<Output = T>) -> Result<T, Left> {
        tokio::select! {
            done = step => Ok(done),
            () = tokio::time::sleep(self.times.handshake) => Err(Left::Late),
            () = self.seat.dismissed.notified() => Err(Left::Dismissed),
        }
    }

    /// For [`Waiting::of`] the requests of this connection.
    pub(crate) fn place(&self) -> Place {
        Place(Arc::clone(&self.seat))
    }

    /// Marks the connection as busy while the value lives.
    #[must_use]
    pub fn busy(&self) -> Busy {
        self.seat.busy.fetch_add(1, Ordering::AcqRel);
        Busy(Arc::clone(&self.seat))
    }

    /// Waits until the connection must end.
    pub async fn ended(&self) -> Left {
        loop {
            let wait = match self.left() {
                Some(Duration::ZERO) => return Left::Late,
                Some(left) => left,
                // Something is being done; whether its end is read is looked at from time to time.
                None => self.times.unread / 4,
            };
            tokio::select! {
                () = tokio::time::sleep(wait.max(Duration::from_millis(5))) => {}
                () = self.seat.dismissed.notified() => return Left::Dismissed,
            }
        }
    }

    /// Time that is left; `None` while a request is being answered.
    fn left(&self) -> Option<Duration> {
        if self.seat.unread() > self.times.unread {
            return Some(Duration::ZERO);
        }
        if self.seat.busy.load(Ordering::Acquire) > 0 {
            return None;
        }
        let idle = self.seat.quiet();
        let first = self.seat.answered.load(Ordering::Acquire) == 0;
        Some(if first { self.times.head } else { self.times.idle }.saturating_sub(idle))
    }

    /// Carries bytes between the caller and `other` until both have ended, or the caller had nothing to say in the time
    /// of a first head, or the place was needed by somebody else.
    ///
    /// # Errors
    /// What reading or writing met; `TimedOut` when the pass ended.
    pub async fn carry<A, B>(&self, caller: &mut A, other: &mut B) -> std::io::Result<()>
    where
        A: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
        B: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    {
        self.seat.carries.store(true, Ordering::Relaxed);
        self.seat.moved();
        let silent = async {
            tokio::time::sleep(self.times.head).await;
            if self.seat.spoke() {
                std::future::pending::<()>().await;
            }
        };
        let late = || std::io::Error::from(std::io::ErrorKind::TimedOut);
        tokio::select! {
            done = tokio::io::copy_bidirectional(caller, other) => done.map(drop),
            () = silent => Err(late()),
            () = self.seat.dismissed.notified() => Err(late()),
        }
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub struct Busy(Arc<Seat>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.answered.fetch_add(1, Ordering::AcqRel);
        self.0.hush();
        self.0.busy.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Where a request came from; among its extensions.
#[derive(Debug, Clone)]
pub(crate) struct Place(Arc<Seat>);

/// While it lives, a request's body is waited for, and its connection gives way to others as an idle one does.
#[derive(Debug)]
pub struct Waiting(Option<Arc<Seat>>);

impl Waiting {
    /// Waits for the body of the request with these extensions.
    #[must_use]
    pub fn of(extensions: &http::Extensions) -> Self {
        let seat = extensions.get::<Place>().map(|place| Arc::clone(&place.0));
        if let Some(seat) = &seat
            && seat.waiting.fetch_add(1, Ordering::AcqRel) == 0
        {
            seat.hush();
        }
        Self(seat)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(seat) = &self.0 {
            seat.waiting.fetch_sub(1, Ordering::AcqRel);
        }
    }
}
