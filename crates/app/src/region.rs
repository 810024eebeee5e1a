//! `eksile region`: the Region's process, put together.

mod answers;
mod link;
mod seed;
mod serve;

use std::sync::Arc;

use anyhow::{Context, Result};
use eksile_aws::{Door, Place, Service};
use eksile_base::Clock;
use eksile_iam::IamDirectory;
use eksile_linux::{Namespace, socket};
use eksile_registry::Registry;
use eksile_site::{
    fabric,
    link::{LinkServer, Timing},
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use crate::{
    control::{self, Request},
    layout::Layout,
    stores,
    supervise::Role,
    trust,
    up::{self, HostRequest},
    world_config::WorldConfig,
};

/// Every service behind the AWS door.
static SERVICES: &[&Service] = &[
    &eksile_ec2::SERVICE,
    &eksile_eks::SERVICE,
    &eksile_iam::SERVICE,
    &eksile_iam::sts::SERVICE,
    &eksile_outposts::SERVICE,
    &eksile_registry::SERVICE,
];

/// Runs until told to stop.
pub(crate) async fn run(layout: &Layout) -> Result<()> {
    let config = WorldConfig::load(layout)?;
    let clock = Clock::system();
    let store = stores::open(&layout.region().join("store.db"))?;
    let kept = store.clone();
    seed::seed(&store, &clock, layout, &config).await?;
    let iam = Arc::new(IamDirectory::default());
    let door = Arc::new(Door::new(&*config.region, SERVICES.to_vec(), store.clone(), clock.clone(), iam.clone()));
    let registry = Arc::new(Registry::open(layout.region().join("blobs"), store.clone(), clock.clone(), iam)?);
    let endpoints = serve::Endpoints { door, registry, bodies: eksile_gate::body::Room::default() };

    let answers = Arc::new(answers::Answers::new(store.clone(), clock.clone()));
    let links = LinkServer::new(store.clone(), clock.clone(), answers, Timing::default());
    link::listen(layout, &config, &links)?;

    let (_, loopback) = up::ask_host(layout, &HostRequest::Door).await?;
    tokio::spawn(endpoints.clone().plain(loopback.context("up sent no listener")?, Place::Host));
    let listener = socket::tcp_listener(&Namespace::named("internet"), fabric::REGION_ENDPOINTS)?;
    let tls = trust::endpoint_server(layout, &config)?;
    tokio::spawn(endpoints.encrypted(TcpListener::from_std(listener)?, tls));

    tokio::spawn(eksile_eks::reconcile::run(store.clone(), clock.clone()));
    tokio::spawn(eksile_ec2::reconcile::run(store, clock));
    let told: serde_json::Value =
        control::ask(&layout.world_socket(), &Request::Ready { role: Role::Region.to_string() }).await?;
    tracing::debug!(%told, "the world knows that the Region serves");
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        () = kept.ended() => anyhow::bail!("the Region's store takes no more writes"),
    }
}
