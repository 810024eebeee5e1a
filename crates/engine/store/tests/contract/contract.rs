//! The contract: each function runs once on every kind of store.

use std::{sync::Barrier, thread};

use eksile_store::{
    Entry, Key, Options, Record, RecordError, Revision, Scope, Store, ViewError, WatchError, WatchItem, WriteError,
};
use serde::{Deserialize, Serialize};

use crate::world::{change, delete, memory, put, ready, run, sqlite, text, write};

macro_rules! contract {
    ($($name:ident $(($options:expr))?),* $(,)?) => {
        mod on_memory { $( #[test] fn $name() { super::run(super::$name(&super::memory(options!($($options)?)).store)); } )* }
        mod on_sqlite { $( #[test] fn $name() {
            let world = super::sqlite(options!($($options)?));
            super::run(super::$name(&world.store));
        } )* }
    };
}

macro_rules! options {
    () => {
        eksile_store::Options::default()
    };
    ($options:expr) => {
        $options
    };
}

contract! {
    revisions_number_commits,
    entries_tell_their_life,
    scans_in_order_and_pages,
    a_view_stays_as_it_was,
    a_view_of_the_past,
    transactions_see_themselves,
    a_transaction_is_one_revision,
    a_refusal_changes_nothing,
    nothing_written_nothing_committed,
    created_and_deleted_in_one_is_nothing,
    concurrent_writers_never_lose_an_update,
    watch_hands_out_the_past_then_what_comes,
    watch_only_behind_the_prefix,
    watch_wakes_its_reader,
    watch_tells_progress,
    an_answered_write_is_published,
    compaction_forgets,
    a_held_view_outlives_compaction,
    the_window_moves(super::small()),
    superseded_bytes_bound_the_window(super::few_bytes()),
    a_slow_watch_is_cut(super::small()),
    a_long_past_does_not_cut(super::small()),
    watches_end_with_the_store,
    records_round_trip,
    records_migrate,
}

fn small() -> Options {
    Options { history_changes: 16, backlog: 4, ..Options::default() }
}

fn few_bytes() -> Options {
    Options { history_bytes: 1_000, ..Options::default() }
}

fn keys(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| &*entry.key).collect()
}

async fn revisions_number_commits(store: &Store) {
    assert_eq!(store.revision(), Revision(0));
    assert_eq!(put(store, "/a", "1").await, Revision(1));
    assert_eq!(put(store, "/b", "1").await, Revision(2));
    assert_eq!(delete(store, "/a").await, Revision(3));
    assert_eq!(store.revision(), Revision(3));
}

async fn entries_tell_their_life(store: &Store) {
    put(store, "/other", "").await;
    put(store, "/a", "1").await;
    put(store, "/a", "2").await;
    let entry = store.view().get("/a").unwrap();
    assert_eq!((entry.created, entry.modified, entry.version), (Revision(2), Revision(3), 2));
    assert_eq!(text(&entry.value), "2");
    delete(store, "/a").await;
    assert_eq!(store.view().get("/a"), None);
    put(store, "/a", "3").await;
    let entry = store.view().get("/a").unwrap();
    assert_eq!((entry.created, entry.modified, entry.version), (Revision(5), Revision(5), 1));
}

async fn scans_in_order_and_pages(store: &Store) {
    for key in ["/p/c", "/p/a", "/q", "/p/b", "/p", "/o"] {
        put(store, key, "").await;
    }
    let view = store.view();
    assert_eq!(keys(&view.scan("/p/", None, usize::MAX)), ["/p/a", "/p/b", "/p/c"]);
    assert_eq!(keys(&view.scan("/p/", None, 2)), ["/p/a", "/p/b"]);
    assert_eq!(keys(&view.scan("/p/", Some("/p/b"), 2)), ["/p/c"]);
    assert_eq!(keys(&view.scan("/p/", Some("/p/bb"), 2)), ["/p/c"]);
    assert_eq!(keys(&view.scan("/p/", Some("/a"), 1)), ["/p/a"]);
    assert_eq!(keys(&view.scan("/p/", Some("/z"), 1)), [""; 0]);
    assert_eq!(keys(&view.scan("", None, usize::MAX)).len(), 6);
    assert_eq!(view.scan("/p/", None, 0), []);
    assert_eq!((view.count("/p/"), view.count("/p"), view.count("/none")), (3, 4, 0));
    let second = view.scan("/p/", None, 2)[1].key.clone();
    assert_eq!(
        (view.count_after("/p/", &second), view.count_after("/p/", ""), view.count_after("/p/", "/q")),
        (1, 3, 0)
    );
}

