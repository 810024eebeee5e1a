//! Whatever comes in, an answer goes out.

use bytes::Bytes;
use eksile_aws::Vantage;
use http::Request;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::world::World;

const HEADERS: &[&str] =
    &["authorization", "x-amz-date", "x-amz-target", "content-type", "host", "x-amz-security-token"];

fn header_value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,80}",
        "AWS4-HMAC-SHA256 Credential=[A-Z/0-9a-z-]{0,40}/aws4_request, SignedHeaders=[a-z;-]{0,20}, Signature=[0-9a-f]{0,64}",
        "AWS4-HMAC-SHA256 Credential=AKIATEST/20260102/[a-z0-9-]{0,9}/(ec2|eks|ecr|sts|[a-z]{1,4})/aws4_request, SignedHeaders=host;x-amz-date, Signature=[0-9a-f]{64}",
        Just("20260102T030405Z".to_owned()),
        Just("application/x-www-form-urlencoded".to_owned()),
    ]
}

#[test]
fn no_request_kills_the_door() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let world = World::new();
    let headers = proptest::collection::vec((0..HEADERS.len(), header_value()), 0..6);
    let path = "/[a-z%0-9/.]{0,20}(\\?[A-Za-z&=%0-9.-]{0,60})?";
    let body = proptest::collection::vec(any::<u8>(), 0..100);
    let mut runner = TestRunner::new(Config { cases: 2_000, failure_persistence: None, ..Config::default() });
    let run = runner.run(&("(GET|POST|PUT|DELETE)", path, headers, body), |(method, path, headers, body)| {
        let mut request = Request::builder().method(&*method).uri(&*path);
        for (name, value) in &headers {
            request = request.header(HEADERS[*name], value);
        }
        let Ok(request) = request.body(Bytes::from(body)) else { return Ok(()) };
        let response = runtime.block_on(world.door.handle(request, Vantage::host()));
        prop_assert!(response.status().is_client_error(), "{response:?}");
        prop_assert!(!response.body().is_empty());
        Ok(())
    });
    run.unwrap();
}

#[test]
fn no_signed_form_kills_the_door() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let world = World::new();
    let form = "Action=(RunInstances|DescribeVpcs)(&(Filter|TagSpecification|MinCount|Tag|DryRun|NextToken|MaxResults)(\\.[0-9]{1,2}|\\.Name|\\.Value|\\.Tag|\\.Key){0,4}=[a-z0-9%*]{0,6}){0,5}";
    let mut runner = TestRunner::new(Config { cases: 1_000, failure_persistence: None, ..Config::default() });
    let run = runner.run(&form, |form| {
        let response = runtime.block_on(world.door.handle(world.ec2_request(&form), Vantage::host()));
        prop_assert!(response.status().as_u16() < 500, "{form}: {response:?}");
        Ok(())
    });
    run.unwrap();
}
