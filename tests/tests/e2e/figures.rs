//! First figures, printed beside their targets; nothing is asserted of them, since the machine is shared.

use std::time::Duration;

use eksile_tests::installation::Installation;

pub(crate) fn print(at: &Installation, up: Duration) {
    println!("up to ready: {} ms (target 1000)", up.as_millis());
    let pids = at.pids(&[at.data.path().to_str().unwrap()]);
    let mut pids: Vec<u32> = pids.into_iter().chain(at.pids(&["shim"])).chain(at.pids(&["eksile node"])).collect();
    pids.sort_unstable();
    pids.dedup();
    let sum = |field| pids.iter().map(|pid| kib(*pid, field)).sum::<u64>() / 1024;
    println!("all processes resident: {} MiB, proportionally {} MiB (target 100)", sum("Rss:"), sum("Pss:"));
}

/// A figure of `/proc/PID/smaps_rollup`, proc(5): `Pss` shares what several processes map among them.
fn kib(pid: u32, field: &str) -> u64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = rollup.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
