//! First figures, printed beside their targets; nothing is asserted of them, since the machine is shared.

use std::time::Duration;

use crate::installation::Installation;

pub(crate) fn print(at: &Installation, up: Duration) {
    println!("up to ready: {} ms (target 1000)", up.as_millis());
    let pids = at.pids(&[at.data.path().to_str().unwrap()]);
    let resident: u64 = pids.iter().chain(&at.pids(&["shim"])).map(|pid| resident_kib(*pid)).sum();
    println!("all processes resident: {} MiB (target 100)", resident / 1024);
}

/// `VmRSS` of `/proc/PID/status`, proc(5).
fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
