//! How many streams there may be at once: of a container, and of the node.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

/// Streams (logs, programs that run by exec) of one container.
const OF_CONTAINER: usize = 1024;
/// Programs that run in one container by exec: each is a process there and three pipes here.
const PROGRAMS: usize = 64;
/// Streams of all containers. Each costs a socket, a file and some 50 KiB.
const OF_NODE: usize = 4096;

/// What a stream does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Reads a log.
    Log,
    /// Runs a program.
    Program,
}

impl Kind {
    fn most(self) -> usize {
        match self {
            Self::Log => OF_CONTAINER,
            Self::Program => PROGRAMS,
        }
    }
}

/// The streams that there are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Streams(Arc<Mutex<HashMap<(String, Kind), usize>>>);

/// Leave for one stream; ends with the value.
#[derive(Debug)]
pub(crate) struct Leave {
    streams: Streams,
    key: (String, Kind),
}

impl Streams {
    /// Leave for a stream of the container with this id; none when there are too many.
    pub(crate) fn enter(&self, container: &str, kind: Kind) -> Option<Leave> {
        let mut open = self.0.lock();
        let key = (container.to_owned(), kind);
        let own = open.get(&key).copied().unwrap_or(0);
        if own >= kind.most() || open.values().sum::<usize>() >= OF_NODE {
            return None;
        }
        open.insert(key.clone(), own + 1);
        Some(Leave { streams: self.clone(), key })
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        let mut open = self.streams.0.lock();
        let left = open.get(&self.key).map_or(0, |count| count.saturating_sub(1));
        if left == 0 {
            open.remove(&self.key);
        } else {
            open.insert(self.key.clone(), left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_has_its_share_and_no_more() {
        let streams = Streams::default();
        let mut held: Vec<Leave> = (0..PROGRAMS).map(|_| streams.enter("a", Kind::Program).unwrap()).collect();
        assert!(streams.enter("a", Kind::Program).is_none());
        assert!(streams.enter("a", Kind::Log).is_some() && streams.enter("b", Kind::Program).is_some());
        held.pop();
        assert!(streams.enter("a", Kind::Program).is_some());
        drop(held);
        assert!(streams.0.lock().is_empty(), "nothing is remembered of streams that ended");
        let all: Vec<_> = (0..OF_NODE).map(|n| streams.enter(&format!("c{}", n / 100), Kind::Log).unwrap()).collect();
        assert!(streams.enter("other", Kind::Log).is_none());
        drop(all);
    }
}
