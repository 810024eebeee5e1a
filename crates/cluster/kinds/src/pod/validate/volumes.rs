//! Volumes and their sources.

use std::collections::HashSet;

use eksile_kube::FieldErrors;
use serde_json::Value;

use crate::names::label;
use crate::tree::{at, items, number, text};

/// Sources in the order in which upstream looks at them.
const SOURCES: &[&str] = &[
    "emptyDir",
    "hostPath",
    "gitRepo",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "secret",
    "nfs",
    "iscsi",
    "glusterfs",
    "flocker",
    "persistentVolumeClaim",
    "rbd",
    "cinder",
    "cephfs",
    "quobyte",
    "downwardAPI",
    "fc",
    "flexVolume",
    "configMap",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "storageos",
    "projected",
    "scaleIO",
    "csi",
    "ephemeral",
    "image",
];
const MODE: &str = "must be a number between 0 and 0777 (octal), both inclusive";
const HOST_PATH_TYPES: &[&str] =
    &["", "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice"];
/// Fields of an object that files of the downward API show.
const FILE_FIELDS: &[&str] =
    &["metadata.name", "metadata.namespace", "metadata.labels", "metadata.annotations", "metadata.uid"];

/// Checks all volumes; returns the names of the good ones.
pub(super) fn all<'a>(pod: &'a Value, errors: &mut FieldErrors) -> HashSet<&'a str> {
    let mut good: HashSet<&str> = HashSet::new();
    for (index, volume) in items(pod, "/spec/volumes").iter().enumerate() {
        let path = format!("spec.volumes[{index}]");
        let before = errors.count();
        source(volume, &path, errors);
        let name = text(volume, "/name");
        if name.is_empty() {
            errors.required(format!("{path}.name"), "");
        } else {
            label(name, &format!("{path}.name"), errors);
        }
        if good.contains(name) {
            errors.duplicate(format!("{path}.name"), &name.into());
        }
        if errors.count() == before {
            good.insert(name);
        }
    }
    good
}

fn source(volume: &Value, path: &str, errors: &mut FieldErrors) {
    let mut found = false;
    for name in SOURCES {
        let Some(one) = volume.get(*name).filter(|v| v.is_object()) else { continue };
        let path = format!("{path}.{name}");
        if found {
            errors.forbidden(path, "may not specify more than 1 volume type");
        } else {
            found = true;
            known(name, one, &path, errors);
        }
    }
    if !found {
        errors.required(path, "must specify a volume type");
    }
}

fn known(name: &str, source: &Value, path: &str, errors: &mut FieldErrors) {
    let mut required = |field: &str| {
        if text(source, &format!("/{field}")).is_empty() {
            errors.required(format!("{path}.{field}"), "");
        }
    };
    match name {
        "hostPath" => host_path(source, path, errors),
        "configMap" => {
            required("name");
            files(source, path, errors);
        }
        "secret" => {
            required("secretName");
            files(source, path, errors);
        }
        "persistentVolumeClaim" => required("claimName"),
        "awsElasticBlockStore" => required("volumeID"),
        "csi" => required("driver"),
        "nfs" => {
            required("server");
            required("path");
            let target = text(source, "/path");
            if !target.starts_with('/') {
                errors.invalid(format!("{path}.path"), &target.into(), "must be an absolute path");
            }
        }
        "emptyDir" if text(source, "/sizeLimit").starts_with('-') => {
            errors.forbidden(format!("{path}.sizeLimit"), "SizeLimit field must be a valid resource quantity");
        }
        "downwardAPI" => {
            mode(source, "defaultMode", path, errors);
            for item in items(source, "/items") {
                downward_file(item, path, errors);
            }
        }
        "projected" => projected(source, path, errors),
        _ => {}
    }
}

fn host_path(source: &Value, path: &str, errors: &mut FieldErrors) {
    let target = text(source, "/path");
    if target.is_empty() {
        return errors.required(format!("{path}.path"), "");
    }
    no_steps_back(target, &format!("{path}.path"), errors);
    let kind = text(source, "/type");
    if !HOST_PATH_TYPES.contains(&kind) {
        errors.not_supported(format!("{path}.type"), &kind.into(), &HOST_PATH_TYPES[1..]);
    }
}

fn mode(source: &Value, field: &str, path: &str, errors: &mut FieldErrors) {
    if let Some(bits) = number(source, &format!("/{field}")).filter(|bits| !(0..=0o777).contains(bits)) {
        errors.invalid(format!("{path}.{field}"), &bits.into(), MODE);
    }
}

fn files(source: &Value, path: &str, errors: &mut FieldErrors) {
    mode(source, "defaultMode", path, errors);
    for (index, item) in items(source, "/items").iter().enumerate() {
        key_to_path(item, &format!("{path}.items[{index}]"), errors);
    }
}