async fn a_view_stays_as_it_was(store: &Store) {
    put(store, "/a", "1").await;
    let view = store.view();
    put(store, "/a", "2").await;
    put(store, "/b", "1").await;
    delete(store, "/a").await;
    assert_eq!(view.revision(), Revision(1));
    assert_eq!(text(&view.get("/a").unwrap().value), "1");
    assert_eq!(keys(&view.clone().scan("/", None, 9)), ["/a"]);
    assert_eq!(keys(&store.view().scan("/", None, 9)), ["/b"]);
}

async fn a_view_of_the_past(store: &Store) {
    put(store, "/a", "1").await;
    put(store, "/a", "2").await;
    assert_eq!(text(&store.view_at(Revision(1)).unwrap().get("/a").unwrap().value), "1");
    assert_eq!(store.view_at(Revision(0)).unwrap().get("/a"), None);
    assert_eq!(store.view_at(Revision(3)).unwrap_err(), ViewError::Future { current: Revision(2) });
}

async fn transactions_see_themselves(store: &Store) {
    for key in ["/a", "/c", "/e"] {
        put(store, key, "old").await;
    }
    write(store, |txn| {
        assert_eq!(txn.revision(), Revision(4));
        txn.put("/b", "new");
        txn.put("/c", "new");
        assert!(txn.delete("/e"));
        assert!(!txn.delete("/e"));
        txn.put("/f", "new");
        assert_eq!(keys(&txn.scan("/", None, usize::MAX)), ["/a", "/b", "/c", "/f"]);
        assert_eq!(keys(&txn.scan("/", Some("/a"), 2)), ["/b", "/c"]);
        assert_eq!(txn.count("/"), 4);
        assert_eq!(text(&txn.get("/c").unwrap().value), "new");
        assert_eq!(txn.get("/e"), None);
        txn.put("/e", "again");
        let entry = txn.get("/e").unwrap();
        assert_eq!((entry.created, entry.version), (Revision(4), 1));
        assert_eq!(keys(&txn.scan("/", None, usize::MAX)), ["/a", "/b", "/c", "/e", "/f"]);
    })
    .await;
    assert_eq!(keys(&store.view().scan("/", None, usize::MAX)), ["/a", "/b", "/c", "/e", "/f"]);
}

async fn a_transaction_is_one_revision(store: &Store) {
    put(store, "/c", "old").await;
    let mut watch = store.watch("/", Revision(1)).unwrap();
    write(store, |txn| {
        txn.put("/b", "1");
        txn.put("/b", "2");
        txn.put("/a", "1");
        txn.delete("/c");
    })
    .await;
    let seen = ready(&mut watch).await;
    let of = |key: &str, value: Option<&str>| (2, key.to_owned(), value.map(str::to_owned));
    assert_eq!(seen, [of("/a", Some("1")), of("/b", Some("2")), of("/c", None)]);
    assert_eq!(store.view().get("/b").unwrap().version, 1);
}

async fn a_refusal_changes_nothing(store: &Store) {
    let refused = store
        .write(|txn| {
            txn.put("/a", "1");
            Err::<(), _>("no")
        })
        .await;
    assert!(matches!(refused, Err(WriteError::Refused("no"))), "{refused:?}");
    assert_eq!(store.view().get("/a"), None);
    assert_eq!(put(store, "/b", "1").await, Revision(1));
}

