//! Annotations that mean something to the server: mirror pods, and profiles of seccomp and AppArmor as pods named them
//! before there were fields (`pkg/apis/core/validation`, `pkg/registry/core/pod/strategy.go`).

use std::collections::HashSet;

use eksile_kube::FieldErrors;
use eksile_kube::field::quote;
use serde_json::{Value, json};

use super::validate::descending;
use super::{CONTAINER_LISTS, containers};
use crate::tree::{at, entries, items_mut, map, text};

const MIRROR: &str = "kubernetes.io/config.mirror";
const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";
/// Names the pod's profile of seccomp.
pub(super) const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
/// Begins the annotations that name a container's.
pub(super) const SECCOMP: &str = "container.seccomp.security.alpha.kubernetes.io/";
const LONGEST_PROFILE: usize = 4095;

fn all(pod: &Value) -> impl Iterator<Item = (&str, &str)> {
    entries(pod, "/metadata/annotations").map(|(key, value)| (key.as_str(), value.as_str().unwrap_or_default()))
}

fn value<'a>(pod: &'a Value, key: &str) -> Option<&'a str> {
    at(pod, "/metadata/annotations").get(key)?.as_str()
}

fn keyed(key: &str) -> String {
    format!("metadata.annotations[{key}]")
}

/// Checks the annotations of a pod.
pub(super) fn validate(pod: &Value, errors: &mut FieldErrors) {
    if let Some(hash) = value(pod, MIRROR)
        && text(pod, "/spec/nodeName").is_empty()
    {
        errors.invalid(keyed(MIRROR), &hash.into(), "must set spec.nodeName if mirror pod annotation is set");
    }
    let of_pod = all(pod).filter(|(key, _)| *key == SECCOMP_POD);
    for (key, profile) in of_pod.chain(all(pod).filter(|(key, _)| key.starts_with(SECCOMP))) {
        let path = format!("metadata.annotations.{key}");
        match (profile, profile.strip_prefix("localhost/")) {
            ("runtime/default" | "docker/default" | "unconfined", _) => {}
            (_, Some(file)) => descending(file, &path, errors),
            _ => errors.invalid(path, &profile.into(), "must be a valid seccomp profile"),
        }
    }
    let mut profiles =
        all(pod).filter_map(|(key, profile)| Some((key, key.strip_prefix(APP_ARMOR)?, profile))).peekable();
    if profiles.peek().is_none() {
        return;
    }
    let names: HashSet<&str> = containers(pod).map(|(_, container)| text(container, "/name")).collect();
    for (key, name, profile) in profiles {
        if !names.contains(name) {
            errors.invalid(keyed(key), &name.into(), "container not found");
        }
        let known = matches!(profile, "" | "runtime/default" | "unconfined") || profile.starts_with("localhost/");
        if !known {
            let why = format!("invalid AppArmor profile name: {}", quote(profile));
            errors.invalid(keyed(key), &profile.into(), why);
        }
    }
}

/// What is said by annotation and by field is the same.
pub(super) fn validate_create(pod: &Value, errors: &mut FieldErrors) {
    let of_pod = at(pod, "/spec/securityContext/seccompProfile");
    if let Some(said) = value(pod, SECCOMP_POD) {
        same("seccomp", said, of_pod, "spec.securityContext.seccompProfile", errors);
    }
    for (path, container) in containers(pod) {
        if let Some(said) = value(pod, &format!("{SECCOMP}{}", text(container, "/name"))) {
            let path = format!("{path}.securityContext.seccompProfile");
            same("seccomp", said, at(container, "/securityContext/seccompProfile"), &path, errors);
        }
    }
    if text(pod, "/spec/os/name") == "windows" {
        return;
    }
    for (path, container) in containers(pod) {
        if let Some(said) = value(pod, &format!("{APP_ARMOR}{}", text(container, "/name"))) {
            let own = at(container, "/securityContext/appArmorProfile");
            let profile = if own.is_object() { own } else { at(pod, "/spec/securityContext/appArmorProfile") };
            same("apparmor", said, profile, &format!("{path}.securityContext.appArmorProfile"), errors);
        }
    }
}