fn key_to_path(item: &Value, path: &str, errors: &mut FieldErrors) {
    for field in ["key", "path"] {
        if text(item, &format!("/{field}")).is_empty() {
            errors.required(format!("{path}.{field}"), "");
        }
    }
    local_path(text(item, "/path"), &format!("{path}.path"), errors);
    mode(item, "mode", path, errors);
}

/// A relative path that stays inside and does not begin with two points.
fn local_path(target: &str, path: &str, errors: &mut FieldErrors) {
    descending(target, path, errors);
    if target.starts_with("..") && !target.split('/').any(|part| part == "..") {
        errors.invalid(path, &target.into(), "must not start with '..'");
    }
}

/// A relative path that stays inside.
pub(in crate::pod) fn descending(target: &str, path: &str, errors: &mut FieldErrors) {
    if target.starts_with('/') {
        errors.invalid(path, &target.into(), "must be a relative path");
    }
    no_steps_back(target, path, errors);
}

fn no_steps_back(target: &str, path: &str, errors: &mut FieldErrors) {
    if target.split('/').any(|part| part == "..") {
        errors.invalid(path, &target.into(), "must not contain '..'");
    }
}

fn downward_file(item: &Value, path: &str, errors: &mut FieldErrors) {
    if text(item, "/path").is_empty() {
        errors.required(format!("{path}.path"), "");
    }
    local_path(text(item, "/path"), &format!("{path}.path"), errors);
    let (field, resource) = (at(item, "/fieldRef"), at(item, "/resourceFieldRef"));
    match (field.is_object(), resource.is_object()) {
        (true, other) => {
            field_reference(field, FILE_FIELDS, &format!("{path}.fieldRef"), errors);
            if other {
                errors.invalid(
                    path,
                    &"resource".into(),
                    "fieldRef and resourceFieldRef can not be specified simultaneously",
                );
            }
        }
        (false, true) => {}
        (false, false) => errors.required(path, "one of fieldRef and resourceFieldRef is required"),
    }
    mode(item, "mode", path, errors);
}

/// A reference to a field of the pod, out of those that may be shown there.
pub(super) fn field_reference(reference: &Value, shown: &[&str], path: &str, errors: &mut FieldErrors) {
    let field = text(reference, "/fieldPath");
    let path = format!("{path}.fieldPath");
    if field.is_empty() {
        return errors.required(path, "");
    }
    let base = field.split_once('[').filter(|(_, rest)| rest.ends_with(']')).map_or(field, |(base, _)| base);
    let keyed = base != field && matches!(base, "metadata.labels" | "metadata.annotations");
    if keyed || shown.contains(&field) {
        return;
    }
    if CONVERTIBLE.contains(&field) {
        errors.not_supported(path, &field.into(), shown);
    } else {
        let why = format!("error converting fieldPath: field label not supported: {field}");
        errors.invalid(path, &field.into(), why);
    }
}

/// Fields that any reference may name, whether or not they are shown there.
const CONVERTIBLE: &[&str] = &[
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.serviceAccountName",
    "spec.schedulerName",
    "spec.hostNetwork",
    "status.phase",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

fn projected(source: &Value, path: &str, errors: &mut FieldErrors) {
    mode(source, "defaultMode", path, errors);
    for (index, one) in items(source, "/sources").iter().enumerate() {
        let own = format!("{path}.sources[{index}]");
        let mut count = 0;
        for kind in ["secret", "configMap"] {
            let Some(inner) = one.get(kind).filter(|v| v.is_object()) else { continue };
            count += 1;
            if text(inner, "/name").is_empty() {
                errors.required(format!("{own}.{kind}.name"), "");
            }
            for (at, item) in items(inner, "/items").iter().enumerate() {
                key_to_path(item, &format!("{own}.{kind}.items[{at}]"), errors);
            }
        }
        if at(one, "/downwardAPI").is_object() {
            count += 1;
            for item in items(one, "/downwardAPI/items") {
                downward_file(item, &format!("{own}.downwardAPI"), errors);
            }
        }
        if let Some(token) = one.get("serviceAccountToken").filter(|v| v.is_object()) {
            count += 1;
            projected_token(token, &own, path, errors);
        }
        if count > 1 {
            errors.forbidden(own, "may not specify more than 1 volume type per source");
        }
    }
}

fn projected_token(token: &Value, own: &str, path: &str, errors: &mut FieldErrors) {
    let field = format!("{own}.serviceAccountToken.expirationSeconds");
    let seconds = number(token, "/expirationSeconds").unwrap_or_default();
    if seconds < 600 {
        errors.invalid(field.clone(), &seconds.into(), "may not specify a duration less than 10 minutes");
    }
    if seconds > 1 << 32 {
        errors.invalid(field, &seconds.into(), "may not specify a duration larger than 2^32 seconds");
    }
    let target = text(token, "/path");
    if target.is_empty() {
        errors.required(format!("{path}.path"), "");
    } else {
        local_path(target, &format!("{path}.path"), errors);
    }
}
