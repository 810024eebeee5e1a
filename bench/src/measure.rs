//! Latencies, and what a server's processes use.

use std::{fs, time::Duration};

use anyhow::Context;

/// Latencies of a run.
#[derive(Debug, Default)]
pub(crate) struct Latencies {
    micros: Vec<u32>,
}

impl Latencies {
    pub(crate) fn add(&mut self, latency: Duration) {
        self.micros.push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
    }

    pub(crate) fn merge(&mut self, other: Latencies) {
        self.micros.extend(other.micros);
    }

    pub(crate) fn count(&self) -> usize {
        self.micros.len()
    }

    /// Milliseconds below which the share `of` (0 to 1) lies.
    pub(crate) fn percentile(&mut self, of: f64) -> f64 {
        self.micros.sort_unstable();
        let last = self.micros.len().saturating_sub(1);
        self.micros.get((last as f64 * of).round() as usize).map_or(f64::NAN, |micros| f64::from(*micros) / 1e3)
    }
}

/// Processor time that the processes have used, user and system together.
pub(crate) fn cpu(pids: &[u32]) -> anyhow::Result<Duration> {
    let mut ticks = 0;
    for pid in pids {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("a server ended")?;
        // The second field, the program's name, may contain anything, but ends with the last parenthesis.
        let rest = stat.rsplit_once(") ").context("stat")?.1;
        // What follows begins with the third field of proc(5); utime and stime are the 14th and 15th.
        for field in rest.split(' ').skip(14 - 3).take(2) {
            ticks += field.parse::<u64>().context("a time in stat")?;
        }
    }
    // USER_HZ is 100 on every Linux that Rust has a target for.
    Ok(Duration::from_millis(ticks * 10))
}

/// Resident memory of the processes, bytes.
pub(crate) fn memory(pids: &[u32]) -> anyhow::Result<u64> {
    let mut total = 0;
    for pid in pids {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).context("a server ended")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
        total += kib << 10;
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn percentiles() {
        let mut latencies = Latencies::default();
        for millis in (1..=101).rev() {
            latencies.add(Duration::from_millis(millis));
        }
        assert_eq!((latencies.percentile(0.5), latencies.percentile(0.99), latencies.count()), (51.0, 100.0, 101));
        assert!(Latencies::default().percentile(0.5).is_nan());
    }

    #[test]
    fn own_processor_time_is_seen() {
        let own = [std::process::id()];
        let before = cpu(&own).unwrap();
        let start = Instant::now();
        while cpu(&own).unwrap() < before + Duration::from_millis(50) {
            assert!(start.elapsed() < Duration::from_secs(20));
        }
        // Nobody uses more than all cores.
        let cores = std::thread::available_parallelism().unwrap().get() as u32;
        assert!(cpu(&own).unwrap() - before <= (start.elapsed() + Duration::from_millis(50)) * cores);
        assert!(memory(&own).unwrap() > 1 << 20);
    }
}
