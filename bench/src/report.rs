//! What came out, and whether it is what was aimed at.

use std::collections::BTreeMap;

use crate::{calibrate::Machine, workload::Run};

/// The results of one workload, by runner.
pub(crate) struct Results {
    pub(crate) workload: &'static str,
    pub(crate) by_runner: BTreeMap<&'static str, Run>,
}

/// A single figure by runner.
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) by_runner: BTreeMap<&'static str, f64>,
}

pub(crate) const EKSILE: &str = "eksile";
pub(crate) const PEER: &str = "kube-apiserver + etcd";
pub(crate) const FLOOR: &str = "floor";

/// What is aimed at, for one workload: of Eksile's figures, in terms of the others'.
enum Aim {
    /// The rate, at least so many times the peer's.
    Rate(f64),
    /// Server CPU a request, at most so many microseconds.
    Cpu(f64),
    /// The median, at most so many times the floor's.
    Floor(f64),
    /// The 99th percentile, at most so many times the peer's.
    P99(f64),
    /// The figure, at most so many times the peer's.
    Figure(f64),
}

const AIMS: &[(&str, Aim)] = &[
    ("create config maps, 16 connections", Aim::Rate(6.0)),
    ("create config maps, 16 connections", Aim::Cpu(80.0)),
    ("create config maps, 64 connections", Aim::Rate(6.0)),
    ("create config maps, 64 connections", Aim::Cpu(80.0)),
    ("get one of the pods, 16 connections", Aim::Rate(10.0)),
    ("get one of the pods, 16 connections", Aim::Cpu(30.0)),
    ("list half of the pods, 1 connection", Aim::Floor(1.3)),
    ("watch, 500 writes/s, 100 watchers", Aim::P99(0.5)),
    ("memory with the pods", Aim::Figure(0.2)),
    ("start to ready", Aim::Figure(0.2)),
];

/// Prints everything; says whether every target was met.
pub(crate) fn print(machine: [Machine; 2], results: &[Results], figures: &[Figure]) -> bool {
    let [before, after] = machine;
    println!("machine: {:.0} fdatasync/s, {:.0} MB/s sha256 before; ", before.syncs, before.sha256);
    println!("         {:.0} fdatasync/s, {:.0} MB/s sha256 after", after.syncs, after.sha256);
    println!(
        "\n{:<38} {:<22} {:>9} {:>9} {:>9} {:>10} {:>10}",
        "", "", "req/s", "p50 ms", "p99 ms", "CPU µs/req", "bytes"
    );
    for result in results {
        for (runner, run) in &result.by_runner {
            let Run { rate, p50, p99, cpu, size } = run;
            let workload = result.workload;
            println!("{workload:<38} {runner:<22} {rate:>9.0} {p50:>9.2} {p99:>9.2} {cpu:>10.1} {size:>10}");
        }
    }
    println!();
    for figure in figures {
        for (runner, value) in &figure.by_runner {
            println!("{:<38} {runner:<22} {value:>9.0} {}", figure.name, figure.unit);
        }
    }
    println!("\ntargets");
    let mut met = true;
    for (workload, aim) in AIMS {
        let Some((text, is_met)) = judge(workload, aim, results, figures) else {
            println!("  ----  {workload}: not judged");
            met = false;
            continue;
        };
        met &= is_met;
        println!("  {}  {workload}: {text}", if is_met { "met " } else { "MISS" });
    }
    met
}

fn judge(workload: &str, aim: &Aim, results: &[Results], figures: &[Figure]) -> Option<(String, bool)> {
    let run = |runner: &str| results.iter().find(|result| result.workload == workload)?.by_runner.get(runner);
    Some(match aim {
        Aim::Rate(least) => {
            let ratio = run(EKSILE)?.rate / run(PEER)?.rate;
            (format!("{ratio:.1} × the peer's throughput (at least {least})"), ratio >= *least)
        }
        Aim::Cpu(most) => {
            let cpu = run(EKSILE)?.cpu;
            (format!("{cpu:.1} µs of server CPU a request (at most {most})"), cpu <= *most)
        }
        Aim::Floor(most) => {
            let ratio = run(EKSILE)?.p50 / run(FLOOR)?.p50;
            (format!("{ratio:.2} × the floor's time (at most {most})"), ratio <= *most)
        }
        Aim::P99(most) => {
            let ratio = run(EKSILE)?.p99 / run(PEER)?.p99;
            (format!("{ratio:.2} × the peer's p99 (at most {most})"), ratio <= *most)
        }
        Aim::Figure(most) => {
            let values = &figures.iter().find(|figure| figure.name == workload)?.by_runner;
            let ratio = values.get(EKSILE)? / values.get(PEER)?;
            (format!("{ratio:.2} × the peer's (at most {most})"), ratio <= *most)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(rate: f64, p50: f64, p99: f64, cpu: f64) -> Run {
        Run { rate, p50, p99, cpu, size: 1 }
    }

    #[test]
    fn aims_are_judged_by_ratio() {
        let by_runner = BTreeMap::from([
            (EKSILE, run(700.0, 1.2, 5.0, 50.0)),
            (PEER, run(100.0, 9.0, 8.0, 500.0)),
            (FLOOR, run(900.0, 1.0, 2.0, 10.0)),
        ]);
        let results = [Results { workload: "w", by_runner }];
        let figures = [Figure { name: "m", unit: "MB", by_runner: BTreeMap::from([(EKSILE, 30.0), (PEER, 100.0)]) }];
        let met = |workload, aim: Aim| judge(workload, &aim, &results, &figures).map(|(_, met)| met);
        assert_eq!(met("w", Aim::Rate(6.0)), Some(true));
        assert_eq!(met("w", Aim::Rate(7.1)), Some(false));
        assert_eq!(met("w", Aim::Cpu(50.0)), Some(true));
        assert_eq!(met("w", Aim::Cpu(49.0)), Some(false));
        assert_eq!(met("w", Aim::Floor(1.3)), Some(true));
        assert_eq!(met("w", Aim::P99(0.5)), Some(false));
        assert_eq!(met("m", Aim::Figure(0.2)), Some(false));
        assert_eq!(met("none", Aim::Rate(6.0)), None);
    }
}
