//! How much is done at once: requests, their bodies, and long work, which has threads of its own.

use std::future::Future;
use std::panic;
use std::sync::Arc;

use eksile_gate::body::{Room, Taken};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::caller::Caller;
use crate::door::Door;
use crate::locate::Located;
use crate::status::StatusError;

/// Requests that read, and that write, at once (kube-apiserver's `--max-requests-inflight` and
/// `--max-mutating-requests-inflight`). Nodes have as many of their own, so that nobody else's flood stops kubelets.
const READING: usize = 400;
const WRITING: usize = 200;
/// A request whose body or object is larger than this is long work.
const LONG: usize = 32 * 1024;

/// What one door does at once.
#[derive(Debug)]
pub(crate) struct Flights {
    reading: Arc<Semaphore>,
    writing: Arc<Semaphore>,
    nodes_reading: Arc<Semaphore>,
    nodes_writing: Arc<Semaphore>,
    bodies: Room,
    /// As much long work as there are processors: the rest of it waits, and what is short is served meanwhile.
    long: Arc<Semaphore>,
}

impl Default for Flights {
    fn default() -> Self {
        let of = |count| Arc::new(Semaphore::new(count));
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            reading: of(READING),
            writing: of(WRITING),
            nodes_reading: of(READING),
            nodes_writing: of(WRITING),
            bodies: Room::default(),
            long: of(processors),
        }
    }
}

/// A request's share of what is done at once; `None` for what is not counted.
pub(crate) type Share = Option<OwnedSemaphorePermit>;

impl Flights {
    /// Lets a request in. What lasts (watches, logs, streams) is not counted, and the masters are always heard.
    ///
    /// # Errors
    /// 429 when there are too many already.
    pub(crate) fn enter(&self, caller: &Caller, at: &Located) -> Result<Share, StatusError> {
        let in_group = |group: &str| caller.user.groups.iter().any(|own| own == group);
        let sub = at.resource().map_or("", |resource| &*resource.sub);
        let lasts = at.verb() == "watch" || matches!(sub, "exec" | "attach" | "portforward" | "proxy" | "log");
        if lasts || in_group("system:masters") {
            return Ok(None);
        }
        let reads = matches!(at.verb(), "get" | "list" | "head" | "options");
        let counted = match (in_group("system:nodes"), reads) {
            (false, true) => &self.reading,
            (false, false) => &self.writing,
            (true, true) => &self.nodes_reading,
            (true, false) => &self.nodes_writing,
        };
        Arc::clone(counted).try_acquire_owned().map(Some).map_err(|_| too_many())
    }

    /// Makes room for a body that has `length` bytes by now; `taken` is the room that it has.
    ///
    /// # Errors
    /// 429 when others do not go in time.
    pub(crate) async fn hold(&self, length: usize, taken: &mut Taken) -> Result<(), StatusError> {
        self.bodies.hold(length, taken).await.map_err(|_| too_many())
    }

    /// Does the work of a request about so many bytes. Long work is done by threads that serve nobody else.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        size: usize,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        if size <= LONG {
            return work.await;
        }
        // It is never closed; were it, the work would be done all the same.
        let turn = Arc::clone(&self.long).acquire_owned().await.ok();
        let runtime = tokio::runtime::Handle::current();
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            runtime.block_on(work)
        });
        match done.await {
            Ok(done) => done,
            Err(error) if error.is_panic() => panic::resume_unwind(error.into_panic()),
            // The runtime ends, and this task with it.
            Err(_) => std::future::pending().await,
        }
    }
}

/// Bytes of the object that a request is about, as stored; 0 for none.
pub(crate) fn stored_size(door: &Door, at: &Located) -> usize {
    let Some(request) = at.resource().filter(|request| !request.name.is_empty()) else { return 0 };
    let Some(resource) = &request.resource else { return 0 };
    let key = resource.key(&request.namespace, &request.name);
    door.store.view().get(&key).map_or(0, |entry| entry.value.len())
}

fn too_many() -> StatusError {
    StatusError::too_many_requests("Too many requests, please try again later.", 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategy::User;

    fn caller(group: &str) -> Arc<Caller> {
        Caller::authenticated(User { name: "u".to_owned(), groups: vec![group.to_owned()], ..User::default() })
    }

    fn at(verb: &'static str) -> Located {
        Located::Path(crate::locate::PathRequest { verb: verb.to_owned(), path: "/".to_owned() })
    }

    #[test]
    fn one_too_many_is_refused_and_nodes_and_masters_are_heard() {
        let flights = Flights::default();
        let (user, node, master) = (caller("users"), caller("system:nodes"), caller("system:masters"));
        let held: Vec<_> = (0..WRITING).map(|_| flights.enter(&user, &at("create")).unwrap()).collect();
        let refused = flights.enter(&user, &at("update")).unwrap_err();
        assert_eq!((refused.code(), refused.0.details.unwrap().retry_after_seconds), (429, 1));
        assert!(flights.enter(&user, &at("get")).is_ok(), "who reads is counted apart");
        assert!(flights.enter(&user, &at("watch")).unwrap().is_none());
        assert!(flights.enter(&node, &at("update")).is_ok());
        assert!(flights.enter(&master, &at("update")).unwrap().is_none());
        drop(held);
        assert!(flights.enter(&user, &at("update")).is_ok());
    }

    #[tokio::test]
    async fn long_work_holds_nobody_up() {
        let flights = Flights::default();
        let (done, told) = std::sync::mpsc::channel();
        // On this runtime's one thread, work that blocks until something else was done would never end.
        let long = flights.work(LONG + 1, async move { told.recv_timeout(std::time::Duration::from_secs(30)).is_ok() });
        let short = flights.work(1, async move { done.send(()).is_ok() });
        assert_eq!(tokio::join!(long, short), (true, true));
    }
}
