//! Watchers under writes: how long after a write's answer its event arrives.

use std::{
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use tokio::{task::JoinSet, time::timeout};

use crate::{
    connection::{Connection, Target, find},
    measure::{self, Latencies},
    payload,
    workload::Run,
};

const WATCHERS: usize = 100;
/// Writes a second.
const PACE: u32 = 500;
const WRITERS: usize = 8;
const NAMESPACE: &str = "race-watch";

/// When each write was answered.
type Answered = Arc<Vec<OnceLock<Instant>>>;

/// Writes at a steady pace for `time` while everybody watches. The rate is the writes'; the latencies the events'.
pub(crate) async fn run(target: &Target, pids: &[u32], time: Duration) -> anyhow::Result<Run> {
    let count = (PACE as f64 * time.as_secs_f64()) as usize;
    let answered: Answered = Arc::new((0..count).map(|_| OnceLock::new()).collect());
    let seen = Arc::new(Mutex::new(Latencies::default()));
    let mut watchers = JoinSet::new();
    for _ in 0..WATCHERS {
        let mut connection = Connection::open(target).await?;
        // No resourceVersion: the present state first. The namespace is empty.
        let path = format!("/api/v1/namespaces/{NAMESPACE}/configmaps?watch=true");
        connection.send("GET", &path, &[]).await?;
        ensure!(connection.head().await?.status == 200, "watch");
        watchers.spawn(follow(connection, count, seen.clone(), answered.clone()));
    }
    let before = measure::cpu(pids)?;
    let start = Instant::now();
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let connection = Connection::open(target).await?;
        writers.spawn(write(connection, writer, start, answered.clone()));
    }
    for writer in writers.join_all().await {
        writer?;
    }
    let elapsed = start.elapsed();
    let watched = timeout(Duration::from_secs(20), watchers.join_all()).await.context("events are missing")?;
    let cpu = measure::cpu(pids)?.saturating_sub(before);
    let mut size = 0;
    for watcher in watched {
        size = watcher?;
    }
    let mut latencies = std::mem::take(&mut *seen.lock().expect("no watcher panics while it holds it"));
    let expected = count * WATCHERS;
    ensure!(latencies.count() * 2 > expected, "{} events of {expected}", latencies.count());
    if latencies.count() < expected {
        eprintln!("watch: only {} events of {expected} arrived: watchers were cut", latencies.count());
    }
    Ok(Run {
        rate: count as f64 / elapsed.as_secs_f64(),
        p50: latencies.percentile(0.5),
        p99: latencies.percentile(0.99),
        cpu: cpu.as_secs_f64() * 1e6 / count as f64,
        size: size / count,
    })
}

/// Reads events until all are there; returns their bytes.
async fn follow(
    mut connection: Connection,
    count: usize,
    seen: Arc<Mutex<Latencies>>,
    answered: Answered,
) -> anyhow::Result<usize> {
    let mut arrived: Vec<(usize, Instant)> = Vec::with_capacity(count);
    let mut line = Vec::new();
    let mut bytes = 0;
    while arrived.len() < count {
        if connection.chunk(&mut |part| line.extend_from_slice(part)).await? == 0 {
            // Cut for being too slow. What came before counts; that it was cut is told.
            break;
        }
        let now = Instant::now();
        while let Some(end) = line.iter().position(|byte| *byte == b'\n') {
            if let Some(number) = written(&line[..end]) {
                arrived.push((number, now));
            }
            bytes += end;
            line.drain(..=end);
        }
    }
    let mut latencies = Latencies::default();
    for (number, at) in arrived {
        // The last answers may come after the last events.
        let answer = loop {
            match answered.get(number).context("an event nobody caused")?.get() {
                Some(answer) => break *answer,
                None => tokio::task::yield_now().await,
            }
        };
        latencies.add(at.saturating_duration_since(answer));
    }
    seen.lock().expect("no watcher panics while it holds it").merge(latencies);
    Ok(bytes)
}

/// The number in the name `w-N` of an event's object.
fn written(event: &[u8]) -> Option<usize> {
    let start = find(event, b"\"name\":\"w-")? + 10;
    let end = start + event[start..].iter().position(|byte| *byte == b'"')?;
    std::str::from_utf8(&event[start..end]).ok()?.parse().ok()
}

async fn write(mut connection: Connection, writer: usize, start: Instant, answered: Answered) -> anyhow::Result<()> {
    let path = format!("/api/v1/namespaces/{NAMESPACE}/configmaps");
    for number in (writer..answered.len()).step_by(WRITERS) {
        let due = start + Duration::from_secs(1) / PACE * u32::try_from(number)?;
        tokio::time::sleep_until(due.into()).await;
        let body = payload::config_map(&format!("w-{number}"));
        let (status, _) = connection.exchange("POST", &path, &body).await?;
        ensure!(status == 201, "write: {status}");
        answered[number].set(Instant::now()).ok().context("written twice")?;
    }
    Ok(())
}
