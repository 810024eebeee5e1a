use std::sync::{Arc, OnceLock};

use serde_json::{Value, json};

use super::*;
use crate::resource::{Row, Sub, Verb};

/// The table as the kinds crate ships it.
fn builtin() -> &'static Arc<Schemas> {
    static TABLE: OnceLock<Arc<Schemas>> = OnceLock::new();
    TABLE.get_or_init(|| {
        Arc::new(
            Schemas::parse(include_str!("../../../../cluster/kinds/data/schema.txt"))
                .expect("the table is well formed"),
        )
    })
}

static ROWS: &[Row] = &[
    Row::namespaced("coordination.k8s.io", "v1", "Lease", "leases"),
    Row::cluster("", "v1", "Node", "nodes")
        .subs(&[Sub::connect("proxy", "NodeProxyOptions", &[Verb::Get]), Sub::STATUS]),
];

const TEXT: &str = "package core.v1 io.k8s.api.core.v1\ntype core.v1.Node A machine.\n spec Wanted.\n\
                    type core.v1.NodeProxyOptions A way.\n path Where to.\n";

fn with<T>(make: impl FnOnce(&Source<'_>) -> T) -> T {
    let resources = Resources::from_rows(ROWS);
    let descriptions = Descriptions::parse(&[TEXT]).expect("well formed");
    make(&Source { schemas: builtin(), resources: &resources, descriptions: &descriptions, release: "1.33" })
}

fn read(path: &str) -> Value {
    serde_json::from_slice(&with(|s| s.document(path)).expect("offered").body).expect("JSON")
}

#[test]
fn the_index_names_each_document_by_its_hash() {
    let index: Value = serde_json::from_slice(&with(|s| s.index())).expect("JSON");
    let hash = with(|s| s.document("apis/coordination.k8s.io/v1")).expect("offered").hash;
    assert_eq!(hash.len(), 128);
    assert_eq!(
        index["paths"]["apis/coordination.k8s.io/v1"]["serverRelativeURL"],
        format!("/openapi/v3/apis/coordination.k8s.io/v1?hash={hash}")
    );
    assert!(index["paths"]["api/v1"].is_object());
    assert!(with(|s| s.document("apis/apps/v1")).is_none());
}

#[test]
fn types_fields_and_queries_say_what_they_are_for() {
    let node = read("api/v1");
    let described = &node["components"]["schemas"]["io.k8s.api.core.v1.Node"];
    assert_eq!(described["description"], "A machine.");
    assert_eq!(described["properties"]["spec"]["description"], "Wanted.");
    assert!(described["properties"]["status"].get("description").is_none());
    let proxy = &node["paths"]["/api/v1/nodes/{name}/proxy/{path}"]["parameters"];
    let described: Vec<_> = proxy.as_array().expect("list").iter().map(|p| (&p["in"], p.get("description"))).collect();
    let sentence = json!("Where to.");
    assert_eq!(described, [(&json!("path"), None), (&json!("path"), None), (&json!("query"), Some(&sentence))]);
}

#[test]
fn operations_say_what_they_do() {
    let lease = read("apis/coordination.k8s.io/v1");
    let patch = &lease["paths"]["/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}"]["patch"];
    assert_eq!(patch["operationId"], "patchCoordinationV1NamespacedLease");
    assert_eq!(patch["x-kubernetes-action"], "patch");
    assert_eq!(
        patch["x-kubernetes-group-version-kind"],
        json!({"group": "coordination.k8s.io", "version": "v1", "kind": "Lease"})
    );
    let names: Vec<&Value> = patch["parameters"].as_array().expect("list").iter().map(|p| &p["name"]).collect();
    assert_eq!(names, ["dryRun", "fieldManager", "fieldValidation", "force"], "shared ones belong to the path");
    let node = read("api/v1");
    assert_eq!(node["paths"]["/api/v1/nodes/{name}/status"]["put"]["operationId"], "replaceCoreV1NodeStatus");
}

#[test]
fn every_reference_leads_somewhere() {
    fn refs(value: &Value, out: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                out.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|v| refs(v, out));
            }
            Value::Array(items) => items.iter().for_each(|v| refs(v, out)),
            _ => {}
        }
    }
    let document = read("api/v1");
    let mut found = Vec::new();
    refs(&document, &mut found);
    assert!(found.len() > 50);
    for reference in found {
        assert!(document.pointer(&reference[1..]).is_some_and(Value::is_object), "{reference}");
    }
}

