use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};

use crate::pass::{Pass, Seat, Times};
use crate::stream::Watched;

/// Pause after a failed accept(2), which would fail again at once.
const PAUSE: Duration = Duration::from_millis(20);
/// The same trouble is told once in this time.
const TELL: Duration = Duration::from_secs(60);
/// A connection that said something within this time is not idle yet, however full it is.
const FRESH: Duration = Duration::from_millis(100);

/// How many connections a gate lets in.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once. No more than a quarter of the descriptors that this process may open, whatever is asked: a
    /// process has several listeners, and files.
    pub connections: usize,
    /// How long each step of a connection may take.
    pub times: Times,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 4096, times: Times::default() }
    }
}

/// The connections of one listener.
#[derive(Debug)]
pub struct Gate {
    name: String,
    most: usize,
    times: Times,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    last: u64,
    seats: BTreeMap<u64, Arc<Seat>>,
    told: Option<Instant>,
}

impl Gate {
    /// A gate; `name` is how the log calls its listener.
    #[must_use]
    pub fn new(name: impl Into<String>, limits: Limits) -> Arc<Self> {
        let descriptors = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let quarter = descriptors.map_or(usize::MAX, |most| usize::try_from(most / 4).unwrap_or(usize::MAX));
        let most = limits.connections.min(quarter).max(8);
        Arc::new(Self { name: name.into(), most, times: limits.times, open: Mutex::default() })
    }

    /// The next caller that is let in. It fails never: what accept(2) refuses is told once and tried again, after room
    /// was made. Small writes go out at once (`TCP_NODELAY`).
    pub async fn accept(self: &Arc<Self>, listener: &TcpListener) -> (Watched<TcpStream>, SocketAddr, Pass) {
        loop {
            match listener.accept().await {
                Ok((stream, caller)) => {
                    let Some(pass) = self.admit(caller.ip()) else { continue };
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, %caller, "TCP_NODELAY");
                    }
                    return (pass.watch(stream), caller, pass);
                }
                Err(error) => self.make_room(&error).await,
            }
        }
    }

    /// A pass for a connection from `source`; none when all are busy.
    pub fn admit(self: &Arc<Self>, source: IpAddr) -> Option<Pass> {
        let mut open = self.open.lock();
        if open.seats.len() >= self.most {
            let evicted = open.evict();
            self.tell(
                &mut open,
                if evicted { "full: the idlest connection goes" } else { "full: callers are turned away" },
            );
            if !evicted {
                return None;
            }
        }
        open.last += 1;
        let id = open.last;
        let seat = Arc::new(Seat::new(source));
        open.seats.insert(id, Arc::clone(&seat));
        Some(Pass::new(Arc::clone(self), id, seat, self.times))
    }

    /// What follows a failed accept(2), most likely for want of descriptors.
    async fn make_room(&self, error: &std::io::Error) {
        {
            let mut open = self.open.lock();
            open.evict();
            self.tell(&mut open, &format!("accepting: {error}"));
        }
        tokio::time::sleep(PAUSE).await;
    }

    fn tell(&self, open: &mut Open, what: &str) {
        if open.told.is_none_or(|told| told.elapsed() > TELL) {
            open.told = Some(Instant::now());
            tracing::warn!(listener = self.name, connections = open.seats.len(), "{what}");
        }
    }

    pub(crate) fn leave(&self, id: u64) {
        self.open.lock().seats.remove(&id);
    }

    /// How many connections there are.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.open.lock().seats.len()
    }
}

impl Open {
    /// Ends the connection that has been idle for longest, of the source that has most of them. False when none is idle.
    fn evict(&mut self) -> bool {
        let mut sources: BTreeMap<IpAddr, usize> = BTreeMap::new();
        for seat in self.seats.values() {
            *sources.entry(seat.source).or_default() += 1;
        }
        let idle = self.seats.iter().filter_map(|(id, seat)| Some((*id, seat, seat.idle()?)));
        let idle = idle.filter(|(_, _, idle)| *idle >= FRESH);
        let found = idle.max_by_key(|(_, seat, idle)| (sources.get(&seat.source).copied(), !seat.spoke(), *idle));
        let Some(id) = found.map(|(id, seat, _)| {
            seat.dismiss();
            id
        }) else {
            return false;
        };
        self.seats.remove(&id);
        true
    }
}
