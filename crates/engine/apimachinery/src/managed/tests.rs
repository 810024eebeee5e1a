use serde_json::{Value, json};

use super::*;
use crate::schema::Schema;
use crate::schema::tests::schema;

const TIME: &str = "2024-05-06T07:08:09Z";

fn manager(name: &str) -> Manager<'_> {
    Manager { name, subresource: "", api_version: "v1", time: TIME.parse().expect("a time"), reset: &[&["status"]] }
}

fn decode(schema: &Schema, value: &Value) -> Value {
    let mut value = schema.decode(value.to_string().as_bytes()).expect("decodes").value;
    schema.default(&mut value);
    value
}

fn config_map(data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one", "namespace": "n"}, "data": data})
}

fn created(schema: &Schema, value: &Value, name: &str) -> Value {
    let mut new = decode(schema, value);
    update(schema, None, &mut new, &manager(name));
    new["metadata"]["uid"] = json!("u");
    new
}

fn fields_of<'v>(value: &'v Value, name: &str) -> &'v Value {
    let entries = value["metadata"]["managedFields"].as_array().expect("managed fields");
    &entries.iter().find(|e| e["manager"] == name).expect("this manager")["fieldsV1"]
}

fn managers(value: &Value) -> Vec<&str> {
    let entries = value["metadata"].get("managedFields").and_then(Value::as_array);
    entries.into_iter().flatten().filter_map(|e| e["manager"].as_str()).collect()
}

fn applied(live: Option<&Value>, config: &Value, name: &str, force: bool) -> Result<Applied, ApplyError> {
    apply(&schema("core.v1.ConfigMap"), live, config, "ConfigMap", &manager(name), force)
}

#[test]
fn a_create_is_owned_by_its_writer() {
    let pod = json!({"metadata": {"name": "p", "labels": {"a": "b"}, "finalizers": ["x/y"]}, "spec": {"containers": [
        {"name": "c", "image": "i", "ports": [{"containerPort": 80}], "args": ["x"]}], "nodeSelector": {"a": "b"}}});
    let pod = created(&schema("core.v1.Pod"), &pod, "m");
    assert_eq!(
        pod["metadata"]["managedFields"],
        json!([{"manager": "m", "operation": "Update", "apiVersion": "v1", "time": TIME, "fieldsType": "FieldsV1",
        "fieldsV1": {
            "f:metadata": {"f:labels": {".": {}, "f:a": {}}, "f:finalizers": {".": {}, "v:\"x/y\"": {}}},
            "f:spec": {
                "f:containers": {"k:{\"name\":\"c\"}": {".": {}, "f:args": {}, "f:image": {}, "f:name": {},
                    "f:ports": {".": {}, "k:{\"containerPort\":80,\"protocol\":\"TCP\"}":
                        {".": {}, "f:containerPort": {}, "f:protocol": {}}}, "f:resources": {}}},
                "f:nodeSelector": {},
            },
        }}])
    );
}

#[test]
fn an_update_takes_what_it_changes_and_nothing_else() {
    let schema = schema("core.v1.ConfigMap");
    let live = created(&schema, &config_map(&json!({"a": "1", "b": "2"})), "first");
    let mut new = live.clone();
    new["data"] = json!({"a": "1", "b": "3", "c": "4"});
    update(&schema, Some(&live), &mut new, &manager("second"));
    assert_eq!(fields_of(&new, "first"), &json!({"f:data": {".": {}, "f:a": {}}}));
    assert_eq!(fields_of(&new, "second"), &json!({"f:data": {"f:b": {}, "f:c": {}}}));
    let mut again = new.clone();
    update(
        &schema,
        Some(&new),
        &mut again,
        &Manager { time: "2030-01-01T00:00:00Z".parse().expect("a time"), ..manager("third") },
    );
    assert_eq!(again, new, "a write that changes nothing leaves no trace");
    let mut gone = new.clone();
    gone["data"] = json!({"a": "1"});
    update(&schema, Some(&new), &mut gone, &manager("first"));
    assert_eq!(managers(&gone), ["first"], "who has nothing left goes");
}

