//! Revisions, transactions, views and watches, in memory, made durable by SQLite.

mod record;

pub use record::{Record, Scope};
