//! The world's supervisor: builds the fabric's places, keeps the Region and the sites running, lets callers on the
//! host's loopback in at a place of the fabric.

use std::{os::unix::fs::PermissionsExt as _, sync::Arc};

use anyhow::{Context, Result};
use eksile_linux::{Namespace, socket::accept_unix};
use eksile_site::fabric;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    signal::unix::{SignalKind, signal},
};

use crate::{
    control::{LinkStatus, LinkTurn, ListenerStatus, Reply, Request, WorldStatus},
    forward::Forwards,
    layout::Layout,
    supervise::{Role, Supervisor},
    trust,
    up::{self, HostRequest},
    world_config::WorldConfig,
};

struct World {
    layout: Layout,
    config: WorldConfig,
    supervisor: Supervisor,
    forwards: Forwards,
}

/// Runs until told to stop.
pub(crate) async fn run(layout: &Layout) -> Result<()> {
    let config = WorldConfig::load(layout)?;
    let mut terminate = signal(SignalKind::terminate())?;
    trust::prepare(layout)?;
    fabric::base(&config.outposts).context("building the fabric's places")?;
    let mut roles = vec![Role::Region, Role::Site(config.region.clone())];
    roles.extend(config.outposts.iter().cloned().map(Role::Site));
    let path = layout.world_socket();
    up::remove_stale(&path)?;
    let socket = UnixListener::bind(&path).with_context(|| format!("listening on {}", path.display()))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
        .with_context(|| format!("keeping {} for its owner", path.display()))?;
    let world = Arc::new(World {
        layout: layout.clone(),
        config,
        supervisor: Supervisor::start(layout, roles),
        forwards: Forwards::new(layout.clone()),
    });
    loop {
        tokio::select! {
            _ = terminate.recv() => {
                world.supervisor.stop().await;
                return Ok(());
            }
            role = world.supervisor.hopeless() => {
                world.supervisor.stop().await;
                anyhow::bail!("{role} cannot work; what it said before says why, and what to do");
            }
            stream = accept_unix(&socket) => {
                let world = Arc::clone(&world);
                tokio::spawn(async move {
                    if let Err(error) = world.serve(stream).await {
                        tracing::warn!(%error, "a request to the world failed");
                    }
                });
            }
        }
    }
}

impl World {
    async fn serve(&self, stream: UnixStream) -> Result<()> {
        let (reader, mut writer) = stream.into_split();
        let mut line = String::new();
        BufReader::new(reader).read_line(&mut line).await?;
        let reply: Reply = match serde_json::from_str(&line) {
            Ok(request) => self.answer(request).await.map_err(|error| format!("{error:#}")),
            Err(error) => Err(format!("not a request: {error}")),
        };
        let mut text = serde_json::to_vec(&reply)?;
        text.push(b'\n');
        Ok(writer.write_all(&text).await?)
    }

    async fn answer(&self, request: Request) -> Result<Value> {
        match request {
            Request::Ready { role } => {
                if self.supervisor.ready(&role) {
                    up::ask_host(&self.layout, &HostRequest::Ready).await?;
                }
                Ok(Value::Null)
            }
            Request::Forward { name, port, place, targets } => {
                let port = self.forwards.set(name, port, Namespace::named(&place), targets).await?;
                Ok(serde_json::to_value(crate::control::Forwarded { port })?)
            }
            Request::Unforward { name } => {
                self.forwards.end(&name);
                Ok(Value::Null)
            }
            Request::Link { outpost, turn } => {
                anyhow::ensure!(self.config.outposts.contains(&outpost), "there is no Outpost {outpost}");
                Ok(serde_json::to_value(turn_link(&outpost, turn)?)?)
            }
            Request::Status => Ok(serde_json::to_value(self.status()?)?),
        }
    }

    fn status(&self) -> Result<WorldStatus> {
        let links = self.config.outposts.iter().map(|outpost| turn_link(outpost, LinkTurn::Look));
        let listeners = self.forwards.ports().into_iter().map(|(name, port)| ListenerStatus { name, port }).collect();
        Ok(WorldStatus { processes: self.supervisor.status(), listeners, links: links.collect::<Result<_>>()? })
    }
}

fn turn_link(outpost: &str, turn: LinkTurn) -> Result<LinkStatus> {
    match turn {
        LinkTurn::Disconnect => fabric::link::disconnect(outpost)?,
        LinkTurn::Reconnect => fabric::link::reconnect(outpost)?,
        LinkTurn::Look => {}
    }
    let namespace = fabric::link::namespace(outpost).path().display().to_string();
    Ok(LinkStatus { outpost: outpost.to_owned(), cut: fabric::link::is_cut(outpost)?, namespace })
}
