//! Ids and chance, handed in.

use std::sync::atomic::{AtomicU64, Ordering};

use eksile_base::{entropy, ids};

/// Makes ids and secrets for operations.
pub trait Mint: Send + Sync {
    /// `vpc-` and 17 hexadecimal digits, for `vpc`.
    fn id(&self, prefix: &str) -> String;
    /// A version 4 UUID.
    fn uuid(&self) -> String;
    /// A principal's unique id or an access key id: 21 characters with the prefix, upper-case.
    fn principal(&self, prefix: &str) -> String;
    /// `length` characters of `alphabet` (ASCII), drawn evenly.
    fn text(&self, alphabet: &[u8], length: usize) -> String;
}

/// From the operating system's entropy.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemMint;

impl Mint for SystemMint {
    fn id(&self, prefix: &str) -> String {
        ids::aws(prefix)
    }

    fn uuid(&self) -> String {
        ids::uuid()
    }

    fn principal(&self, prefix: &str) -> String {
        ids::principal(prefix)
    }

    fn text(&self, alphabet: &[u8], length: usize) -> String {
        entropy::text(alphabet, length)
    }
}

/// Counts up, so that a golden test sees the same ids each time. Never for secrets of a real installation.
#[derive(Debug, Default)]
pub struct CountedMint(AtomicU64);

impl CountedMint {
    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl Mint for CountedMint {
    fn id(&self, prefix: &str) -> String {
        format!("{prefix}-{:017x}", self.next())
    }

    fn uuid(&self) -> String {
        format!("00000000-0000-4000-8000-{:012x}", self.next())
    }

    fn principal(&self, prefix: &str) -> String {
        format!("{prefix}{:0>width$}", self.next(), width = 21_usize.saturating_sub(prefix.len()))
    }

    fn text(&self, alphabet: &[u8], length: usize) -> String {
        let start = usize::try_from(self.next()).unwrap_or_default();
        (0..length).map(|at| char::from(alphabet[(start + at) % alphabet.len()])).collect()
    }
}
