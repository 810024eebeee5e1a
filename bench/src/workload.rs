//! The loads: closed loops on a number of connections, for a time or for a count.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::ensure;
use tokio::task::JoinSet;

use crate::{
    connection::{Connection, Target},
    measure::{self, Latencies},
    payload,
};

/// What a load did to a server.
#[derive(Debug)]
pub(crate) struct Run {
    /// Requests a second.
    pub(crate) rate: f64,
    /// Milliseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Processor time of the server a request, microseconds.
    pub(crate) cpu: f64,
    /// Bytes of an answer's body, mean.
    pub(crate) size: usize,
}

/// When a load is over.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    Elapsed(Duration),
    Done(usize),
}

/// One kind of request.
#[derive(Debug, Clone)]
pub(crate) enum Load {
    /// Creates config maps named `PREFIX-N` in a namespace.
    ConfigMaps { namespace: &'static str, prefix: &'static str },
    /// Creates pods named `pod-N`, by turns in each namespace.
    Pods { namespaces: &'static [&'static str] },
    /// Gets one of that many pods.
    Get { namespaces: &'static [&'static str], pods: usize },
    /// Lists the pods of a namespace.
    List { namespace: &'static str },
}

impl Load {
    fn request(&self, number: usize) -> (&'static str, String, Vec<u8>) {
        match self {
            Load::ConfigMaps { namespace, prefix } => {
                let body = payload::config_map(&format!("{prefix}-{number}"));
                ("POST", format!("/api/v1/namespaces/{namespace}/configmaps"), body)
            }
            Load::Pods { namespaces } => {
                let namespace = namespaces[number % namespaces.len()];
                let body = payload::pod(&format!("pod-{number}"));
                ("POST", format!("/api/v1/namespaces/{namespace}/pods"), body)
            }
            Load::Get { namespaces, pods } => {
                // Scattered, and the same for every server.
                let number = number.wrapping_mul(7_919) % pods;
                let namespace = namespaces[number % namespaces.len()];
                ("GET", format!("/api/v1/namespaces/{namespace}/pods/pod-{number}"), Vec::new())
            }
            Load::List { namespace } => ("GET", format!("/api/v1/namespaces/{namespace}/pods"), Vec::new()),
        }
    }
}

/// Puts a load on a server whose processes are `pids`.
pub(crate) async fn run(
    target: &Target,
    pids: &[u32],
    load: Load,
    connections: usize,
    until: Until,
) -> anyhow::Result<Run> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut opened = Vec::new();
    for _ in 0..connections {
        let mut connection = Connection::open(target).await?;
        // The first request pays for what a connection's first request pays for.
        connection.exchange("GET", "/api/v1/namespaces/default", &[]).await?;
        opened.push(connection);
    }
    let before = measure::cpu(pids)?;
    let start = Instant::now();
    let mut workers = JoinSet::new();
    for connection in opened {
        workers.spawn(work(connection, load.clone(), next.clone(), start, until));
    }
    let mut latencies = Latencies::default();
    let mut bytes = 0;
    for worker in workers.join_all().await {
        let (part, size) = worker?;
        latencies.merge(part);
        bytes += size;
    }
    let elapsed = start.elapsed();
    let cpu = measure::cpu(pids)?.saturating_sub(before);
    let count = latencies.count();
    ensure!(count > 0, "nothing was answered");
    Ok(Run {
        rate: count as f64 / elapsed.as_secs_f64(),
        p50: latencies.percentile(0.5),
        p99: latencies.percentile(0.99),
        cpu: cpu.as_secs_f64() * 1e6 / count as f64,
        size: bytes / count,
    })
}

async fn work(
    mut connection: Connection,
    load: Load,
    next: Arc<AtomicUsize>,
    start: Instant,
    until: Until,
) -> anyhow::Result<(Latencies, usize)> {
    let mut latencies = Latencies::default();
    let mut bytes = 0;
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        match until {
            Until::Elapsed(time) if start.elapsed() >= time => break,
            Until::Done(count) if number >= count => break,
            _ => {}
        }
        let (method, path, body) = load.request(number);
        let sent = Instant::now();
        let (status, size) = connection.exchange(method, &path, &body).await?;
        latencies.add(sent.elapsed());
        ensure!((200..300).contains(&status), "{method} {path}: {status}");
        bytes += size;
    }
    Ok((latencies, bytes))
}
