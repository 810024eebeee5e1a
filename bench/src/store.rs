//! The store by itself, without a door: what a read, a list and a durable write take.

use std::{
    convert::Infallible,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Context;
use bytes::Bytes;
use eksile_store::{Options, Store};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::measure;

#[derive(clap::Args)]
pub(crate) struct StoreSpeed {
    /// Where the file is kept; it should be on a disk, not in memory.
    #[arg(long)]
    data: Option<PathBuf>,
}

const OBJECTS: usize = 10_000;
const OBJECT: usize = 7_000;
const FOR: Duration = Duration::from_secs(3);

impl StoreSpeed {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let folder = match &self.data {
            Some(folder) => TempDir::new_in(folder)?,
            None => TempDir::new()?,
        };
        let store = Store::open(&folder.path().join("store.db"), Options::default())?;
        let empty = measure::memory(&[std::process::id()])?;
        fill(&store).await?;
        let full = measure::memory(&[std::process::id()])?;
        let data = (OBJECTS * OBJECT) as f64;
        println!("memory: {:.2} × the data's size", (full - empty) as f64 / data);
        reads(&store);
        for writers in [1, 16, 64, 256] {
            writes(&store, writers).await?;
        }
        let updated = measure::memory(&[std::process::id()])?;
        println!("memory after the updates: {:.2} × the data's size", (updated - empty) as f64 / data);
        drop(store);
        let start = Instant::now();
        let store = Store::open(&folder.path().join("store.db"), Options::default())?;
        println!("open again: {:.0} ms, {} objects", start.elapsed().as_secs_f64() * 1e3, store.view().count(""));
        Ok(())
    }
}

fn key(number: usize) -> String {
    format!("/registry/pods/namespace-{}/pod-{number}", number % 2)
}

async fn put(store: &Store, number: usize, size: usize) -> anyhow::Result<()> {
    let value = Bytes::from(vec![b'x'; size]);
    let key = key(number);
    let put = store.write(|txn| {
        txn.put(&key, value);
        Ok::<_, Infallible>(())
    });
    put.await.context("write")?;
    Ok(())
}

async fn fill(store: &Store) -> anyhow::Result<()> {
    let mut writers = JoinSet::new();
    for writer in 0..64 {
        let store = store.clone();
        writers.spawn(async move {
            for number in (writer..OBJECTS).step_by(64) {
                put(&store, number, OBJECT).await?;
            }
            anyhow::Ok(())
        });
    }
    writers.join_all().await.into_iter().collect()
}

fn reads(store: &Store) {
    let keys: Vec<String> = (0..OBJECTS).map(|number| key(number * 7_919 % OBJECTS)).collect();
    let start = Instant::now();
    let found = keys.iter().filter(|key| store.view().get(key).is_some()).count();
    println!("get: {:.2} µs ({found} found)", start.elapsed().as_secs_f64() * 1e6 / OBJECTS as f64);
    let start = Instant::now();
    let listed = store.view().scan("/registry/pods/namespace-0/", None, usize::MAX).len();
    println!("list {listed}: {:.2} ms", start.elapsed().as_secs_f64() * 1e3);
}

async fn writes(store: &Store, writers: usize) -> anyhow::Result<()> {
    let own = [std::process::id()];
    let before = measure::cpu(&own)?;
    let start = Instant::now();
    let mut running = JoinSet::new();
    for writer in 0..writers {
        let store = store.clone();
        running.spawn(async move {
            let mut count = 0_usize;
            while start.elapsed() < FOR {
                put(&store, (writer + count * writers) % OBJECTS, 1_400).await?;
                count += 1;
            }
            anyhow::Ok(count)
        });
    }
    let mut count = 0;
    for writer in running.join_all().await {
        count += writer?;
    }
    let rate = count as f64 / start.elapsed().as_secs_f64();
    let cpu = (measure::cpu(&own)? - before).as_secs_f64() * 1e6 / count as f64;
    println!("durable writes of 1.4 KB, {writers:>3} writers: {rate:>7.0}/s, {cpu:.1} µs of CPU each");
    Ok(())
}
