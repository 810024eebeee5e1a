//! Loopback listeners of the host whose callers come out at a place of the fabric.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use eksile_gate::{Gate, Limits, Pass, Watched};
use eksile_linux::{Namespace, socket};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};

use crate::{
    layout::Layout,
    up::{HostRequest, ask_host},
};

/// How long one target may take to answer before the next is tried.
const PATIENCE: Duration = Duration::from_secs(3);

/// Connections that one forward carries; each takes two descriptors. What is behind it has its own bounds.
const MOST: usize = 2048;

/// Every forward of the world.
pub(crate) struct Forwards {
    layout: Layout,
    running: Mutex<HashMap<String, Forward>>,
}

struct Forward {
    port: u16,
    place: Namespace,
    targets: Vec<SocketAddr>,
    task: JoinHandle<()>,
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Forwards {
    pub(crate) fn new(layout: Layout) -> Self {
        Self { layout, running: Mutex::default() }
    }

    /// Sets a forward up, or leaves it as it is when nothing differs. Returns its port.
    pub(crate) async fn set(
        &self,
        name: String,
        port: Option<u16>,
        place: Namespace,
        targets: Vec<SocketAddr>,
    ) -> Result<u16> {
        let known = {
            let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            running.get(&name).map(|forward| (forward.port, forward.place == place && forward.targets == targets))
        };
        if let Some((port, true)) = known {
            return Ok(port);
        }
        let wanted = known.map(|(port, _)| port).or(port);
        let (port, listener) = ask_host(&self.layout, &HostRequest::Listen { port: wanted }).await?;
        let listener = listener.context("up sent no listener")?;
        let task = tokio::spawn(accept(name.clone(), listener, place.clone(), targets.clone()));
        let forward = Forward { port, place, targets, task };
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(name, forward);
        Ok(port)
    }

    /// Ends a forward.
    pub(crate) fn end(&self, name: &str) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// Names and ports.
    pub(crate) fn ports(&self) -> Vec<(String, u16)> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ports: Vec<_> = running.iter().map(|(name, forward)| (name.clone(), forward.port)).collect();
        ports.sort();
        ports
    }
}

async fn accept(name: String, listener: TcpListener, place: Namespace, targets: Vec<SocketAddr>) {
    let gate = Gate::new(format!("forward {name}"), Limits { connections: MOST, ..Limits::default() });
    loop {
        let (caller, _, pass) = gate.accept(&listener).await;
        let (name, place, targets) = (name.clone(), place.clone(), targets.clone());
        tokio::spawn(async move {
            if let Err(error) = carry(caller, &pass, &place, &targets).await {
                tracing::debug!(%error, name, "a forwarded connection ended");
            }
        });
    }
}

async fn carry(mut caller: Watched<TcpStream>, pass: &Pass, place: &Namespace, targets: &[SocketAddr]) -> Result<()> {
    for target in targets {
        match timeout(PATIENCE, socket::tcp_connect(place, *target)).await {
            Ok(Ok(mut stream)) => {
                stream.set_nodelay(true)?;
                pass.carry(&mut caller, &mut stream).await?;
                return Ok(());
            }
            Ok(Err(error)) => tracing::debug!(%error, %target, "dialling"),
            Err(_) => tracing::debug!(%target, "no answer within {PATIENCE:?}"),
        }
    }
    anyhow::bail!("none of {targets:?} answers")
}
