//! How much is done at once: requests, their bodies, and long work, which has threads of its own.

use std::future::Future;
use std::panic;
use std::sync::Arc;

use eksile_gate::body::{Room, Taken};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::answer::Body;
use crate::caller::Caller;
use crate::door::Door;
use crate::locate::Located;
use crate::resource::Verb;
use crate::route::{self, Handler};
use crate::status::StatusError;

/// Requests that read, and that write, at once (kube-apiserver's `--max-requests-inflight` and
/// `--max-mutating-requests-inflight`). Nodes have as many of their own, so that nobody else's flood stops kubelets.
const READING: usize = 400;
const WRITING: usize = 200;
/// What lasts at once: watches, logs and streams. Nodes watch on behalf of their pods, and have more of their own.
const LASTING: usize = 4_000;
const NODES_LASTING: usize = 20_000;
/// A request whose body or object is larger than this is long work.
const LONG: usize = 32 * 1024;

/// What one door does at once.
#[derive(Debug)]
pub(crate) struct Flights {
    reading: Arc<Semaphore>,
    writing: Arc<Semaphore>,
    nodes_reading: Arc<Semaphore>,
    nodes_writing: Arc<Semaphore>,
    lasting: Arc<Semaphore>,
    nodes_lasting: Arc<Semaphore>,
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
            lasting: of(LASTING),
            nodes_lasting: of(NODES_LASTING),
            bodies: Room::default(),
            long: of(processors),
        }
    }
}

/// A request's share of what is done at once.
#[derive(Debug)]
pub(crate) struct Share {
    /// `None` for who is not counted.
    permit: Option<OwnedSemaphorePermit>,
    lasts: bool,
}

impl Share {
    /// What lasts has its share for as long as its answer does; anything else, until it is answered.
    pub(crate) fn with(self, body: Body) -> Body {
        match self.permit {
            Some(permit) if self.lasts && matches!(body, Body::Stream(_) | Body::Passed(_)) => {
                Body::Lasting(Box::new(body), permit)
            }
            _ => body,
        }
    }
}

/// Whether a request lasts: a watch, log or stream that is served where it asks for it. Nothing else does for its path's
/// sake (upstream's `BasicLongRunningRequestCheck` goes by the verb and the subresource's name).
fn lasts(at: &Located) -> bool {
    let Some((at, resource)) = at.resource().and_then(|at| Some((at, at.resource.as_deref()?))) else { return false };
    matches!(route::handler(at, resource), Ok(Handler::Verb(Verb::Watch) | Handler::Connect))
}

impl Flights {
    /// Lets a request in. What lasts (watches, logs, streams) is counted apart, and the masters are always heard.
    ///
    /// # Errors
    /// 429 when there are too many already.
    pub(crate) fn enter(&self, caller: &Caller, at: &Located) -> Result<Share, StatusError> {
        let in_group = |group: &str| caller.user.groups.iter().any(|own| own == group);
        let lasts = lasts(at);
        if in_group("system:masters") {
            return Ok(Share { permit: None, lasts });
        }
        let reads = matches!(at.verb(), "get" | "list" | "head" | "options");
        let counted = match (in_group("system:nodes"), lasts, reads) {
            (false, true, _) => &self.lasting,
            (true, true, _) => &self.nodes_lasting,
            (false, false, true) => &self.reading,
            (false, false, false) => &self.writing,
            (true, false, true) => &self.nodes_reading,
            (true, false, false) => &self.nodes_writing,
        };
        let permit = Arc::clone(counted).try_acquire_owned().map_err(|_| too_many())?;
        Ok(Share { permit: Some(permit), lasts })
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
    use bytes::Bytes;
    use http::Method;

    use super::*;
    use crate::locate::locate;
    use crate::query::Query;
    use crate::resource::{Row, Sub};
    use crate::resources::Resources;
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
        assert!(flights.enter(&node, &at("update")).is_ok());
        assert!(flights.enter(&master, &at("update")).unwrap().permit.is_none());
        drop(held);
        assert!(flights.enter(&user, &at("update")).is_ok());
    }

    fn asked(method: &Method, path: &str, query: &str) -> Located {
        const SUBS: &[Sub] = &[
            Sub::connect("exec", "PodExecOptions", &[Verb::Create, Verb::Get]),
            Sub::connect("log", "Pod", &[Verb::Get]),
            Sub::STATUS,
        ];
        let pods = Row::namespaced("", "v1", "Pod", "pods").subs(SUBS);
        let maps = Row::namespaced("", "v1", "ConfigMap", "configmaps");
        locate(&Resources::from_rows(&[pods, maps]), method, path, &Query::parse(Some(query))).unwrap()
    }

    #[test]
    fn only_what_is_served_and_lasts_is_counted_apart() {
        let (get, post) = (Method::GET, Method::POST);
        for (method, path, query, expected) in [
            (&get, "/api/v1/pods", "watch=1", true),
            (&get, "/api/v1/watch/pods", "", true),
            (&post, "/api/v1/namespaces/a/pods/p/exec", "command=x", true),
            (&get, "/api/v1/namespaces/a/pods/p/log", "follow=1", true),
            (&get, "/api/v1/pods", "", false),
            (&get, "/api/v1/namespaces/a/pods/p/status", "", false),
            (&post, "/api/v1/namespaces/a/configmaps/m/exec", "", false),
            (&get, "/api/v1/namespaces/a/configmaps/m/log", "", false),
            (&get, "/apis/example.com/v1/namespaces/a/things/t/exec", "", false),
            (&get, "/apis/example.com/v1/things", "watch=1", false),
            (&get, "/api/v1/proxy/namespaces/a/pods/p", "", false),
            (&get, "/api/v1/namespaces/a/pods/p/log/more", "", false),
            (&post, "/api/v1/watch/pods", "", false),
            (&Method::PUT, "/api/v1/namespaces/a/pods/p/exec", "", false),
        ] {
            assert_eq!(lasts(&asked(method, path, query)), expected, "{method} {path}?{query}");
        }
    }

    #[test]
    fn what_lasts_is_bounded_and_has_its_share_until_it_ends() {
        let flights = Flights::default();
        let (user, node) = (caller("users"), caller("system:nodes"));
        let watch = asked(&Method::GET, "/api/v1/pods", "watch=1");
        let stream = || Body::Stream(Box::pin(futures::stream::pending()));
        let held: Vec<_> = (0..LASTING).map(|_| flights.enter(&user, &watch).unwrap().with(stream())).collect();
        assert_eq!(flights.enter(&user, &watch).unwrap_err().code(), 429);
        assert!(flights.enter(&user, &at("get")).is_ok() && flights.enter(&node, &watch).is_ok());
        drop(held);
        let refused = flights.enter(&user, &watch).unwrap().with(Body::Full(Bytes::new()));
        assert!(matches!(refused, Body::Full(_)), "what ends at once keeps no share");
        assert_eq!(flights.lasting.available_permits(), LASTING);
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
