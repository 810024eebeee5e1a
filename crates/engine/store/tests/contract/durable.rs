//! What only a durable store promises.

use std::{convert::Infallible, os::unix::fs::PermissionsExt};

use eksile_store::{Committed, OpenError, Options, Revision, Store, StoreError, ViewError, WriteError};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::world::{delete, put, ready, run, sqlite, text};

#[test]
fn everything_is_there_after_a_restart() {
    run(async {
        let mut world = sqlite(Options::default());
        put(&world.store, "/a", "1").await;
        put(&world.store, "/a", "2").await;
        put(&world.store, "/b", "1").await;
        delete(&world.store, "/b").await;
        let before = world.store.view().scan("", None, 9);
        let past = ready(&mut world.store.watch("", Revision(1)).unwrap()).await;
        world = world.reopen(Options::default());
        assert_eq!(world.store.view().scan("", None, 9), before);
        assert_eq!(world.store.revision(), Revision(4));
        assert_eq!(ready(&mut world.store.watch("", Revision(1)).unwrap()).await, past);
        assert_eq!(text(&world.store.view_at(Revision(1)).unwrap().get("/a").unwrap().value), "1");
        assert_eq!(put(&world.store, "/a", "3").await, Revision(5));
        assert_eq!(world.store.view().get("/a").unwrap().version, 3);
    });
}

#[test]
fn revisions_go_on_even_when_no_row_is_left() {
    run(async {
        let mut world = sqlite(Options::default());
        put(&world.store, "/a", "1").await;
        delete(&world.store, "/a").await;
        world.store.compact(Revision(2));
        // The next batch takes the forgotten rows along.
        put(&world.store, "/b", "1").await;
        world = world.reopen(Options::default());
        assert_eq!(world.store.watch("", Revision(1)).unwrap_err(), ViewError::Compacted { oldest: Revision(2) });
        delete(&world.store, "/b").await;
        world.store.compact(Revision(4));
        world = world.reopen(Options::default());
        assert_eq!(put(&world.store, "/c", "1").await, Revision(5));
    });
}

#[test]
fn the_window_bounds_the_file() {
    let options = Options { history_changes: 10, ..Options::default() };
    run(async {
        let mut world = sqlite(options);
        for n in 0..100 {
            put(&world.store, &format!("/{}", n % 3), "x").await;
        }
        let file = world.folder.as_ref().unwrap().path().join("store.db");
        let rows: i64 =
            Connection::open(file).unwrap().query_row("SELECT count(*) FROM change", [], |row| row.get(0)).unwrap();
        assert!((13..=20).contains(&rows), "{rows}");
        let oldest = world.store.oldest();
        world = world.reopen(options);
        // What was forgotten last may not have reached the disk: that goes with the next batch.
        assert!((oldest.0 - 2..=oldest.0).contains(&world.store.oldest().0), "{} {oldest}", world.store.oldest());
        assert_eq!(world.store.view().count(""), 3);
    });
}

#[test]
fn anyone_can_look_into_the_file() {
    run(async {
        let world = sqlite(Options::default());
        put(&world.store, "/a", "one").await;
        put(&world.store, "/b", "gone").await;
        delete(&world.store, "/b").await;
        put(&world.store, "/c", "old").await;
        put(&world.store, "/c", "new").await;
        let file = world.folder.as_ref().unwrap().path().join("store.db");
        let connection = Connection::open(file).unwrap();
        let mut statement = connection.prepare("SELECT key, value FROM current").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let rows: Vec<(String, String)> = rows.map(Result::unwrap).collect();
        assert_eq!(rows, [("/a".into(), "one".into()), ("/c".into(), "new".into())]);
    });
}

#[test]
fn only_the_owner_can_read_it() {
    run(async {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("new/deep/store.db");
        let store = Store::open(&path, Options::default()).unwrap();
        put(&store, "/a", "1").await;
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        for file in std::fs::read_dir(path.parent().unwrap()).unwrap().map(|file| file.unwrap().path()) {
            assert_eq!(mode(&file), 0o600, "{}", file.display());
        }
    });
}

