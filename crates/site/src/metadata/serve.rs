use std::{convert::Infallible, io, net::IpAddr, os::fd::AsFd as _, sync::Arc, time::Duration};

use bytes::Bytes;
use eksile_ec2::records::{Instance, NetworkInterface, WantedInstanceState};
use eksile_linux::socket::accept;
use eksile_store::{RecordError, Scope, Store};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::{TcpListener, TcpStream};

use super::{Credentials, answer::Answers, given::Given};
use crate::seats::Seats;

/// Longest wait for the head of a request, the next one's on a connection that is kept included.
const HEAD: Duration = Duration::from_secs(10);
/// Longest life of a connection.
const LIFE: Duration = Duration::from_secs(120);
/// How long what was sent may wait for its acknowledgement (a token that ended on its way is never acknowledged).
const UNHEARD_MS: u32 = 10_000;
/// Connections of one instance at once, its pods' included.
const EACH: usize = 64;
/// Longest head, bytes.
const LONGEST_HEAD: usize = 16 * 1024;

/// Serves the instances of one VPC, for ever.
pub async fn serve(store: Store, vpc_id: String, credentials: Arc<dyn Credentials>, listener: TcpListener) {
    let who = Who { store: store.clone(), vpc_id };
    let answers = Arc::new(Answers::new(store, Given::new(credentials)));
    let seats = Seats::new(EACH);
    loop {
        let (stream, caller) = accept(&listener).await;
        let instance_id = match who.find(caller.ip()) {
            Ok(Some((_, instance))) => instance.instance_id,
            // An address of nobody: there is nobody to answer.
            Ok(None) => continue,
            Err(error) => {
                tracing::error!(%error, "metadata cannot be read");
                continue;
            }
        };
        let Some(seat) = seats.take(&instance_id) else {
            tracing::debug!(instance_id, "has too many connections to its metadata service");
            continue;
        };
        let (who, answers) = (who.clone(), Arc::clone(&answers));
        tokio::spawn(async move {
            if let Err(error) = converse(&who, &answers, stream, caller.ip()).await {
                tracing::debug!(%error, %caller, "a metadata connection ended");
            }
            drop(seat);
        });
    }
}

/// One connection, from its first request to its end.
async fn converse(who: &Who, answers: &Answers, stream: TcpStream, caller: IpAddr) -> io::Result<()> {
    setsockopt(&stream, sockopt::TcpUserTimeout, &UNHEARD_MS)?;
    let hops = Hops(std::net::TcpStream::from(stream.as_fd().try_clone_to_owned()?));
    let service = service_fn(|request| respond(who, answers, &hops, request, caller));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(LONGEST_HEAD);
    let conversation = builder.serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(LIFE, conversation).await {
        Ok(ended) => ended.map_err(io::Error::other),
        Err(_) => Ok(()),
    }
}

async fn respond(
    who: &Who,
    answers: &Answers,
    hops: &Hops,
    request: Request<Incoming>,
    caller: IpAddr,
) -> Result<Response<Full<Bytes>>, Infallible> {
    // Asked at each request: what is behind an address may be another by now, and its options others.
    let found = who.find(caller).map_err(|error| tracing::error!(%error, "metadata cannot be read"));
    let mut response = match found {
        Ok(Some((scope, instance))) => answers.answer(&request, &scope, &instance).await,
        Ok(None) => super::answer::refusal(StatusCode::NOT_FOUND),
        Err(()) => super::answer::refusal(StatusCode::INTERNAL_SERVER_ERROR),
    };
    if let Some(limit) = response.extensions_mut().remove::<super::answer::HopLimit>()
        && let Err(error) = hops.limit(limit.0)
    {
        // A token that could travel further than it may is not sent at all.
        tracing::error!(%error, "a token's hops cannot be limited");
        response = super::answer::refusal(StatusCode::INTERNAL_SERVER_ERROR);
    }
    Ok(response)
}

/// A connection's packets' time to live.
struct Hops(std::net::TcpStream);

impl Hops {
    /// From here on to the connection's end: a later packet of more hops could carry the token again.
    fn limit(&self, limit: u8) -> io::Result<()> {
        self.0.set_ttl(limit.into())
    }
}

/// Who has which address in one VPC.
#[derive(Clone)]
struct Who {
    store: Store,
    vpc_id: String,
}

impl Who {
    /// The instance that has an address, pods' addresses included. Only its interface's packets come with it: see the
    /// router's source check.
    fn find(&self, address: IpAddr) -> Result<Option<(Scope, Instance)>, RecordError> {
        let address = address.to_string();
        let view = self.store.view();
        // One that cannot be read has no address here; the site tells of it.
        for (scope, interface) in view.each_record::<NetworkInterface>().into_iter().flatten() {
            let has = interface.private_ip == address || interface.secondary_private_ips.contains(&address);
            if interface.vpc_id != self.vpc_id || !has {
                continue;
            }
            let Some(attachment) = interface.attachment else { return Ok(None) };
            let instance = view.record::<Instance>(&scope, &attachment.instance_id)?;
            let alive = instance.filter(|instance| instance.wanted != WantedInstanceState::Terminated);
            return Ok(alive.map(|instance| (scope, instance)));
        }
        Ok(None)
    }
}
