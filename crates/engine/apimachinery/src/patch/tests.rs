use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::schema::tests::schema;

fn config_map() -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one", "creationTimestamp": null,
        "labels": {"a": "1"}, "finalizers": ["x/a", "x/b"]}, "data": {"k": "v", "n": "1"}})
}

fn pod() -> Value {
    let body = json!({"metadata": {"name": "p"}, "spec": {"containers": [
        {"name": "a", "image": "one", "ports": [{"containerPort": 80}]}, {"name": "b", "image": "two"}],
        "tolerations": [{"key": "x"}], "nodeSelector": {"a": "b"}}});
    schema("core.v1.Pod").decode(body.to_string().as_bytes()).expect("decodes").value
}

fn patched_json(patch: &Value) -> Result<Value, PatchError> {
    super::json(&schema("core.v1.ConfigMap"), &config_map(), patch.to_string().as_bytes()).map(|p| p.value)
}

fn strategic_pod(patch: &Value) -> Result<Value, PatchError> {
    strategic(&schema("core.v1.Pod"), &pod(), patch.to_string().as_bytes()).map(|p| p.value)
}

#[test]
fn json_patch_takes_its_steps() {
    let steps = json!([
        {"op": "test", "path": "/data/k", "value": "v"},
        {"op": "add", "path": "/metadata/annotations", "value": {}},
        {"op": "add", "path": "/metadata/annotations/e.com~1key", "value": "x"},
        {"op": "copy", "from": "/data/k", "path": "/data/c"},
        {"op": "move", "from": "/data/c", "path": "/data/m"},
        {"op": "replace", "path": "/data/n", "value": "2"},
        {"op": "add", "path": "/metadata/finalizers/-", "value": "x/c"},
        {"op": "remove", "path": "/metadata/finalizers/0"},
        {"op": "add", "path": "/metadata/finalizers/-2", "value": "x/d"},
    ]);
    let value = patched_json(&steps).expect("applies");
    assert_eq!(value["data"], json!({"k": "v", "m": "v", "n": "2"}));
    assert_eq!(value["metadata"]["annotations"], json!({"e.com/key": "x"}));
    assert_eq!(value["metadata"]["finalizers"], json!(["x/b", "x/d", "x/c"]));
}

#[test]
fn json_patch_fails_in_upstreams_words() {
    let cases = [
        (
            json!([{"op": "remove", "path": "/data/absent"}]),
            "error in remove for path: '/data/absent': Unable to remove nonexistent key: absent: missing value",
        ),
        (
            json!([{"op": "add", "path": "/no/such/path", "value": 1}]),
            "add operation does not apply: doc is missing path: \"/no/such/path\": missing value",
        ),
        (json!([{"op": "test", "path": "/data/k", "value": "z"}]), "testing value /data/k failed: test failed"),
        (json!([{"op": "frob", "path": "/data"}]), "Unexpected kind: frob"),
        (
            json!([{"op": "remove", "path": "/metadata/finalizers/9"}]),
            "error in remove for path: '/metadata/finalizers/9': Unable to access invalid index: 9: invalid index referenced",
        ),
        (
            json!([{"op": "add", "path": "/metadata/finalizers/x", "value": 1}]),
            "error in add for path: '/metadata/finalizers/x': value was not a proper array index: 'x': strconv.Atoi: parsing \"x\": invalid syntax",
        ),
        (json!([{"op": "add", "value": 1}]), "add operation failed to decode path: missing value"),
    ];
    for (patch, expected) in cases {
        assert_eq!(patched_json(&patch).expect_err("fails"), PatchError::Unprocessable(expected.to_owned()));
    }
    assert_eq!(
        patched_json(&json!({"op": "add"})).expect_err("fails"),
        PatchError::Bad(
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"
                .to_owned()
        )
    );
    let many = Value::Array(vec![json!({"op": "test", "path": "/kind", "value": "ConfigMap"}); MAX_OPERATIONS + 1]);
    assert!(
        matches!(patched_json(&many).expect_err("fails"), PatchError::TooLarge(t) if t.ends_with("is 10000, got 10001"))
    );
}

#[test]
fn a_result_of_the_wrong_type_quotes_it() {
    let error = patched_json(&json!([{"op": "replace", "path": "/data", "value": "text"}])).expect_err("fails");
    let PatchError::Invalid { shown, detail } = error else { panic!("invalid expected") };
    assert!(shown.contains("\"data\":\"text\""));
    assert_eq!(detail, "json: cannot unmarshal string into Go struct field ConfigMap.data of type map[string]string");
}

