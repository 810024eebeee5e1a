//! The world's first process: collects orphans, and holds the supervisor.

use std::process::Command;

use anyhow::{Context, Result};
use eksile_linux::{process::Identity, reap::Children, world};
use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};

use crate::layout::Layout;

/// Mounts are made before there is any thread.
pub(crate) fn run(layout: &Layout) -> Result<()> {
    world::settle()?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(supervise(layout))
}

async fn supervise(layout: &Layout) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let children = Children::collect()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--data").arg(layout.root()).arg("world");
    let mut started = children.spawn(&mut command).context("starting the supervisor")?;
    let supervisor = Identity::of(i32::try_from(started.pid)?)?;
    loop {
        tokio::select! {
            status = &mut started.exit => {
                let status = status.context("waiting for the supervisor")?;
                // Everything else ends with this process.
                std::process::exit(status.code().unwrap_or(1));
            }
            _ = terminate.recv() => supervisor.signal(Signal::TERM)?,
        }
    }
}