async fn nothing_written_nothing_committed(store: &Store) {
    put(store, "/a", "1").await;
    let read = write(store, |txn| txn.get("/a").is_some()).await;
    assert_eq!((read.revision, read.value), (Revision(1), true));
    assert_eq!(store.revision(), Revision(1));
}

async fn created_and_deleted_in_one_is_nothing(store: &Store) {
    let committed = write(store, |txn| {
        txn.put("/a", "1");
        assert!(txn.delete("/a"));
        assert_eq!(txn.get("/a"), None);
    })
    .await;
    assert_eq!((committed.revision, store.revision()), (Revision(0), Revision(0)));
}

async fn concurrent_writers_never_lose_an_update(store: &Store) {
    let barrier = Barrier::new(4);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                barrier.wait();
                run(async {
                    for _ in 0..50 {
                        write(store, |txn| {
                            let now = txn.get("/n").map_or(0, |entry| text(&entry.value).parse::<u32>().unwrap());
                            txn.put("/n", (now + 1).to_string());
                        })
                        .await;
                    }
                });
            });
        }
    });
    let entry = store.view().get("/n").unwrap();
    assert_eq!((text(&entry.value).as_str(), entry.version, store.revision()), ("200", 200, Revision(200)));
}

async fn watch_hands_out_the_past_then_what_comes(store: &Store) {
    put(store, "/a", "1").await;
    put(store, "/a", "2").await;
    let mut watch = store.watch("/a", Revision(1)).unwrap();
    delete(store, "/a").await;
    put(store, "/a", "3").await;
    let first = change(&mut watch).await.unwrap();
    assert_eq!((first.revision, first.value.as_deref()), (Revision(2), Some(&b"2"[..])));
    let previous = first.previous.as_ref().unwrap();
    assert_eq!((previous.modified, text(&previous.value).as_str()), (Revision(1), "1"));
    let second = change(&mut watch).await.unwrap();
    assert_eq!((second.revision, second.value.is_none()), (Revision(3), true));
    assert_eq!(second.previous.as_ref().unwrap().version, 2);
    let third = change(&mut watch).await.unwrap();
    assert_eq!((third.revision, third.previous.is_none()), (Revision(4), true));
    assert!(matches!(store.watch("/a", Revision(9)), Err(ViewError::Future { current: Revision(4) })));
}

async fn watch_only_behind_the_prefix(store: &Store) {
    let mut some = store.watch("/p/", Revision(0)).unwrap();
    let mut one = store.watch("/p/a", Revision(0)).unwrap();
    let mut all = store.watch("", Revision(0)).unwrap();
    let dropped = store.watch("/p/", Revision(0)).unwrap();
    for key in ["/o", "/p/a", "/p", "/p/é", "/q"] {
        put(store, key, "").await;
    }
    drop(dropped);
    put(store, "/p/b", "").await;
    let seen = |changes: Vec<(u64, String, Option<String>)>| changes.into_iter().map(|(at, ..)| at).collect::<Vec<_>>();
    assert_eq!(seen(ready(&mut some).await), [2, 4, 6]);
    assert_eq!(seen(ready(&mut one).await), [2]);
    assert_eq!(seen(ready(&mut all).await), [1, 2, 3, 4, 5, 6]);
}

async fn watch_wakes_its_reader(store: &Store) {
    let mut watch = store.watch("/", Revision(0)).unwrap();
    assert_eq!(ready(&mut watch).await, []);
    let (seen, _) = tokio::join!(change(&mut watch), put(store, "/a", "1"));
    assert_eq!(seen.unwrap().revision, Revision(1));
}

async fn watch_tells_progress(store: &Store) {
    put(store, "/a", "1").await;
    put(store, "/elsewhere", "1").await;
    let mut watch = store.watch("/a", Revision(0)).unwrap();
    assert_eq!(watch.progress(), None);
    assert!(matches!(watch.next().await, Ok(WatchItem::Change(_))));
    assert!(matches!(watch.next().await, Ok(WatchItem::Progress(Revision(2)))));
    put(store, "/elsewhere", "2").await;
    assert_eq!(watch.progress(), Some(Revision(3)));
    put(store, "/a", "2").await;
    assert_eq!(watch.progress(), None);
}