#[test]
fn merge_patch_follows_the_rfc() {
    let body =
        br#"{"data":{"k":null,"absent":null,"new":"x"},"metadata":{"annotations":{"a":null,"b":"1"}},"foo":1,"foo":2}"#;
    let patched = super::merge(&schema("core.v1.ConfigMap"), &config_map(), body).expect("applies");
    assert_eq!(patched.value["data"], json!({"n": "1", "new": "x"}));
    assert_eq!(patched.value["metadata"]["annotations"], json!({"b": "1"}));
    assert_eq!(patched.strict, ["duplicate field \"foo\"", "unknown field \"foo\""]);
    assert!(matches!(patched.strict_error(), Some(PatchError::Invalid { .. })));
    let error = super::merge(&schema("core.v1.ConfigMap"), &config_map(), b"[]").expect_err("fails");
    assert_eq!(
        error.to_string(),
        "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}"
    );
}

#[test]
fn strategic_patch_merges_lists_by_key() {
    let patch = json!({"spec": {"containers": [{"name": "b", "image": "three"}, {"name": "c", "image": "new"}],
        "tolerations": [{"key": "y"}], "nodeSelector": {"c": "d"}}});
    let value = strategic_pod(&patch).expect("applies");
    let names = |v: &Value| -> Vec<String> {
        v["spec"]["containers"]
            .as_array()
            .expect("list")
            .iter()
            .map(|c| format!("{}={}", c["name"], c["image"]))
            .collect()
    };
    assert_eq!(names(&value), [r#""a"="one""#, r#""b"="three""#, r#""c"="new""#]);
    assert_eq!(value["spec"]["tolerations"], json!([{"key": "y"}]), "atomic lists are replaced");
    assert_eq!(value["spec"]["nodeSelector"], json!({"a": "b", "c": "d"}));
    let patch = json!({"spec": {"containers": [{"$patch": "delete", "name": "a"}], "nodeSelector": {"$patch": "replace", "x": "y"}}});
    let value = strategic_pod(&patch).expect("applies");
    assert_eq!(names(&value), [r#""b"="two""#]);
    assert_eq!(value["spec"]["nodeSelector"], json!({"x": "y"}));
    let patch =
        json!({"spec": {"containers": [{"$patch": "replace"}, {"name": "z"}], "nodeSelector": {"$patch": "delete"}}});
    let value = strategic_pod(&patch).expect("applies");
    assert_eq!(names(&value), [r#""z"=null"#]);
    assert!(value["spec"].get("nodeSelector").is_none());
}

#[test]
fn strategic_patch_obeys_order_retain_keys_and_primitive_lists() {
    let patch = json!({"spec": {"$setElementOrder/containers": [{"name": "c"}, {"name": "b"}, {"name": "a"}],
        "containers": [{"name": "c", "image": "i"}]}});
    let value = strategic_pod(&patch).expect("applies");
    let names: Vec<&str> =
        value["spec"]["containers"].as_array().expect("list").iter().filter_map(|c| c["name"].as_str()).collect();
    assert_eq!(names, ["c", "b", "a"]);
    let cm = |patch: Value| {
        strategic(&schema("core.v1.ConfigMap"), &config_map(), patch.to_string().as_bytes()).map(|p| p.value)
    };
    let value = cm(json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["x/a"], "finalizers": ["x/c"]}}))
        .expect("applies");
    assert_eq!(value["metadata"]["finalizers"], json!(["x/c", "x/b"]), "upstream puts the patch's first");
    let value = cm(json!({"metadata": {"$setElementOrder/finalizers": ["x/c", "x/b"], "finalizers": ["x/c"]}}))
        .expect("applies");
    assert_eq!(value["metadata"]["finalizers"], json!(["x/c", "x/a", "x/b"]));
    let value = cm(json!({"data": {"$retainKeys": ["new"], "new": "1"}})).expect("applies");
    assert_eq!(value["data"], json!({"new": "1"}));
    let error = cm(json!({"data": {"$retainKeys": ["other"], "new": "1"}})).expect_err("fails");
    assert_eq!(error, PatchError::Bad("invalid patch format of retainKeys".to_owned()));
}

#[test]
fn strategic_patch_fails_in_upstreams_words() {
    let cases = [
        (
            json!({"spec": {"containers": [{"image": "three"}]}}),
            "map: map[image:three] does not contain declared merge key: name",
        ),
        (json!({"spec": {"nodeSelector": {"$patch": "frob"}}}), "unknown patch type: frob in map: map[$patch:frob]"),
    ];
    for (patch, expected) in cases {
        assert_eq!(strategic_pod(&patch).expect_err("fails"), PatchError::Internal(expected.to_owned()));
    }
    let invalid = |patch: Value| match strategic_pod(&patch).expect_err("fails") {
        PatchError::Invalid { shown, detail } => (shown, detail),
        other => panic!("{other}"),
    };
    assert_eq!(
        invalid(json!({"metadata": {"labels": "x"}})),
        ("map[metadata:map[labels:x]]".to_owned(), "cannot restore map from string".to_owned())
    );
    assert_eq!(invalid(json!({"spec": {"priority": "x"}})).1, "unrecognized type: int32");
    assert_eq!(invalid(json!({"spec": {"hostname": 5}})).1, "cannot convert int64 to string");
    let patched = strategic(&schema("core.v1.Pod"), &pod(), br#"{"spec":{"foo":1},"bar":2}"#).expect("applies");
    assert_eq!(patched.strict, ["unknown field \"bar\"", "unknown field \"spec.foo\""]);
}

fn any_patch() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        Just("metadata"),
        Just("data"),
        Just("labels"),
        Just("finalizers"),
        Just("ownerReferences"),
        Just("uid"),
        Just("$patch"),
        Just("$retainKeys"),
        Just("$setElementOrder/finalizers"),
        Just("$deleteFromPrimitiveList/finalizers")
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        Just(json!(1)),
        Just(json!("a")),
        Just(json!("delete")),
        Just(json!("replace")),
        Just(json!(["x/a"]))
    ];
    leaf.prop_recursive(4, 30, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map(key.clone().prop_map(str::to_owned), inner, 0..4)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn merge_patch_is_idempotent(patch in any_patch()) {
        let schema = schema("core.v1.ConfigMap");
        let body = patch.to_string();
        if let Ok(once) = super::merge(&schema, &config_map(), body.as_bytes()) {
            let twice = super::merge(&schema, &once.value, body.as_bytes()).expect("applies again");
            prop_assert_eq!(once.value, twice.value);
        }
    }

    #[test]
    fn no_patch_panics(patch in any_patch(), path in "(/[a-z0-9~-]{0,4}){0,4}", body in prop::collection::vec(any::<u8>(), 0..40)) {
        let schema = schema("core.v1.ConfigMap");
        let _ = strategic(&schema, &config_map(), patch.to_string().as_bytes());
        let _ = strategic(&schema, &config_map(), &body);
        for op in ["add", "remove", "replace", "test", "copy", "move"] {
            let step = json!([{"op": op, "path": path, "from": path, "value": patch}]);
            let _ = super::json(&schema, &config_map(), step.to_string().as_bytes());
        }
    }

    #[test]
    fn an_empty_strategic_patch_changes_nothing(patch in Just(json!({}))) {
        prop_assert_eq!(strategic_pod(&patch).expect("applies"), pod());
    }
}

/// Copies of copies: a few hundred bytes that would become gigabytes.
#[test]
fn copies_that_double_are_refused_once_they_are_too_much() {
    let schema = schema("core.v1.ConfigMap");
    let live = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "annotations": {"a": "x".repeat(1000)}}});
    let doubling = |times: usize| {
        let copy = |n: usize| json!({"op": "copy", "from": "/metadata", "path": format!("/metadata/n{n}")});
        serde_json::to_vec(&(0..times).map(copy).collect::<Vec<_>>()).expect("JSON")
    };
    assert!(json(&schema, &live, &doubling(5)).is_ok());
    let error = json(&schema, &live, &doubling(18)).expect_err("too large");
    assert!(error.to_string().starts_with("Unable to complete the copy, the accumulated size"), "{error}");
}

