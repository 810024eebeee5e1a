//! Random transactions against a naive model that copies the whole map at every revision.

use std::collections::BTreeMap;

use eksile_store::{Options, Revision, Store};
use proptest::prelude::*;

use crate::world::{World, memory, ready, run, sqlite, text, write};

#[derive(Debug, Clone)]
enum Step {
    /// Puts (`Some`) and deletes in one transaction.
    Write(Vec<(u8, Option<u8>)>),
    Compact(u8),
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => prop::collection::vec((0..6_u8, prop::option::weighted(0.7, any::<u8>())), 1..4).prop_map(Step::Write),
        1 => (0..6_u8).prop_map(Step::Compact),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..40)
}

type Map = BTreeMap<String, String>;

struct Model {
    /// The content at each revision, from 0.
    past: Vec<Map>,
    /// The least that must be reachable.
    oldest: u64,
}

fn key(n: u8) -> String {
    format!("/{}/{n}", n % 2)
}

fn check(store: &Store, model: &Model, seen: &Map) {
    assert_eq!(store.revision().0 as usize, model.past.len() - 1);
    assert!(store.oldest().0 <= model.oldest);
    assert_eq!(seen, &model.past[model.past.len() - 1]);
    for at in model.oldest..model.past.len() as u64 {
        let view = store.view_at(Revision(at)).unwrap();
        let map = &model.past[at as usize];
        let all: Map = view.scan("/", None, usize::MAX).iter().map(|e| (e.key.to_string(), text(&e.value))).collect();
        assert_eq!(&all, map, "at {at}");
        assert_eq!(view.count("/1/"), map.keys().filter(|key| key.starts_with("/1/")).count());
        for n in 0..6 {
            assert_eq!(view.get(&key(n)).map(|e| text(&e.value)).as_ref(), map.get(&key(n)));
        }
    }
}

fn apply(changes: Vec<(u64, String, Option<String>)>, map: &mut Map) {
    for (_, key, value) in changes {
        match value {
            Some(value) => map.insert(key, value),
            None => map.remove(&key),
        };
    }
}

/// What changes, put by put, is what the model says at every revision that can be reached.
async fn follow(mut world: World, options: Options, steps: Vec<Step>) {
    let mut model = Model { past: vec![Map::new()], oldest: 0 };
    let mut watch = world.store.watch("/", Revision(0)).unwrap();
    let mut seen = Map::new();
    for step in steps {
        match step {
            Step::Write(changes) => {
                let mut next = model.past[model.past.len() - 1].clone();
                let committed = write(&world.store, |txn| {
                    for (n, value) in &changes {
                        match value {
                            Some(value) => txn.put(&key(*n), value.to_string()),
                            None => drop(txn.delete(&key(*n))),
                        }
                    }
                })
                .await;
                apply(changes.into_iter().map(|(n, v)| (0, key(n), v.map(|v| v.to_string()))).collect(), &mut next);
                if committed.revision.0 as usize == model.past.len() {
                    model.past.push(next);
                } else {
                    assert_eq!(next, model.past[model.past.len() - 1]);
                }
            }
            Step::Compact(back) => {
                let to = world.store.revision().0.saturating_sub(back.into());
                world.store.compact(Revision(to));
                model.oldest = model.oldest.max(to);
            }
            Step::Reopen if world.folder.is_some() => {
                let from = world.store.revision();
                apply(ready(&mut watch).await, &mut seen);
                world = world.reopen(options);
                // Resumed from where it was, as a client would.
                watch = world.store.watch("/", from).unwrap();
            }
            Step::Reopen => {}
        }
        apply(ready(&mut watch).await, &mut seen);
        check(&world.store, &model, &seen);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn memory_follows_the_model(steps in steps()) {
        run(follow(memory(Options::default()), Options::default(), steps));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sqlite_follows_the_model(steps in steps()) {
        run(follow(sqlite(Options::default()), Options::default(), steps));
    }
}