#[test]
fn types_carry_their_facts() {
    let schemas = &read("api/v1")["components"]["schemas"];
    let address = &schemas["io.k8s.api.core.v1.NodeStatus"]["properties"]["addresses"];
    assert_eq!(address["x-kubernetes-list-map-keys"], json!(["type"]));
    assert_eq!(address["items"]["default"], json!({}));
    let node = &schemas["io.k8s.api.core.v1.Node"];
    assert_eq!(node["x-kubernetes-group-version-kind"], json!([{"group": "", "kind": "Node", "version": "v1"}]));
}

fn read_v2() -> Value {
    serde_json::from_slice(&with(|s| s.v2(Form::Json)).body).expect("JSON")
}

#[test]
fn v2_says_the_same_in_one_document() {
    let all = read_v2();
    let node = &all["definitions"]["io.k8s.api.core.v1.Node"];
    assert_eq!(node["description"], "A machine.");
    let spec = json!({"description": "Wanted.", "$ref": "#/definitions/io.k8s.api.core.v1.NodeSpec"});
    assert_eq!(node["properties"]["spec"], spec);
    let capacity = &all["definitions"]["io.k8s.api.core.v1.NodeStatus"]["properties"]["capacity"];
    assert_eq!(
        capacity["additionalProperties"],
        json!({"$ref": "#/definitions/io.k8s.apimachinery.pkg.api.resource.Quantity"})
    );
    assert_eq!(all["definitions"]["io.k8s.apimachinery.pkg.api.resource.Quantity"]["type"], "string");
    let patch = &all["paths"]["/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}"]["patch"];
    assert_eq!(patch["parameters"][0]["in"], "body");
    assert_eq!(
        patch["parameters"][3],
        json!({"name": "fieldValidation", "in": "query", "type": "string", "uniqueItems": true})
    );
    assert_eq!(patch["responses"]["200"]["schema"]["$ref"], "#/definitions/io.k8s.api.coordination.v1.Lease");
    let text = all.to_string();
    assert!(!text.contains("#/components/") && !text.contains("\"oneOf\"") && !text.contains("\"content\""));
}

/// The parts of a protobuf message: number, and the bytes of a part that has a length.
fn parts(mut bytes: &[u8]) -> Vec<(u64, &[u8])> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let (first, rest) = bytes.split_first().expect("complete");
            *bytes = rest;
            value |= u64::from(first & 0x7f) << shift;
            if first & 0x80 == 0 {
                break;
            }
        }
        value
    }
    let mut out = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let length = varint(&mut bytes);
        let length = if key & 7 == 2 { usize::try_from(length).expect("small") } else { 0 };
        let (part, rest) = bytes.split_at(length);
        bytes = rest;
        out.push((key >> 3, part));
    }
    out
}

fn part<'b>(bytes: &'b [u8], path: &[u64]) -> &'b [u8] {
    path.iter().fold(bytes, |bytes, number| {
        parts(bytes).into_iter().find(|(found, _)| found == number).unwrap_or_else(|| panic!("{path:?}")).1
    })
}

#[test]
fn v2_in_protobuf_has_gnostics_numbers() {
    let document = json!({
        "swagger": "2.0", "info": {"title": "T", "version": "1"},
        "definitions": {"A": {
            "type": "object", "required": ["b"], "x-kubernetes-map-type": "atomic",
            "properties": {"b": {"type": "array", "items": {"$ref": "#/definitions/A"}}},
        }},
        "paths": {"/p": {"patch": {
            "operationId": "patchP",
            "parameters": [{"name": "n", "in": "path", "required": true, "type": "string"}],
            "responses": {"200": {"description": "OK", "schema": {"$ref": "#/definitions/A"}}},
        }}},
    });
    let bytes = gnostic::encode(&document);
    assert_eq!(part(&bytes, &[1]), b"2.0");
    let a = part(&bytes, &[9, 1, 2]);
    assert_eq!(part(&bytes, &[9, 1, 1]), b"A");
    assert_eq!((part(a, &[22, 1]), part(a, &[19])), (&b"object"[..], &b"b"[..]));
    assert_eq!(part(a, &[25, 1, 2, 23, 1, 1]), b"#/definitions/A");
    assert_eq!((part(a, &[31, 1]), part(a, &[31, 2, 2])), (&b"x-kubernetes-map-type"[..], &b"\"atomic\""[..]));
    let patch = part(&bytes, &[8, 2, 2, 8]);
    assert_eq!(part(patch, &[5]), b"patchP");
    assert_eq!(part(patch, &[8, 1, 2, 4, 4]), b"n");
    assert_eq!(part(patch, &[9, 1, 2, 1, 2, 1, 1]), b"#/definitions/A");
    // Required is true: a number, without a length.
    assert!(parts(part(patch, &[8, 1, 2, 4])).iter().any(|(number, _)| *number == 1));
}