async fn an_answered_write_is_published(store: &Store) {
    let mut watch = store.watch("/", Revision(0)).unwrap();
    for n in 1..=20 {
        let revision = put(store, "/a", "1").await;
        assert_eq!((revision, store.view().revision()), (Revision(n), Revision(n)));
        assert_eq!(ready(&mut watch).await.len(), 1);
    }
}

async fn compaction_forgets(store: &Store) {
    for value in ["1", "2", "3"] {
        put(store, "/a", value).await;
    }
    delete(store, "/b").await;
    store.compact(Revision(2));
    assert_eq!(store.oldest(), Revision(2));
    assert_eq!(store.view_at(Revision(1)).unwrap_err(), ViewError::Compacted { oldest: Revision(2) });
    assert_eq!(store.watch("/", Revision(1)).unwrap_err(), ViewError::Compacted { oldest: Revision(2) });
    assert_eq!(text(&store.view_at(Revision(2)).unwrap().get("/a").unwrap().value), "2");
    assert_eq!(ready(&mut store.watch("/", Revision(2)).unwrap()).await.len(), 1);
    store.compact(Revision(1));
    assert_eq!(store.oldest(), Revision(2));
    store.compact(Revision(99));
    assert_eq!(store.oldest(), store.revision());
    put(store, "/a", "4").await;
    assert_eq!(text(&store.view_at(Revision(3)).unwrap().get("/a").unwrap().value), "3");
}

async fn a_held_view_outlives_compaction(store: &Store) {
    put(store, "/a", "1").await;
    let view = store.view();
    let copy = view.clone();
    drop(view);
    put(store, "/a", "2").await;
    delete(store, "/a").await;
    store.compact(Revision(3));
    put(store, "/b", "1").await;
    put(store, "/b", "2").await;
    assert_eq!(text(&copy.get("/a").unwrap().value), "1");
}

async fn the_window_moves(store: &Store) {
    for n in 0..100 {
        put(store, "/a", &n.to_string()).await;
    }
    let oldest = store.oldest();
    assert!((80..=84).contains(&oldest.0), "{oldest}");
    assert!(store.watch("/", Revision(oldest.0 - 1)).is_err());
    assert_eq!(text(&store.view_at(oldest).unwrap().get("/a").unwrap().value), (oldest.0 - 1).to_string());
}

async fn superseded_bytes_bound_the_window(store: &Store) {
    for n in 0..20 {
        put(store, "/a", &n.to_string().repeat(100)).await;
    }
    // The last value is not superseded; the five before it have 200 bytes each.
    assert_eq!(store.oldest(), Revision(15));
}

async fn a_slow_watch_is_cut(store: &Store) {
    let mut slow = store.watch("/a", Revision(0)).unwrap();
    let mut idle = store.watch("/b", Revision(0)).unwrap();
    for _ in 0..20 {
        put(store, "/a", "1").await;
    }
    assert_eq!(change(&mut slow).await.unwrap_err(), WatchError::Compacted);
    assert_eq!(change(&mut slow).await.unwrap_err(), WatchError::Compacted);
    // Nothing happened behind the other's prefix: it is not behind, however far the window moved.
    put(store, "/b", "1").await;
    assert_eq!(change(&mut idle).await.unwrap().revision, Revision(21));
}

async fn a_long_past_does_not_cut(store: &Store) {
    for _ in 0..12 {
        put(store, "/a", "1").await;
    }
    let mut watch = store.watch("/a", Revision(0)).unwrap();
    put(store, "/a", "2").await;
    assert_eq!(ready(&mut watch).await.len(), 13);
}

