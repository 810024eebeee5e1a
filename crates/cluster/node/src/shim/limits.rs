//! What a container's control group limits, written by the shim itself.
//!
//! The runtime library would write the rules for devices, too, and fail: a user namespace may not (kernel documentation,
//! "Device Whitelist Controller"). The instance's own group has them, and no device can be made in a user namespace.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::cgroup::{directory, unified};

/// Length of the period that [`Limits::cpu`] is a share of, in microseconds: the kubelet's default.
const PERIOD: i64 = 100_000;

/// Limits of one container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Weight against others, 1024 a processor; the kernel's least is 2.
    pub shares: u64,
    /// Most of processors, in thousandths of one.
    pub cpu: Option<i64>,
    /// Most memory, in bytes.
    pub memory: Option<i64>,
    /// Most processes and threads at once; one more is refused with EAGAIN.
    #[serde(default)]
    pub processes: Option<i64>,
}

/// Sets the limits of a group that exists.
///
/// # Errors
/// What the kernel refuses.
pub(super) fn apply(cgroup: &Path, limits: &Limits) -> io::Result<()> {
    let quota = limits.cpu.map(|milli| milli.saturating_mul(PERIOD / 1000).max(1000));
    let mut files: Vec<(&str, &str, String)> = Vec::new();
    if unified() {
        // As runc maps 2..=262144 to 1..=10000.
        let weight = 1 + limits.shares.clamp(2, 262_144).saturating_sub(2) * 9999 / 262_142;
        files.push(("cpu", "cpu.weight", weight.to_string()));
        files.extend(limits.memory.map(|bytes| ("memory", "memory.max", bytes.to_string())));
        files.extend(quota.map(|quota| ("cpu", "cpu.max", format!("{quota} {PERIOD}"))));
    } else {
        files.push(("cpu", "cpu.shares", limits.shares.max(2).to_string()));
        files.extend(limits.memory.map(|bytes| ("memory", "memory.limit_in_bytes", bytes.to_string())));
        files.extend(quota.iter().flat_map(|quota| {
            [("cpu", "cpu.cfs_period_us", PERIOD.to_string()), ("cpu", "cpu.cfs_quota_us", quota.to_string())]
        }));
    }
    files.extend(limits.processes.map(|count| ("pids", "pids.max", count.to_string())));
    for (controller, file, value) in files {
        let path = directory(controller, cgroup).join(file);
        match fs::write(&path, &value) {
            // More than the node has is no limit: what the node has is. (Version 1 refuses it.)
            Err(error) if error.kind() == ErrorKind::InvalidInput && file == "cpu.cfs_quota_us" => {}
            written => {
                written
                    .map_err(|error| io::Error::new(error.kind(), format!("{value} to {}: {error}", path.display())))?;
            }
        }
    }
    Ok(())
}
