//! The course: start, furnish, fill, then every workload on every runner in turn, so that what else the machine does
//! hits all of them alike.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, ensure};
use tempfile::TempDir;

use crate::{
    Race,
    calibrate::calibrate,
    measure,
    report::{self, EKSILE, FLOOR, Figure, PEER, Results},
    runner::{self, Pki, Runner},
    watch,
    workload::{self, Load, Run, Until},
};

const PODS: &[&str] = &["race-pods-a", "race-pods-b"];
const MAPS: &str = "race-maps";
const ALL: &[&str] = &["race-pods-a", "race-pods-b", MAPS, "race-watch"];

pub(crate) async fn run(options: Race) -> anyhow::Result<()> {
    let folder = match &options.data {
        Some(folder) => {
            std::fs::create_dir_all(folder)?;
            TempDir::new_in(folder)?
        }
        None => TempDir::new()?,
    };
    let before = calibrate(folder.path())?;
    let pki = Pki::make(folder.path().join("pki"))?;
    let mut course = Course { runners: Vec::new(), results: Vec::new(), time: Duration::from_secs(options.seconds) };
    course.start(&options, &folder, &pki).await?;
    let figures = course.fill(options.pods).await?;
    course.start_floor(options.pods, &pki)?;
    course.workloads(options.pods).await?;
    let after = calibrate(folder.path())?;
    let met = report::print([before, after], &course.results, &figures);
    ensure!(met || !options.strict, "a target was missed");
    Ok(())
}

struct Course {
    runners: Vec<Runner>,
    results: Vec<Results>,
    time: Duration,
}

impl Course {
    async fn start(&mut self, options: &Race, folder: &TempDir, pki: &Pki) -> anyhow::Result<()> {
        if let Some(eksile) = &options.eksile {
            self.runners.push(runner::eksile(eksile, &folder.path().join("eksile"), pki).await.context("eksile")?);
        }
        if let (Some(apiserver), Some(etcd)) = (&options.apiserver, &options.etcd) {
            self.runners.push(runner::peer(apiserver, etcd, &folder.path().join("peer"), pki).await?);
        }
        for runner in &self.runners {
            eprintln!("{} ready after {:.0} ms", runner.name, runner.ready.as_secs_f64() * 1e3);
            runner::furnish(&runner.target, ALL).await.context(runner.name)?;
        }
        Ok(())
    }

    /// Loads the pods; then memory is what it takes to hold them.
    async fn fill(&mut self, pods: usize) -> anyhow::Result<Vec<Figure>> {
        self.each("create pods, 16 connections", Load::Pods { namespaces: PODS }, 16, Until::Done(pods)).await?;
        // What is freed after a load is not needed to hold the pods.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut memory = BTreeMap::new();
        let mut ready = BTreeMap::new();
        for runner in &self.runners {
            memory.insert(runner.name, measure::memory(&runner.pids())? as f64 / 1e6);
            ready.insert(runner.name, runner.ready.as_secs_f64() * 1e3);
        }
        Ok(vec![
            Figure { name: "memory with the pods", unit: "MB", by_runner: memory },
            Figure { name: "start to ready", unit: "ms", by_runner: ready },
        ])
    }

    /// The floor answers with as many bytes as Eksile does, or else the peer.
    fn start_floor(&mut self, pods: usize, pki: &Pki) -> anyhow::Result<()> {
        let size = |results: &[Results]| {
            let runs = &results.first()?.by_runner;
            runs.get(EKSILE).or_else(|| runs.get(PEER)).map(|run| run.size)
        };
        let pod = size(&self.results).unwrap_or(7_000);
        self.runners.push(runner::floor([1_400, pod, pods / 2 * pod], pki)?);
        Ok(())
    }

    async fn workloads(&mut self, pods: usize) -> anyhow::Result<()> {
        let until = Until::Elapsed(self.time);
        let get = Load::Get { namespaces: PODS, pods };
        self.each("get one of the pods, 16 connections", get, 16, until).await?;
        self.each("list half of the pods, 1 connection", Load::List { namespace: PODS[0] }, 1, until).await?;
        self.watch().await?;
        for (workload, connections, prefix) in
            [("create config maps, 16 connections", 16, "a"), ("create config maps, 64 connections", 64, "b")]
        {
            let load = Load::ConfigMaps { namespace: MAPS, prefix };
            self.each(workload, load, connections, until).await?;
        }
        Ok(())
    }

    async fn each(
        &mut self,
        workload: &'static str,
        load: Load,
        connections: usize,
        until: Until,
    ) -> anyhow::Result<()> {
        let mut by_runner = BTreeMap::new();
        for runner in &self.runners {
            let run = workload::run(&runner.target, &runner.pids(), load.clone(), connections, until).await;
            if let Some(run) = tell(workload, runner.name, run) {
                by_runner.insert(runner.name, run);
            }
        }
        self.results.push(Results { workload, by_runner });
        Ok(())
    }

    async fn watch(&mut self) -> anyhow::Result<()> {
        let workload = "watch, 500 writes/s, 100 watchers";
        let mut by_runner = BTreeMap::new();
        for runner in self.runners.iter().filter(|runner| runner.name != FLOOR) {
            let run = watch::run(&runner.target, &runner.pids(), self.time).await;
            if let Some(run) = tell(workload, runner.name, run) {
                by_runner.insert(runner.name, run);
            }
        }
        self.results.push(Results { workload, by_runner });
        Ok(())
    }
}

/// Tells at once, so that who waits sees it moving. A runner that fails at one workload may still run the others; its
/// targets there count as not met.
fn tell(workload: &str, runner: &str, run: anyhow::Result<Run>) -> Option<Run> {
    match run {
        Ok(run) => {
            let Run { rate, p50, p99, cpu, .. } = run;
            eprintln!("{workload}, {runner}: {rate:.0}/s, {p50:.2} / {p99:.2} ms, {cpu:.1} µs of CPU");
            Some(run)
        }
        Err(error) => {
            eprintln!("{workload}, {runner}: FAILED: {error:#}");
            None
        }
    }
}