fn same(what: &str, said: &str, profile: &Value, path: &str, errors: &mut FieldErrors) {
    let wrong = |field: &str, noun: &str, errors: &mut FieldErrors| {
        errors.forbidden(format!("{path}.{field}"), format!("{what} {noun} in annotation and field must match"));
    };
    let file = said.strip_prefix("localhost/");
    let matches = match text(profile, "/type") {
        "Unconfined" => said == "unconfined",
        "RuntimeDefault" => said == "runtime/default" || what == "seccomp" && said == "docker/default",
        "Localhost" => file.is_some(),
        _ => return,
    };
    if !matches {
        wrong("type", "type", errors);
    } else if file.is_some_and(|file| at(profile, "/localhostProfile").as_str() != Some(file)) {
        wrong("localhostProfile", "profile", errors);
    }
}

/// What a pod is, it stays: a mirror from its beginning to its end, or never. What a mirror may not name is judged when
/// it is made.
pub(super) fn validate_update(new: &Value, old: &Value, errors: &mut FieldErrors) {
    for (key, _) in all(old).filter(|(key, before)| value(new, key) != Some(before)) {
        if key.starts_with(APP_ARMOR) {
            errors.forbidden(keyed(key), "may not remove or update AppArmor annotations");
        }
        if key == MIRROR {
            errors.forbidden(keyed(key), "may not remove or update mirror pod annotation");
        }
    }
    for (key, _) in all(new).filter(|(key, _)| value(old, key).is_none()) {
        if key.starts_with(APP_ARMOR) {
            errors.forbidden(keyed(key), "may not add AppArmor annotations");
        }
        if key == MIRROR {
            errors.forbidden(keyed(key), "may not add mirror pod annotation");
        }
    }
    validate(new, errors);
}

/// The profile of an annotation, where it is one.
fn profile(said: &str) -> Option<Value> {
    match said {
        "unconfined" => Some(json!({ "type": "Unconfined" })),
        "runtime/default" => Some(json!({ "type": "RuntimeDefault" })),
        other => {
            let file = other.strip_prefix("localhost/")?;
            let right = !file.is_empty() && file.trim() == file && file.len() <= LONGEST_PROFILE;
            right.then(|| json!({ "type": "Localhost", "localhostProfile": file }))
        }
    }
}

/// The annotation for a profile.
fn annotation(profile: &Value) -> Option<String> {
    match text(profile, "/type") {
        "Unconfined" => Some("unconfined".to_owned()),
        "RuntimeDefault" => Some("runtime/default".to_owned()),
        "Localhost" => at(profile, "/localhostProfile").as_str().map(|file| format!("localhost/{file}")),
        _ => None,
    }
}

/// Annotations of a new pod that say what no field says: they are to be fields.
pub(super) fn outdated(pod: &Value) -> Vec<String> {
    if text(pod, "/spec/os/name") == "windows" {
        return Vec::new();
    }
    let of_pod = at(pod, "/spec/securityContext/appArmorProfile");
    let lone = containers(pod).filter(|(_, c)| !at(c, "/securityContext/appArmorProfile").is_object());
    let keys = lone.map(|(_, container)| format!("{APP_ARMOR}{}", text(container, "/name")));
    let other = |key: &String| value(pod, key).is_some_and(|said| profile(said).is_none_or(|said| said != *of_pod));
    keys.filter(other)
        .map(|key| format!("{}: deprecated since v1.30; use the \"appArmorProfile\" field instead", keyed(&key)))
        .collect()
}

/// A new pod says of AppArmor the same by annotation and by field.
pub(super) fn synchronize(pod: &mut Value) {
    if text(pod, "/spec/os/name") == "windows" {
        return;
    }
    let of_pod = at(pod, "/spec/securityContext/appArmorProfile").clone();
    let mut said = Vec::new();
    let known = at(pod, "/metadata/annotations").clone();
    for list in CONTAINER_LISTS {
        for container in items_mut(pod, &format!("/spec/{list}")) {
            let key = format!("{APP_ARMOR}{}", text(container, "/name"));
            let own = at(container, "/securityContext/appArmorProfile");
            match known.get(&key).and_then(Value::as_str) {
                None => {
                    let from = if own.is_object() { own } else { &of_pod };
                    said.extend(annotation(from).map(|text| (key, text)));
                }
                Some(text) if !own.is_object() => {
                    if let Some(profile) = profile(text).filter(|profile| *profile != of_pod)
                        && let Some(context) = map(container, "securityContext")
                    {
                        context.insert("appArmorProfile".to_owned(), profile);
                    }
                }
                Some(_) => {}
            }
        }
    }
    if said.is_empty() {
        return;
    }
    if let Some(metadata) = pod.get_mut("metadata")
        && let Some(annotations) = map(metadata, "annotations")
    {
        annotations.extend(said.into_iter().map(|(key, text)| (key, text.into())));
    }
}
