//! Every decoder of foreign bytes answers whatever comes: the fuzzer's targets, for a moment, with bytes at random and
//! with such as they take, changed here and there.

#[expect(unreachable_pub, reason = "a library of its own for the fuzzer")]
#[path = "../../fuzz/src/lib.rs"]
mod targets;

use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// How long each is tried; `EKSILE_ATTACK=long` takes twenty times as long.
const MOMENT: Duration = Duration::from_millis(1500);

/// What is done to bytes that a decoder takes.
#[derive(Debug, Clone)]
enum Change {
    Set(usize, u8),
    Insert(usize, Vec<u8>),
    Cut(usize, usize),
    Repeat(usize, usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let at = 0..4096_usize;
    let bytes = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..8),
        "[\\[\\]{}:,\"&*!|>%$./0-9eE+-]{1,6}".prop_map(String::into_bytes),
    ];
    prop_oneof![
        (at.clone(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (at.clone(), bytes).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (at.clone(), 1..64_usize).prop_map(|(at, length)| Change::Cut(at, length)),
        (at, 1..64_usize, 2..40_usize).prop_map(|(at, length, times)| Change::Repeat(at, length, times)),
    ]
}

fn changed(seed: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for change in changes {
        let place = |at: usize| at % (bytes.len() + 1);
        match change {
            Change::Set(at, byte) => {
                let at = place(*at);
                if let Some(slot) = bytes.get_mut(at) {
                    *slot = *byte;
                }
            }
            Change::Insert(at, more) => {
                let at = place(*at);
                bytes.splice(at..at, more.iter().copied());
            }
            Change::Cut(at, length) => {
                let (at, end) = (place(*at), (place(*at) + length).min(bytes.len()));
                bytes.drain(at..end);
            }
            Change::Repeat(at, length, times) => {
                let (at, end) = (place(*at), (place(*at) + length).min(bytes.len()));
                let again = bytes[at..end].repeat(*times);
                bytes.splice(at..at, again);
            }
        }
    }
    bytes
}

fn try_target((name, target, seeds): &targets::Target, moment: Duration) {
    let begun = Instant::now();
    let mut runner = TestRunner::new(Config { cases: 64, failure_persistence: None, ..Config::default() });
    seeds.iter().for_each(|seed| target(seed));
    let near = (0..seeds.len(), proptest::collection::vec(change(), 1..6));
    while begun.elapsed() < moment {
        let far = runner.run(&proptest::collection::vec(any::<u8>(), 0..300), |bytes| {
            target(&bytes);
            Ok(())
        });
        assert!(far.is_ok(), "{name}: {far:?}");
        let near = runner.run(&near, |(seed, changes)| {
            target(&changed(seeds[seed], &changes));
            Ok(())
        });
        assert!(near.is_ok(), "{name}: {near:?}");
    }
}

#[test]
fn no_bytes_kill_a_decoder() {
    let long = std::env::var("EKSILE_ATTACK").is_ok_and(|length| length == "long");
    let moment = if long { MOMENT * 20 } else { MOMENT };
    for target in targets::TARGETS {
        try_target(target, moment);
    }
    targets::run("yaml", b"a: 1");
}