async fn watches_end_with_the_store(store: &Store) {
    // The store under test is only borrowed: this needs one of its own.
    drop(store.view());
    let own = Store::in_memory();
    let mut watch = own.watch("/", Revision(0)).unwrap();
    put(&own, "/a", "1").await;
    drop(own);
    assert_eq!(change(&mut watch).await.unwrap().revision, Revision(1));
    assert_eq!(change(&mut watch).await.unwrap_err(), WatchError::Closed);
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Thing {
    id: String,
    size: u32,
}

impl Record for Thing {
    const SERVICE: &'static str = "test";
    const KIND: &'static str = "thing";
    const VERSION: u32 = 2;

    fn id(&self) -> &str {
        &self.id
    }

    fn migrate(from: u32, mut value: serde_json::Value) -> Result<serde_json::Value, String> {
        if from != 1 {
            return Err(format!("no migration from {from}"));
        }
        value["size"] = 7.into();
        Ok(value)
    }
}

fn thing(id: &str) -> Thing {
    Thing { id: id.to_owned(), size: 1 }
}

async fn records_round_trip(store: &Store) {
    let scopes =
        [Scope::new("1", "us-west-2"), Scope::new("1", "us-west-20"), Scope::new("1", "us"), Scope::observed("op")];
    write(store, |txn| {
        txn.put("/registry/pods/default/a", "{}");
        for scope in &scopes {
            txn.put_record(scope, &thing("a/b")).unwrap();
            txn.put_record(scope, &thing("a")).unwrap();
            txn.put(&format!("/{}/{}/test/thin/a", scope.account, scope.region), "{}");
        }
        assert_eq!(txn.all_records::<Thing>().unwrap().len(), 8);
        assert!(txn.delete_record::<Thing>(&scopes[0], "a"));
        assert_eq!(txn.records::<Thing>(&scopes[0]).unwrap(), [thing("a/b")]);
    })
    .await;
    let view = store.view();
    assert_eq!(text(&view.get("/1/us/test/thing/a").unwrap().value), r#"{"v":2,"r":{"id":"a","size":1}}"#);
    assert_eq!(view.record::<Thing>(&scopes[0], "a").unwrap(), None);
    assert_eq!(view.record::<Thing>(&scopes[1], "a/b").unwrap(), Some(thing("a/b")));
    let all = view.all_records::<Thing>().unwrap();
    let of =
        |scope: &Scope| all.iter().filter(|(other, _)| other == scope).map(|(_, t)| t.id.clone()).collect::<Vec<_>>();
    assert_eq!((of(&scopes[0]), of(&scopes[1]), all.len()), (vec!["a/b".into()], vec!["a".into(), "a/b".into()], 7));
    let key = scopes[3].key::<Thing>("a/b");
    let parsed = Key::parse(&key).unwrap();
    assert_eq!(
        (parsed.scope(), parsed.id, parsed.is::<Thing>(), parsed.to_string()),
        (scopes[3].clone(), "a/b", true, key.clone())
    );
    for bad in ["", "/", "a/b/c/d/e", "/a/b/c/d", "/a/b/c/d/", "/a//c/d/e"] {
        assert!(Key::parse(bad).is_err(), "{bad}");
    }
}

async fn records_migrate(store: &Store) {
    let scope = Scope::new("1", "us");
    let stored = |id: &str| scope.key::<Thing>(id);
    write(store, |txn| {
        txn.put(&stored("old"), r#"{"v":1,"r":{"id":"old"}}"#);
        txn.put(&stored("older"), r#"{"v":0,"r":{"id":"older"}}"#);
        txn.put(&stored("newer"), r#"{"v":3,"r":{"id":"newer"}}"#);
        txn.put(&stored("broken"), "{");
    })
    .await;
    let view = store.view();
    let read = |id| view.record::<Thing>(&scope, id);
    assert_eq!(read("old").unwrap(), Some(Thing { id: "old".into(), size: 7 }));
    assert!(matches!(read("older"), Err(RecordError::Migration { .. })));
    assert!(matches!(read("newer"), Err(RecordError::Newer { found: 3, known: 2, .. })));
    assert!(matches!(read("broken"), Err(RecordError::Json { .. })));
    assert!(view.records::<Thing>(&scope).is_err());
}
