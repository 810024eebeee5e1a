//! The race: the same load, in one run, on Eksile's control plane, on kube-apiserver with etcd, and on a server that
//! answers ready-made bytes (the floor). Absolute figures belong to the machine; the ratios are what counts.

mod calibrate;
mod connection;
mod floor;
mod measure;
mod payload;
mod race;
mod report;
mod runner;
mod store;
mod watch;
mod workload;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Parser)]
#[command(about = "Races Eksile against kube-apiserver and against the floor")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the race.
    Race(Race),
    /// The floor: serves ready-made bytes over HTTPS on a free loopback port, until its standard input closes.
    Floor(floor::Floor),
    /// Measures the store by itself.
    Store(store::StoreSpeed),
}

/// Runners that are not given do not run.
#[derive(clap::Args)]
struct Race {
    /// The `eksile` binary.
    #[arg(long)]
    eksile: Option<PathBuf>,
    /// The `kube-apiserver` binary; needs `--etcd`.
    #[arg(long, requires = "etcd")]
    apiserver: Option<PathBuf>,
    /// The `etcd` binary.
    #[arg(long)]
    etcd: Option<PathBuf>,
    /// Seconds each workload runs.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// How many pods are loaded; half of them are listed.
    #[arg(long, default_value_t = 10_000)]
    pods: usize,
    /// Where the runners keep their data; it should be a disk, not memory.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Exit with 1 when a target is missed.
    #[arg(long)]
    strict: bool,
}

fn main() -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match Arguments::parse().command {
        Command::Race(options) => runtime.block_on(until_told(race::run(options))),
        Command::Floor(options) => runtime.block_on(until_told(options.serve())),
        Command::Store(options) => runtime.block_on(until_told(options.run())),
    }
}

/// Does the work, or leaves it when told to end: servers and folders go with the future that holds them.
async fn until_told(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<ExitCode> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // As a shell tells of a process that a signal ended.
    tokio::select! {
        done = work => done.map(|()| ExitCode::SUCCESS),
        _ = interrupt.recv() => Ok(ExitCode::from(128 + 2)),
        _ = terminate.recv() => Ok(ExitCode::from(128 + 15)),
    }
}
