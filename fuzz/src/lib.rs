//! Every decoder of bytes that others write, each as a function of bytes: whatever they are, it answers, in time and in
//! bounded memory. The fuzzer runs them for long ([`scripts/fuzz.sh`]), `tests/tests/decoders.rs` for a moment.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use eksile_apimachinery::managed::{self, Manager};
use eksile_apimachinery::patch;
use eksile_apimachinery::schema::{Quantity, Schema, Untyped};
use eksile_aws::policy::Document;
use eksile_aws::{Door, Vantage};
use eksile_base::Clock;
use eksile_kinds::schemas::builtin;
use eksile_kube::selector::{FieldSelector, LabelSelector};
use eksile_pki::{Csr, Identity, TokenSigner, TokenVerifier};
use eksile_site::link::read_frame;
use eksile_site::names::{Zone, answer};
use eksile_store::Store;
use serde_json::{Value, json};

/// A decoder, its name, and bytes that it takes, to begin with.
pub type Target = (&'static str, fn(&[u8]), &'static [&'static [u8]]);

/// All of them.
pub const TARGETS: &[Target] = &[
    ("kube_json", kube_json, &[br#"{"metadata":{"name":"a","labels":{"a":"b"}},"spec":{"containers":[{"name":"c","resources":{"limits":{"cpu":"1500m"}}}]}}"#]),
    ("kube_protobuf", kube_protobuf, &[b"k8s\0\n\t\n\x02v1\x12\x03Pod\x12\x07\n\x05\n\x03abc"]),
    ("yaml", yaml, &[b"a: &x {b: 1}\nc: *x\nd: [1, 2.5, ~, yes, \"t\"]\n", b"a: |\n  x\n? y\n: !!binary aGk=\n", b"\xfe\xff\xd9\x8f"]),
    ("json_patch", json_patch, &[br#"[{"op":"copy","from":"/metadata","path":"/metadata/annotations/a"},{"op":"add","path":"/spec/containers/-","value":{}}]"#]),
    ("merge_patch", merge_patch, &[br#"{"metadata":{"labels":{"a":null,"b":"c"}},"spec":null}"#]),
    ("strategic_patch", strategic_patch, &[br#"{"spec":{"$setElementOrder/containers":[{"name":"b"}],"containers":[{"name":"b","$patch":"delete"}],"$retainKeys":["containers"]}}"#]),
    ("apply", apply, &[br#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"a","ports":[{"containerPort":1}]}]}}"#]),
    ("managed_fields", managed_fields, &[br#"[{"manager":"m","operation":"Update","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:containers":{"k:{\"name\":\"a\"}":{".":{}}}}}}]"#]),
    ("selectors", selectors, &[b"a in (b,c),!d,e!=f", b"metadata.name=x,spec.nodeName!=y"]),
    ("quantity", quantity, &[b"1.5Gi", b"100e-3", b"9223372036854775808"]),
    ("aws_request", aws_request, &[b"POST / Authorization: AWS4-HMAC-SHA256 Credential=A/20260102/us-west-2/ec2/aws4_request, SignedHeaders=host, Signature=00\nAction=DescribeVpcs&Version=2016-11-15&Filter.1.Name=vpc-id&Filter.1.Value.1=x"]),
    ("policy", policy, &[br#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:*","Resource":"*","Condition":{"StringLike":{"aws:PrincipalTag/a":["b*"]}}}]}"#]),
    ("certificates", certificates, &[b"-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n", b"0\x03\x02\x01\x02"]),
    ("token", token, &[b"eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.eyJpc3MiOiJpIn0.AAAA"]),
    ("link_frame", link_frame, &[b"\0\0\0\x0f{\"kind\":\"ping\"}"]),
    ("dns", dns, &[b"\0\x01\x01\0\0\x01\0\0\0\0\0\0\x03sts\x09us-west-2\x09amazonaws\x03com\0\0\x01\0\x01"]),
];

/// Runs one by its name.
///
/// # Panics
/// When there is none of that name, or it has a fault.
pub fn run(name: &str, data: &[u8]) {
    let (_, target, _) = TARGETS.iter().find(|(known, ..)| *known == name).expect("a target of this name");
    target(data);
}

fn pod() -> Schema {
    builtin().schema("io.k8s.api.core.v1.Pod").expect("a built-in type")
}

fn live() -> &'static Value {
    static LIVE: OnceLock<Value> = OnceLock::new();
    LIVE.get_or_init(|| {
        let body = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "annotations": {"x": "y"}},
            "spec": {"containers": [{"name": "a", "image": "i", "env": [{"name": "E"}]}, {"name": "b"}]}});
        let mut live = pod().decode(body.to_string().as_bytes()).expect("a pod").value;
        managed::update(&pod(), None, &mut live, &manager());
        live
    })
}

fn manager() -> Manager<'static> {
    Manager { name: "m", subresource: "", api_version: "v1", time: jiff::Timestamp::UNIX_EPOCH, reset: &[] }
}

fn kube_json(data: &[u8]) {
    if let Ok(mut decoded) = pod().decode(data) {
        pod().default(&mut decoded.value);
        let again = pod().decode(decoded.value.to_string().as_bytes());
        assert!(again.is_ok_and(|again| again.value == decoded.value), "what was decoded decodes to itself");
    }
    let _ = Untyped::parse(data);
}

fn kube_protobuf(data: &[u8]) {
    let _ = builtin().decode_protobuf(data);
    let _ = pod().decode_message(data);
}

fn yaml(data: &[u8]) {
    let _ = eksile_yaml::read(data);
}

fn json_patch(data: &[u8]) {
    let _ = patch::json(&pod(), live(), data);
}

fn merge_patch(data: &[u8]) {
    let _ = patch::merge(&pod(), live(), data);
}

fn strategic_patch(data: &[u8]) {
    let _ = patch::strategic(&pod(), live(), data);
}

fn apply(data: &[u8]) {
    let Ok(read) = Untyped::parse(data) else { return };
    let other = Manager { name: "o", ..manager() };
    for force in [false, true] {
        let _ = managed::apply(&pod(), Some(live()), &read.value, "Pod", &other, force);
    }
}

fn managed_fields(data: &[u8]) {
    let Ok(read) = Untyped::parse(data) else { return };
    let mut new = live().clone();
    new["metadata"]["managedFields"] = read.value;
    managed::update(&pod(), Some(live()), &mut new, &manager());
}

fn selectors(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = (LabelSelector::parse(&text), FieldSelector::parse(&text));
}

fn quantity(data: &[u8]) {
    if let Ok(quantity) = String::from_utf8_lossy(data).parse::<Quantity>() {
        let _ = (quantity.nanos(), quantity.to_string());
    }
}

/// `METHOD PATH HEADER: VALUE`, a line end, the body.
fn aws_request(data: &[u8]) {
    static DOOR: OnceLock<Door> = OnceLock::new();
    let door = DOOR.get_or_init(|| {
        let services = vec![&eksile_iam::SERVICE, &eksile_iam::sts::SERVICE];
        Door::new(
            "us-west-2",
            services,
            Store::in_memory(),
            Clock::system(),
            Arc::new(eksile_iam::IamDirectory::default()),
        )
    });
    let text = String::from_utf8_lossy(data);
    let (head, body) = text.split_once('\n').unwrap_or((&text, ""));
    let mut words = head.splitn(3, ' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut request = http::Request::builder().method(method).uri(path);
    for name in ["host", "x-amz-date", "content-type", "x-amz-target"] {
        request = request.header(name, "20260102T000000Z");
    }
    if let Some((name, value)) = words.next().and_then(|header| header.split_once(": ")) {
        request = request.header(name, value);
    }
    let Ok(request) = request.body(Bytes::copy_from_slice(body.as_bytes())) else { return };
    let response = wait(door.handle(request, Vantage::host()));
    assert!(!response.status().is_success(), "nobody has signed it");
}

fn policy(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = (Document::identity(&text), Document::trust(&text));
}

fn certificates(data: &[u8]) {
    let _ = (Csr::parse(&String::from_utf8_lossy(data)), Csr::parse_der(data), Identity::read(data));
}

fn token(data: &[u8]) {
    static VERIFIER: OnceLock<TokenVerifier> = OnceLock::new();
    let verifier = VERIFIER.get_or_init(|| TokenSigner::create().expect("a key").verifier());
    let now = jiff::Timestamp::UNIX_EPOCH;
    assert!(
        verifier.verify::<Value>(&String::from_utf8_lossy(data), "i", &["a"], now).is_err(),
        "nobody has signed it"
    );
}

fn link_frame(data: &[u8]) {
    let mut stream = data;
    while wait(read_frame(&mut stream)).is_ok() {}
}

fn dns(data: &[u8]) {
    static ZONE: OnceLock<Zone> = OnceLock::new();
    let zone = ZONE.get_or_init(|| Zone {
        store: Store::in_memory(),
        vpc_id: "vpc-1".to_owned(),
        region: "us-west-2".to_owned(),
        endpoints: std::net::Ipv4Addr::LOCALHOST,
    });
    let _ = answer(zone, data);
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(future)
}
