//! `eksile site`: one site's process, put together.

use std::{future::Future, io, net::SocketAddr, path::PathBuf, pin::Pin, sync::Arc};

use anyhow::{Context, Result};
use eksile_base::Clock;
use eksile_linux::{Namespace, socket};
use eksile_site::{
    control_plane::Loopback,
    fabric,
    host::Host,
    ids::Ids,
    link::{Attempt, Connect, Connection, LinkClient, Timing},
};
use rustls::pki_types::ServerName;
use tokio::{
    net::UnixStream,
    signal::unix::{SignalKind, signal},
};
use tokio_rustls::TlsConnector;

use crate::{
    control::{self, Forwarded, Request},
    layout::Layout,
    leftovers, privacy, stores,
    supervise::Role,
    trust,
    world_config::WorldConfig,
};

/// Runs until told to stop; instances and control planes stay.
pub(crate) async fn run(layout: &Layout, site: &str) -> Result<()> {
    let config = WorldConfig::load(layout)?;
    let dir = layout.site(site);
    let store = stores::open(&dir.join("store.db"))?;
    let kept = store.clone();
    let (link, asks) = LinkClient::new(site, store.clone(), Timing::default());
    let dial = Dial { tls: TlsConnector::from(trust::link_client(layout, site)?), way: way(layout, &config, site) };
    let running = link.clone();
    tokio::spawn(async move { running.run(&dial, asks).await });
    let run = layout.run().join(site);
    for folder in [&run, &dir.join("instances"), &dir.join("fabric"), &dir.join("clusters")] {
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    privacy::shared_files();
    let host = Host {
        site: site.to_owned(),
        region: config.region,
        store,
        dir,
        run,
        cgroup: leftovers::cgroup(layout),
        ids: Ids::new(layout.ids()),
        clock: Clock::system(),
        program: std::env::current_exe()?,
        link,
        loopback: Arc::new(World { socket: layout.world_socket() }),
        public_ca: trust::authority(layout),
        endpoints: fabric::REGION_ENDPOINTS,
    };
    let role = Role::Site(site.to_owned()).to_string();
    let ready = async || {
        let told = control::ask::<serde_json::Value>(&layout.world_socket(), &Request::Ready { role }).await;
        if let Err(error) = told {
            tracing::warn!(%error, "the world was not told that the site serves");
        }
    };
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        () = host.run(ready) => Ok(()),
        _ = terminate.recv() => Ok(()),
        () = kept.ended() => anyhow::bail!("the site's store takes no more writes"),
    }
}

/// How the Region is reached.
enum Way {
    /// The Region's own Zones: the same machine room.
    Local(PathBuf),
    /// Over the service link.
    Link(Namespace, SocketAddr),
}

fn way(layout: &Layout, config: &WorldConfig, site: &str) -> Way {
    if site == config.region {
        Way::Local(layout.region_link_socket())
    } else {
        Way::Link(Namespace::named(&fabric::link::site_end(site)), fabric::LINK_ADDRESS)
    }
}

struct Dial {
    tls: TlsConnector,
    way: Way,
}

impl Connect for Dial {
    fn connect(&self) -> Attempt<'_> {
        Box::pin(async move {
            let region = ServerName::try_from(trust::REGION).map_err(io::Error::other)?;
            let connection: Box<dyn Connection> = match &self.way {
                Way::Local(path) => Box::new(self.tls.connect(region, UnixStream::connect(path).await?).await?),
                Way::Link(place, address) => {
                    let stream = socket::tcp_connect(place, *address).await.map_err(io::Error::other)?;
                    stream.set_nodelay(true)?;
                    Box::new(self.tls.connect(region, stream).await?)
                }
            };
            Ok(connection)
        })
    }
}

/// The world, asked for loopback listeners.
struct World {
    socket: PathBuf,
}

impl Loopback for World {
    fn forward<'a>(
        &'a self,
        name: &'a str,
        port: Option<u16>,
        place: &'a str,
        targets: Vec<SocketAddr>,
    ) -> Pin<Box<dyn Future<Output = Result<u16, String>> + Send + 'a>> {
        let request = Request::Forward { name: name.to_owned(), port, place: place.to_owned(), targets };
        Box::pin(async move {
            let forwarded: Forwarded =
                control::ask(&self.socket, &request).await.map_err(|error| format!("{error:#}"))?;
            Ok(forwarded.port)
        })
    }

    fn end<'a>(&'a self, name: &'a str) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        Box::pin(async move {
            let request = Request::Unforward { name: name.to_owned() };
            let _nothing: serde_json::Value =
                control::ask(&self.socket, &request).await.map_err(|error| format!("{error:#}"))?;
            Ok(())
        })
    }
}
