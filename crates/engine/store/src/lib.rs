//! Revisions, transactions, views and watches, in memory, made durable by SQLite.
//!
//! Every change gets a [`Revision`]. A [`View`] shows all keys as they were at one revision; [`Store::write`] runs a
//! closure alone and gives its puts and deletes one revision together; a [`Watch`] hands out every change behind a
//! prefix in order. Whoever is told of a change, by an answer or by a watch, is told after the disk has it.
//!
//! ```text
//! write ─► staged in the index (seen by later writes) ─► committer: one SQLite transaction a batch
//!                                                           └─► published: views, answers, watches
//! ```

mod change;
mod commit;
mod disk;
mod error;
mod hub;
mod index;
mod key;
mod record;
mod sqlite;
mod store;
mod txn;
mod typed;
mod view;
mod watch;

pub use change::{Change, Entry, Revision};
pub use error::{OpenError, RecordError, StoreError, ViewError, WatchError, WriteError};
pub use key::{Key, KeyError};
pub use record::{Record, Scope};
pub use store::{Committed, Options, Store};
pub use txn::Txn;
pub use view::View;
pub use watch::{Watch, WatchItem};