#[test]
fn managed_fields_can_be_given_up_but_not_garbled() {
    let schema = schema("core.v1.ConfigMap");
    let live = created(&schema, &config_map(&json!({"a": "1"})), "first");
    let write = |fields: Value| {
        let mut body = live.clone();
        body["metadata"]["managedFields"] = fields;
        let mut new = decode(&schema, &body);
        update(&schema, Some(&live), &mut new, &manager("second"));
        new
    };
    assert_eq!(managers(&write(json!([]))), Vec::<&str>::new());
    assert_eq!(managers(&write(json!([{}]))), Vec::<&str>::new());
    assert_eq!(managers(&write(Value::Null)), ["first"]);
    assert_eq!(managers(&write(json!([{"manager": "x", "operation": "Frob", "apiVersion": "v1"}]))), ["first"]);
    let given = json!([{"manager": "x", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {}}}]);
    assert_eq!(managers(&write(given)), ["x"]);
}

#[test]
fn reset_fields_belong_to_nobody() {
    let schema = schema("core.v1.Namespace");
    let body =
        json!({"metadata": {"name": "n"}, "status": {"phase": "Active"}, "spec": {"finalizers": ["kubernetes"]}});
    let new = created(&schema, &body, "m");
    assert_eq!(fields_of(&new, "m"), &json!({"f:spec": {"f:finalizers": {}}}), "{new}");
}

#[test]
fn only_times_do_not_make_a_change() {
    let schema = schema("core.v1.ConfigMap");
    let live = created(&schema, &config_map(&json!({"a": "1"})), "first");
    let mut new = live.clone();
    new["metadata"]["managedFields"][0]["time"] = json!("2030-01-01T00:00:00Z");
    assert!(restore_times(&live, &mut new));
    assert_eq!(new, live);
    new["data"]["a"] = json!("2");
    assert!(!restore_times(&live, &mut new));
}

#[test]
fn many_updaters_are_merged() {
    let schema = schema("core.v1.ConfigMap");
    let mut live = created(&schema, &config_map(&json!({"k": "v"})), "m0");
    for n in 1..15 {
        let mut new = live.clone();
        new["data"][format!("k{n}")] = json!("v");
        let (name, time) = (format!("m{n:02}"), format!("2024-05-06T07:08:{n:02}Z"));
        update(&schema, Some(&live), &mut new, &Manager { time: time.parse().expect("a time"), ..manager(&name) });
        live = new;
    }
    assert_eq!(managers(&live).len(), 10);
    assert!(managers(&live).contains(&"ancient-changes"));
}

#[test]
fn apply_creates_changes_removes_and_shares() {
    let config = |data: Value| config_map(&data);
    let one = applied(None, &config(json!({"a": "1", "b": "2"})), "alpha", false).expect("applies").value;
    assert_eq!(fields_of(&one, "alpha"), &json!({"f:data": {"f:a": {}, "f:b": {}}}));
    assert_eq!(one["metadata"]["managedFields"][0]["operation"], "Apply");
    let same = applied(Some(&one), &config(json!({"a": "1", "b": "2"})), "alpha", false).expect("applies");
    assert!(!same.changed && same.value == one);
    let less = applied(Some(&one), &config(json!({"a": "3"})), "alpha", false).expect("applies").value;
    assert_eq!(less["data"], json!({"a": "3"}), "what it no longer applies goes");
    let shared = applied(Some(&less), &config(json!({"a": "3", "c": "9"})), "beta", false).expect("applies").value;
    let kept = applied(Some(&shared), &config(json!({"c": "9"})), "alpha", false).expect("applies").value;
    assert_eq!(kept["data"], json!({"a": "3", "c": "9"}), "what another applies stays");
    assert_eq!(fields_of(&kept, "alpha"), &json!({"f:data": {"f:c": {}}}));
}

#[test]
fn conflicts_are_listed_and_can_be_forced() {
    let schema = schema("core.v1.ConfigMap");
    let live = created(&schema, &config_map(&json!({"a": "1", "b": "2"})), "kubectl-create");
    let config = config_map(&json!({"a": "7", "b": "5"}));
    let error = applied(Some(&live), &config, "alpha", false).expect_err("conflicts");
    assert_eq!(
        error.to_string(),
        "Apply failed with 2 conflicts: conflicts with \"kubectl-create\" using v1:\n- .data.a\n- .data.b"
    );
    let one = applied(Some(&live), &config_map(&json!({"a": "7", "b": "2"})), "alpha", false).expect_err("conflicts");
    assert_eq!(one.to_string(), "Apply failed with 1 conflict: conflict with \"kubectl-create\" using v1: .data.a");
    let forced = applied(Some(&live), &config, "alpha", true).expect("applies").value;
    assert_eq!(forced["data"], json!({"a": "7", "b": "5"}));
    assert_eq!(fields_of(&forced, "kubectl-create"), &json!({"f:data": {}}));
}