#[test]
fn one_process_at_a_time() {
    let world = sqlite(Options::default());
    let path = world.folder.as_ref().unwrap().path().join("store.db");
    assert!(matches!(Store::open(&path, Options::default()), Err(OpenError::InUse)));
    drop(world.store);
    assert!(Store::open(&path, Options::default()).is_ok());
}

#[test]
fn what_is_not_a_store_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.db");
    std::fs::write(&path, "garbage, and rather more of it than a header has".repeat(100)).unwrap();
    assert!(matches!(Store::open(&path, Options::default()), Err(OpenError::Sqlite(_))));
    let world = sqlite(Options::default());
    let path = world.folder.as_ref().unwrap().path().join("store.db");
    drop(world.store);
    Connection::open(&path).unwrap().execute("UPDATE meta SET value = 99 WHERE name = 'format'", []).unwrap();
    assert!(matches!(Store::open(&path, Options::default()), Err(OpenError::Newer { found: 99, .. })));
}

#[test]
fn rows_out_of_order_are_refused() {
    run(async {
        let world = sqlite(Options::default());
        put(&world.store, "/a", "1").await;
        put(&world.store, "/b", "1").await;
        let path = world.folder.as_ref().unwrap().path().join("store.db");
        drop(world.store);
        Connection::open(&path).unwrap().execute("UPDATE change SET revision = 3 - revision", []).unwrap();
        assert!(matches!(Store::open(&path, Options::default()), Err(OpenError::Damaged(_))));
    });
}

/// The disk says no (here: a trigger), once and for all.
#[test]
fn a_disk_error_ends_writing_not_reading() {
    run(async {
        let world = sqlite(Options::default());
        put(&world.store, "/a", "1").await;
        let path = world.folder.as_ref().unwrap().path().join("store.db");
        let other = Connection::open(path).unwrap();
        other
            .execute_batch("CREATE TRIGGER full BEFORE INSERT ON change BEGIN SELECT RAISE(ABORT, 'disk full'); END")
            .unwrap();
        let mut watch = world.store.watch("", Revision(1)).unwrap();
        let failed = try_put(&world.store, "/a").await;
        let Err(WriteError::Failed(StoreError::Disk(cause))) = failed else { panic!("{failed:?}") };
        assert!(cause.to_string().contains("disk full"), "{cause}");
        other.execute_batch("DROP TRIGGER full").unwrap();
        let failed = try_put(&world.store, "/b").await;
        assert!(matches!(failed, Err(WriteError::Failed(StoreError::Disk(_)))), "{failed:?}");
        assert_eq!(world.store.view().scan("", None, 9).len(), 1);
        assert_eq!(text(&world.store.view().get("/a").unwrap().value), "1");
        while let Ok(item) = watch.next().await {
            assert!(matches!(item, eksile_store::WatchItem::Progress(_)), "{item:?}");
        }
    });
}

async fn try_put(store: &Store, key: &str) -> Result<Committed<()>, WriteError<Infallible>> {
    let put = store.write(|txn| {
        txn.put(key, "2");
        Ok(())
    });
    put.await
}

/// Many writers share a sync: far fewer commits reach the log than writes were answered.
#[test]
fn writers_share_a_commit() {
    let world = sqlite(Options::default());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..400 {
            let store = world.store.clone();
            writers.spawn(async move { put(&store, &format!("/{writer}"), "x").await });
        }
        writers.join_all().await;
    });
    assert_eq!((world.store.revision(), world.store.view().count("")), (Revision(400), 400));
    let log = std::fs::read(world.folder.as_ref().unwrap().path().join("store.db-wal")).unwrap();
    // https://www.sqlite.org/fileformat2.html#the_write_ahead_log: a header of 32 bytes with the page size at 8; frames
    // with a header of 24, which has the size of the database at 4 when it ends a transaction.
    let word = |at: usize| u32::from_be_bytes(log[at..at + 4].try_into().unwrap()) as usize;
    let commits = (32..log.len()).step_by(24 + word(8)).filter(|frame| word(frame + 4) != 0).count();
    assert!((1..100).contains(&commits), "{commits}");
}
