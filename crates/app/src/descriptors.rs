//! How many files and connections a process may have open.

use anyhow::{Context as _, Result};
use rustix::process::{Resource, getrlimit, setrlimit};

/// No more than this, whatever the hard limit is: programs that close all that they might have inherited go through every
/// number (and an instance's and a container's are what this process's are).
const MOST: u64 = 1 << 20;

/// Raises the soft limit to the hard one: the usual soft limit, 1024, is for programs that use select(2), and listeners
/// here would have places for a quarter of it.
pub(crate) fn raise() -> Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(MOST).min(MOST);
    if limit.current.is_some_and(|current| current < wanted) {
        limit.current = Some(wanted);
        setrlimit(Resource::Nofile, limit).context("raising the limit of open files")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_soft_limit_is_raised_and_a_hard_one_stays() {
        let before = getrlimit(Resource::Nofile);
        let half = before.current.map(|current| current / 2);
        setrlimit(Resource::Nofile, rustix::process::Rlimit { current: half, maximum: before.maximum }).unwrap();
        raise().unwrap();
        let after = getrlimit(Resource::Nofile);
        assert_eq!(after.current, Some(before.maximum.unwrap_or(MOST).min(MOST)));
        assert_eq!(after.maximum, before.maximum);
    }
}
