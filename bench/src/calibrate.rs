//! What the machine gives at this moment, so that two runs can be told apart.

use std::{
    fs::File,
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

use aws_lc_rs::digest;

/// Raw speed of disk and processor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Machine {
    /// Appends of 4 KiB, each followed by fdatasync, a second.
    pub(crate) syncs: f64,
    /// SHA-256 on one core, MB a second.
    pub(crate) sha256: f64,
}

const FOR: Duration = Duration::from_millis(700);

pub(crate) fn calibrate(folder: &Path) -> anyhow::Result<Machine> {
    let path = folder.join("calibrate");
    let mut file = File::create(&path)?;
    let block = vec![7; 4096];
    let syncs = rate(|| {
        file.write_all(&block)?;
        file.sync_data()
    })?;
    std::fs::remove_file(path)?;
    let megabyte = vec![7; 1_000_000];
    let sha256 = rate(|| {
        std::hint::black_box(digest::digest(&digest::SHA256, &megabyte));
        Ok(())
    })?;
    Ok(Machine { syncs, sha256 })
}

fn rate(mut work: impl FnMut() -> std::io::Result<()>) -> anyhow::Result<f64> {
    let start = Instant::now();
    let mut count = 0_u32;
    while start.elapsed() < FOR {
        work()?;
        count += 1;
    }
    Ok(f64::from(count) / start.elapsed().as_secs_f64())
}
