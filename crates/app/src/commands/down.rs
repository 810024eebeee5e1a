use std::time::Duration;

use anyhow::{Result, bail};
use eksile_linux::process::Identity;
use rustix::process::Signal;

use super::running;
use crate::{layout::Layout, leftovers};

/// Longer than `up` itself gives the world.
const PATIENCE: Duration = Duration::from_secs(30);

/// `eksile down`: tells `up` to stop, and waits for it.
pub(crate) fn down(layout: &Layout) -> Result<()> {
    let up = Identity::of(i32::try_from(running(layout)?.pid)?)?;
    up.signal(Signal::TERM)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(async { tokio::time::timeout(PATIENCE, up.ended()).await });
    match ended {
        Ok(ended) => Ok(ended?),
        Err(_) => {
            bail!("eksile (pid {}) has not stopped within {PATIENCE:?}: {}", up.pid, leftovers::remaining(layout))
        }
    }
}
