//! The Region's ends of the service links, and of its own Zones' site.

use std::time::Duration;

use anyhow::{Context, Result};
use eksile_gate::{Gate, Limits};
use eksile_linux::{Namespace, socket};
use eksile_site::{fabric, link::LinkServer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
};
use tokio_rustls::server::TlsStream;

use crate::{layout::Layout, trust, up, world_config::WorldConfig};

/// Connections to one end of a link at once: a site has one, and may come again before its last is given up.
const MOST: usize = 64;
/// Longest wait for a site's certificate.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Listens for every site.
pub(super) fn listen(layout: &Layout, config: &WorldConfig, server: &LinkServer) -> Result<()> {
    let tls = trust::link_server(layout)?;
    for outpost in &config.outposts {
        let place = Namespace::named(&fabric::link::region_end(outpost));
        let listener = TcpListener::from_std(socket::tcp_listener(&place, fabric::LINK_ADDRESS)?)?;
        let (server, tls) = (server.clone(), tls.clone());
        let gate = Gate::new(format!("service link of {outpost}"), Limits { connections: MOST, ..Limits::default() });
        tokio::spawn(async move {
            loop {
                let (stream, _, pass) = gate.accept(&listener).await;
                let (server, tls) = (server.clone(), tls.clone());
                tokio::spawn(async move {
                    // Whoever has shown a site's certificate is never in another's way.
                    match pass.handshake(tls.accept(stream)).await {
                        Ok(accepted) => {
                            let _busy = pass.busy();
                            session(server, accepted).await;
                        }
                        Err(left) => tracing::warn!(?left, "a service link that does not say whose it is"),
                    }
                });
            }
        });
    }
    let path = layout.region_link_socket();
    up::remove_stale(&path)?;
    let listener = UnixListener::bind(&path).with_context(|| format!("listening on {}", path.display()))?;
    let server = server.clone();
    tokio::spawn(async move {
        loop {
            let stream = socket::accept_unix(&listener).await;
            let (server, tls) = (server.clone(), tls.clone());
            tokio::spawn(async move {
                match tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
                    Ok(accepted) => session(server, accepted).await,
                    Err(_) => tracing::warn!("a service link that does not say whose it is"),
                }
            });
        }
    });
    Ok(())
}

async fn session<S>(server: LinkServer, accepted: std::io::Result<TlsStream<S>>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = match accepted {
        Ok(stream) => stream,
        Err(error) => return tracing::warn!(%error, "a service link without a good certificate"),
    };
    let Some(site) = trust::peer_name(stream.get_ref().1) else {
        tracing::warn!("a service link whose certificate names no site");
        return;
    };
    tracing::info!(site, "service link is up");
    if let Err(error) = server.serve(stream, &site).await {
        tracing::info!(site, %error, "service link is down");
    }
}
