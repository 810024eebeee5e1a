//! Rules of object metadata (`apimachinery/pkg/api/validation/objectmeta.go`), and what the server fills in.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::call::Warnings;
use crate::field::{FieldErrors, quote};
use crate::names;
use crate::object::{meta, metadata, time};
use crate::resource::Resource;
use crate::status::StatusError;
use crate::strategy::NameRule;

/// All annotations together, in bytes.
const ANNOTATIONS_LIMIT: usize = 256 * 1024;

/// Fills in or checks the namespace of a body against the path's; `namespace` is empty for kinds without.
///
/// # Errors
/// 400 when they differ.
pub(crate) fn place(object: &mut Value, namespace: &str) -> Result<(), StatusError> {
    let fields = metadata(object);
    match fields.get("namespace").and_then(Value::as_str).unwrap_or_default() {
        "" if namespace.is_empty() => {}
        // A kind without namespaces forgets the one it is given.
        _ if namespace.is_empty() => {
            fields.remove("namespace");
        }
        "" => {
            fields.insert("namespace".to_owned(), namespace.into());
        }
        given if given == namespace => {}
        _ => {
            return Err(StatusError::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
    }
    Ok(())
}

/// Checks the name of a body against the path's.
///
/// # Errors
/// 400 when they differ.
pub(crate) fn same_name(object: &Value, name: &str) -> Result<(), StatusError> {
    match meta(object, "name") {
        given if given == name => Ok(()),
        "" => Err(StatusError::bad_request(format!(
            "the name of the object ({name} based on URL) was undeterminable: name must be provided"
        ))),
        given => Err(StatusError::bad_request(format!(
            "the name of the object ({given}) does not match the name on the URL ({name})"
        ))),
    }
}

/// What a client may not say about a new object.
const OF_SERVER: [&str; 3] = ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"];

/// Drops what the server alone may say, before anybody is noted for having said it; merges repeated owners, with a
/// warning.
pub(crate) fn clean(object: &mut Value, warnings: &Warnings) {
    let fields = metadata(object);
    for name in OF_SERVER {
        fields.remove(name);
    }
    let Some(owners) = fields.get_mut("ownerReferences").and_then(Value::as_array_mut) else { return };
    let uid = |owner: &Value| owner.get("uid").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut repeated: Vec<String> = Vec::new();
    let mut told: HashSet<String> = HashSet::new();
    let mut seen: HashSet<Value> = HashSet::with_capacity(owners.len());
    owners.retain(|owner| {
        let first = seen.insert(owner.clone());
        if !first && told.insert(uid(owner)) {
            repeated.push(uid(owner));
        }
        first
    });
    if !repeated.is_empty() {
        warnings.say([format!(
            ".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such \
             requests as early as 1.24; please fix your requests; duplicate UID(s) observed: {}",
            repeated.join(", ")
        )]);
    }
}

/// What the server sets on a new object.
pub(crate) fn begin(object: &mut Value, resource: &Resource, now: jiff::Timestamp) {
    let fields = metadata(object);
    // What else only the server may say was dropped where upstream drops it: in a POST, not in a PUT or an apply.
    fields.remove("selfLink");
    fields.insert("uid".to_owned(), eksile_base::ids::uuid().into());
    fields.insert("creationTimestamp".to_owned(), time(now).into());
    let own = resource.strategy.finalizers();
    if !own.is_empty() {
        let list = fields.entry("finalizers").or_insert_with(|| Value::Array(Vec::new()));
        if let Some(list) = list.as_array_mut() {
            list.extend(
                own.iter().filter(|f| !list.iter().any(|l| l == **f)).map(|f| (*f).into()).collect::<Vec<Value>>(),
            );
        }
    }
}

/// Makes a name from `generateName`.
pub(crate) fn generate_name(object: &mut Value) {
    /// Upstream cuts the base so that base and suffix fit a label.
    const BASE: usize = 63 - 5;
    let fields = metadata(object);
    let given = fields.get("name").and_then(Value::as_str).unwrap_or_default();
    let base = fields.get("generateName").and_then(Value::as_str).unwrap_or_default();
    if given.is_empty() && !base.is_empty() {
        let cut: String = base.chars().take(BASE).collect();
        fields.insert("name".to_owned(), format!("{cut}{}", eksile_base::ids::kube_suffix()).into());
    }
}

/// Takes over from `old` what a writer may leave out.
pub(crate) fn carry(new: &mut Value, old: &Value) {
    let Some(before) = old.get("metadata").and_then(Value::as_object) else { return };
    let fields = metadata(new);
    for name in ["uid", "deletionTimestamp", "deletionGracePeriodSeconds"] {
        if fields.get(name).is_none_or(|v| v.is_null() || v.as_str() == Some("")) {
            copy(fields, before, name);
        }
    }
    for name in ["creationTimestamp", "generation", "selfLink", "resourceVersion"] {
        copy(fields, before, name);
    }
}

fn copy(fields: &mut Map<String, Value>, before: &Map<String, Value>, name: &str) {
    match before.get(name) {
        Some(value) => fields.insert(name.to_owned(), value.clone()),
        None => fields.remove(name),
    };
}

/// Checks the metadata of an object.
pub(crate) fn validate(object: &Value, resource: &Resource, errors: &mut FieldErrors) {
    let rule = resource.strategy.name_rule();
    let generate = meta(object, "generateName");
    if !generate.is_empty() {
        for problem in names::check(rule, &masked(rule, generate)) {
            errors.invalid("metadata.generateName", &generate.into(), problem);
        }
    }
    match meta(object, "name") {
        "" => errors.required("metadata.name", "name or generateName is required"),
        name => {
            for problem in names::check(rule, name) {
                errors.invalid("metadata.name", &name.into(), problem);
            }
        }
    }
    validate_namespace(object, resource, errors);
    validate_maps(object, errors);
}

/// A prefix may end in a dash, because a suffix follows.
fn masked(rule: NameRule, prefix: &str) -> String {
    if rule != NameRule::PathSegment && prefix.len() > 1 && prefix.ends_with('-') {
        format!("{}a", &prefix[..prefix.len() - 1])
    } else {
        prefix.to_owned()
    }
}

fn validate_namespace(object: &Value, resource: &Resource, errors: &mut FieldErrors) {
    let namespace = meta(object, "namespace");
    match (resource.namespaced, namespace.is_empty()) {
        (true, true) => errors.required("metadata.namespace", ""),
        (true, false) => {
            for problem in names::label(namespace) {
                errors.invalid("metadata.namespace", &namespace.into(), problem);
            }
        }
        (false, false) => errors.forbidden("metadata.namespace", "not allowed on this type"),
        (false, true) => {}
    }
}

/// Checks labels, annotations, owners and finalizers.
pub(crate) fn validate_maps(object: &Value, errors: &mut FieldErrors) {
    let Some(fields) = object.get("metadata").and_then(Value::as_object) else { return };
    for (key, value) in fields.get("labels").and_then(Value::as_object).into_iter().flatten() {
        for problem in names::qualified_name(key) {
            errors.invalid("metadata.labels", &key.as_str().into(), problem);
        }
        for problem in names::label_value(value.as_str().unwrap_or_default()) {
            errors.invalid("metadata.labels", value, problem);
        }
    }
    let mut size = 0;
    for (key, value) in fields.get("annotations").and_then(Value::as_object).into_iter().flatten() {
        for problem in names::qualified_name(&key.to_lowercase()) {
            errors.invalid("metadata.annotations", &key.as_str().into(), problem);
        }
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > ANNOTATIONS_LIMIT {
        errors.too_long("metadata.annotations", ANNOTATIONS_LIMIT);
    }
    validate_owners(fields, errors);
    validate_finalizers(fields, errors);
}

fn validate_finalizers(fields: &Map<String, Value>, errors: &mut FieldErrors) {
    const STANDARD: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];
    let all: Vec<&str> =
        fields.get("finalizers").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    for (index, name) in all.iter().enumerate() {
        for problem in names::qualified_name(name) {
            errors.invalid("metadata.finalizers", &(*name).into(), problem);
        }
        if !name.contains('/') && !STANDARD.contains(name) {
            let why = "name is neither a standard finalizer name nor is it fully qualified";
            errors.invalid(format!("metadata.finalizers[{index}]"), &(*name).into(), why);
        }
    }
    if all.contains(&"orphan") && all.contains(&"foregroundDeletion") {
        let list: Vec<String> = all.iter().map(|f| quote(f)).collect();
        let shown = format!("[]string{{{}}}", list.join(", "));
        errors.invalid_verbatim(
            "metadata.finalizers",
            shown,
            "finalizer orphan and foregroundDeletion cannot be both set",
        );
    }
}

fn validate_owners(fields: &Map<String, Value>, errors: &mut FieldErrors) {
    let mut controllers: Vec<String> = Vec::new();
    for owner in fields.get("ownerReferences").and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| owner.get(name).and_then(Value::as_str).unwrap_or_default();
        for (name, words) in [("apiVersion", "version"), ("kind", "kind"), ("name", "name"), ("uid", "uid")] {
            if text(name).is_empty() {
                errors.invalid(
                    format!("metadata.ownerReferences.{name}"),
                    &"".into(),
                    format!("{words} must not be empty"),
                );
            }
        }
        if text("kind") == "Event" && matches!(text("apiVersion"), "v1" | "events.k8s.io/v1") {
            let (group, version) = text("apiVersion").rsplit_once('/').unwrap_or(("", text("apiVersion")));
            let why = format!("{group}/{version}, Kind=Event is disallowed from being an owner");
            errors.invalid_verbatim("metadata.ownerReferences", owner.to_string(), why);
        }
        if owner.get("controller").and_then(Value::as_bool) == Some(true) {
            controllers.push(format!("{}/{}", text("kind"), text("name")));
        }
    }
    if let [first, second, ..] = &controllers[..] {
        let list = fields.get("ownerReferences").map(Value::to_string).unwrap_or_default();
        let why = format!(
            "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {second}"
        );
        errors.invalid_verbatim("metadata.ownerReferences", list, why);
    }
}

/// Checks a change of metadata.
pub(crate) fn validate_update(new: &Value, old: &Value, errors: &mut FieldErrors) {
    let field =
        |object: &Value, name: &str| object.get("metadata").and_then(|m| m.get(name)).cloned().unwrap_or_default();
    if !field(old, "deletionTimestamp").is_null() {
        no_new_finalizers(&field(new, "finalizers"), &field(old, "finalizers"), errors);
    }
    for name in ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"] {
        let value = field(new, name);
        if value != field(old, name) {
            // Times are told as Go prints them.
            let go = |text: &str| {
                text.parse::<jiff::Timestamp>().ok().map(|t| t.strftime("%Y-%m-%d %H:%M:%S +0000 UTC").to_string())
            };
            let shown = value.as_str().filter(|_| name.ends_with("Timestamp")).and_then(go);
            match shown {
                Some(shown) => errors.invalid_verbatim(format!("metadata.{name}"), shown, "field is immutable"),
                None => errors.invalid(format!("metadata.{name}"), &value, "field is immutable"),
            }
        }
    }
    validate_maps(new, errors);
}

