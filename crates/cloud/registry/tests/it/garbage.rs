//! Whatever comes in, an answer of the distribution API goes out.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::world::{ACCOUNT, World, send};

#[test]
fn no_request_breaks_the_registry() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (world, login) = runtime.block_on(async {
        let world = World::start().await;
        let login = world.repository(ACCOUNT, "app").await;
        (world, login)
    });
    let path = "/v2(/|/app|/a|/blobs|/uploads|/manifests|/tags|/list|/sha256:[0-9a-f]{64}|/v1|/%2e%2e|/[a-z.:%0-9]{0,8}){0,6}(\\?(n|last|digest|mount|from)=[a-z0-9:%]{0,9}(&digest=sha256:[0-9a-f]{64})?)?";
    let header = ("(range|content-range|content-type|host)", "[ -~]{0,30}");
    let body = proptest::collection::vec(any::<u8>(), 0..60);
    let strategy = ("(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)", path, header, body);
    let mut runner = TestRunner::new(Config { cases: 1_500, failure_persistence: None, ..Config::default() });
    let run = runner.run(&strategy, |(method, path, (name, value), body)| {
        let answer = runtime.block_on(send(&world.registry, &login, &method, &path, &[(&name, &value)], &body));
        prop_assert!(answer.status < 500, "{method} {path}: {answer:?}");
        if answer.status >= 400 {
            prop_assert!(!answer.code().is_empty());
        }
        Ok(())
    });
    run.unwrap();
}