/// A document that deep could not be encoded, nor dropped, on a thread's stack.
#[test]
fn a_patch_cannot_nest_a_document_deeper_than_a_body_may_be() {
    let schema = schema("core.v1.ConfigMap");
    let live = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}});
    let mut operations = vec![json!({"op": "add", "path": "/a", "value": {}})];
    // Each copy puts the whole into its deepest part.
    let mut deepest = "/a".to_owned();
    for _ in 0..12 {
        operations.push(json!({"op": "copy", "from": "/a", "path": format!("{deepest}/a")}));
        deepest = format!("{deepest}{deepest}");
        deepest.truncate(100_000);
    }
    let body = serde_json::to_vec(&operations).expect("JSON");
    assert_eq!(json(&schema, &live, &body).expect_err("too deep").to_string(), "exceeded max depth");
    // Moving to and fro is no nesting.
    let mut operations = vec![json!({"op": "add", "path": "/metadata/annotations", "value": {"a": "1"}})];
    for _ in 0..300 {
        operations.push(json!({"op": "move", "from": "/metadata/annotations", "path": "/metadata/labels"}));
        operations.push(json!({"op": "move", "from": "/metadata/labels", "path": "/metadata/annotations"}));
    }
    assert!(json(&schema, &live, &serde_json::to_vec(&operations).expect("JSON")).is_ok());
}