fn no_new_finalizers(new: &Value, old: &Value, errors: &mut FieldErrors) {
    let empty = Vec::new();
    let before: HashSet<&Value> = old.as_array().unwrap_or(&empty).iter().collect();
    let added: Vec<String> = new
        .as_array()
        .unwrap_or(&empty)
        .iter()
        .filter(|f| !before.contains(f))
        .map(|f| quote(f.as_str().unwrap_or_default()))
        .collect();
    if !added.is_empty() {
        let list = added.join(", ");
        errors.forbidden(
            "metadata.finalizers",
            format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{list}}}"
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::Row;

    #[test]
    fn names_are_made_and_checked() {
        let resource = Resource::from_row(&Row::namespaced("", "v1", "ConfigMap", "configmaps"));
        let mut object = json!({"metadata": {"generateName": "a-"}});
        place(&mut object, "n").unwrap();
        generate_name(&mut object);
        begin(&mut object, &resource, jiff::Timestamp::UNIX_EPOCH);
        let mut errors = FieldErrors::new();
        validate(&object, &resource, &mut errors);
        assert!(errors.is_empty(), "{}", errors.message());
        assert_eq!(meta(&object, "name").len(), 7);
        assert!(place(&mut object, "other").is_err());
    }

    #[test]
    fn identity_is_immutable() {
        let mut errors = FieldErrors::new();
        validate_update(&json!({"metadata": {"uid": "b"}}), &json!({"metadata": {"uid": "a"}}), &mut errors);
        assert_eq!(errors.message(), "metadata.uid: Invalid value: \"b\": field is immutable");
    }
}