#[test]
fn an_object_nobody_manages_belongs_to_before_first_apply() {
    let schema = schema("core.v1.ConfigMap");
    let live = decode(&schema, &config_map(&json!({"a": "1"})));
    let value = applied(Some(&live), &config_map(&json!({"b": "2"})), "alpha", false).expect("applies").value;
    assert_eq!(managers(&value), ["alpha", "before-first-apply"]);
    assert_eq!(value["data"], json!({"a": "1", "b": "2"}));
}

#[test]
fn kubectl_takes_over_from_its_own_client_side() {
    let schema = schema("core.v1.ConfigMap");
    let mut body = config_map(&json!({"a": "1"}));
    let last = body.to_string();
    body["metadata"]["annotations"] = json!({"kubectl.kubernetes.io/last-applied-configuration": last});
    let live = created(&schema, &body, "kubectl-client-side-apply");
    let config = config_map(&json!({"a": "2"}));
    assert!(matches!(applied(Some(&live), &config, "alpha", false), Err(ApplyError::Conflicts(_))));
    let value = applied(Some(&live), &config, "kubectl", false).expect("takes over").value;
    assert_eq!(value["data"], json!({"a": "2"}));
    let last = &value["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"];
    assert!(last.as_str().expect("kept").contains("\"a\":\"2\""));
}

#[test]
fn configurations_that_do_not_fit_are_refused_in_upstreams_words() {
    let refuse = |config: Value| applied(None, &config, "alpha", false).expect_err("refused");
    let with = |name: &str, value: Value| {
        let mut config = config_map(&json!({}));
        config["metadata"]["namespace"] = Value::Null;
        config[name] = value;
        config
    };
    let internal = |text: &str| {
        ApplyError::Internal(format!("failed to create typed patch object (/one; /v1, Kind=ConfigMap): {text}"))
    };
    assert_eq!(refuse(with("what", json!("ever"))), internal(".what: field not declared in schema"));
    assert_eq!(refuse(with("data", json!(["x"]))), internal(".data: expected map, got &{[x]}"));
    assert_eq!(
        refuse(with("data", json!({"x": true}))),
        internal(".data.x: expected string, got &value.valueUnstructured{Value:true}")
    );
    assert_eq!(
        refuse(with("kind", json!("Secret"))),
        ApplyError::Bad("invalid object type: /v1, Kind=Secret".to_owned())
    );
    assert_eq!(
        refuse(with("metadata", json!({"managedFields": [{"manager": "x"}]}))),
        ApplyError::Bad("metadata.managedFields must be nil".to_owned())
    );
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "q"},
        "spec": {"containers": [{"name": "a"}, {"name": "a"}]}});
    let error = apply(&schema("core.v1.Pod"), None, &pod, "Pod", &manager("m"), false).expect_err("refused");
    assert_eq!(
        error.to_string(),
        "failed to create typed patch object (/q; /v1, Kind=Pod): .spec.containers: duplicate entries for key [name=\"a\"]"
    );
}

#[test]
fn apply_merges_lists_by_key_and_keeps_the_order() {
    let pod = |containers: Value| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": containers}});
    let schema = schema("core.v1.Pod");
    let run = |live: Option<&Value>, config: &Value, name: &str| {
        apply(&schema, live, config, "Pod", &manager(name), false).map(|a| a.value)
    };
    let one =
        run(None, &pod(json!([{"name": "a", "image": "1"}, {"name": "b", "image": "2"}])), "alpha").expect("applies");
    let two = run(Some(&one), &pod(json!([{"name": "c", "image": "3"}, {"name": "a", "workingDir": "/"}])), "beta")
        .expect("applies");
    let names = |v: &Value| -> Vec<String> {
        v["spec"]["containers"]
            .as_array()
            .expect("list")
            .iter()
            .map(|c| c["name"].as_str().expect("name").to_owned())
            .collect()
    };
    assert_eq!(names(&two), ["c", "a", "b"]);
    assert_eq!(two["spec"]["containers"][1], json!({"name": "a", "image": "1", "workingDir": "/", "resources": {}}));
    let error = run(Some(&two), &pod(json!([{"name": "a", "image": "9"}])), "beta").expect_err("conflicts");
    assert_eq!(
        error.to_string(),
        "Apply failed with 1 conflict: conflict with \"alpha\": .spec.containers[name=\"a\"].image"
    );
    let three = run(Some(&two), &pod(json!([{"name": "a", "image": "1"}])), "alpha").expect("applies");
    assert_eq!(names(&three), ["c", "a"], "the container that only alpha had goes");
}
