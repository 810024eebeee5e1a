//! What a VPC's router offers its instances: the resolver and the metadata service, one of each a VPC.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use eksile_ec2::records::Vpc;
use eksile_linux::{Error as LinuxError, Namespace, socket};
use eksile_store::Store;
use tokio::{
    net::{TcpListener, UdpSocket},
    task::JoinSet,
};

use crate::{
    metadata::{self, Credentials},
    names::{self, Zone},
};

/// Why a service could not be offered; tried again at the next change.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// A socket in the router's namespace cannot be made.
    #[error(transparent)]
    Linux(#[from] LinuxError),
    /// A socket cannot be handed to the runtime.
    #[error("socket: {0}")]
    Socket(#[from] std::io::Error),
}

/// The services of every VPC that has a router here.
pub struct Services {
    store: Store,
    region: String,
    endpoints: Ipv4Addr,
    credentials: Arc<dyn Credentials>,
    /// Dropping a set ends its services.
    running: HashMap<String, JoinSet<()>>,
}

impl Services {
    /// Services that answer from `store`; the Region's public endpoints are at `endpoints`.
    #[must_use]
    pub fn new(store: Store, region: String, endpoints: Ipv4Addr, credentials: Arc<dyn Credentials>) -> Self {
        Self { store, region, endpoints, credentials, running: HashMap::new() }
    }

    /// Starts what is missing and ends what is no longer wanted, for each VPC whatever becomes of the others. `router`
    /// names a VPC's router here. Answers what failed. Of a VPC whose record cannot be read nothing that runs ends.
    pub fn reconcile(&mut self, router: impl Fn(&str) -> String) -> Vec<String> {
        let (mut vpcs, mut failed) = (Vec::new(), Vec::new());
        for each in self.store.view().each_record::<Vpc>() {
            match each {
                Ok((_, vpc)) => vpcs.push(vpc),
                Err(error) => failed.push(error.to_string()),
            }
        }
        let complete = failed.is_empty();
        self.running.retain(|vpc_id, tasks| {
            // One that has ended is started again below, with the others of its VPC.
            let ended = tasks.try_join_next();
            if let Some(Err(error)) = &ended {
                tracing::error!(%error, vpc_id, "a service of a VPC ended");
            }
            ended.is_none() && (!complete || vpcs.iter().any(|vpc| vpc.vpc_id == *vpc_id))
        });
        for vpc in vpcs {
            let place = Namespace::named(&router(&vpc.vpc_id));
            if self.running.contains_key(&vpc.vpc_id) || !place.exists() {
                continue;
            }
            match self.start(&vpc, &place) {
                Ok(tasks) => drop(self.running.insert(vpc.vpc_id, tasks)),
                Err(error) => failed.push(format!("{}: {error}", vpc.vpc_id)),
            }
        }
        failed
    }

    fn start(&self, vpc: &Vpc, place: &Namespace) -> Result<JoinSet<()>, ServiceError> {
        let zone = Zone {
            store: self.store.clone(),
            vpc_id: vpc.vpc_id.clone(),
            region: self.region.clone(),
            endpoints: self.endpoints,
        };
        let mut tasks = JoinSet::new();
        if let Some(resolver) = resolver(&vpc.cidr_block) {
            let address = SocketAddr::new(IpAddr::V4(resolver), 53);
            let udp = UdpSocket::from_std(socket::udp_socket(place, address)?)?;
            let tcp = TcpListener::from_std(socket::tcp_listener(place, address)?)?;
            let datagrams = names::serve_udp(zone.clone(), udp);
            let vpc_id = vpc.vpc_id.clone();
            tasks.spawn(async move {
                if let Err(error) = datagrams.await {
                    tracing::warn!(%error, vpc_id, "a VPC's resolver ended");
                }
            });
            tasks.spawn(names::serve_tcp(zone, tcp));
        }
        let listener = TcpListener::from_std(socket::tcp_listener(place, metadata::ADDRESS)?)?;
        let (store, credentials) = (self.store.clone(), Arc::clone(&self.credentials));
        tasks.spawn(metadata::serve(store, vpc.vpc_id.clone(), credentials, listener));
        Ok(tasks)
    }
}

/// The resolver's address: the block's base plus two (VPC user guide, "Amazon DNS server").
#[must_use]
pub fn resolver(block: &str) -> Option<Ipv4Addr> {
    let base: Ipv4Addr = block.split('/').next()?.parse().ok()?;
    Some(Ipv4Addr::from(u32::from(base).checked_add(2)?))
}
