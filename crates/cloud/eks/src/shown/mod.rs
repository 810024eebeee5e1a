//! Records as the API shows them.

mod access_entry;
mod cluster;

pub(crate) use access_entry::AccessEntryShown;
pub(crate) use cluster::ClusterShown;

use jiff::Timestamp;

/// A stored time; the epoch for one that no clock could have written.
fn time(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH)
}
