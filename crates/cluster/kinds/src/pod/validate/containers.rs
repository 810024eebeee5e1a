//! Containers, of all three kinds.

use std::collections::HashSet;

use eksile_kube::FieldErrors;
use serde_json::Value;

use super::probes;
use super::resources;
use super::security;
use super::volumes::{descending, field_reference};
use crate::names::{label, one_of, port_name, port_number};
use crate::tree::{at, items, number, text};

const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];
/// Fields of the pod that variables show.
const VARIABLE_FIELDS: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
/// What an ephemeral container may have.
const EPHEMERAL_FIELDS: &[&str] = &[
    "name",
    "image",
    "command",
    "args",
    "workingDir",
    "env",
    "envFrom",
    "volumeMounts",
    "volumeDevices",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "imagePullPolicy",
    "securityContext",
    "stdin",
    "stdinOnce",
    "tty",
    "targetContainerName",
    "resources",
];

/// Checks all containers.
pub(super) fn all(pod: &Value, volumes: &HashSet<&str>, errors: &mut FieldErrors) {
    let containers = items(pod, "/spec/containers");
    if containers.is_empty() {
        errors.required("spec.containers", "");
    }
    let mut names: HashSet<&str> = HashSet::new();
    for (index, container) in containers.iter().enumerate() {
        let path = format!("spec.containers[{index}]");
        shared(container, volumes, &path, errors);
        unique(container, &mut names, &path, errors);
        probes::all(container, &path, errors);
        if !text(container, "/restartPolicy").is_empty() {
            errors.forbidden(format!("{path}.restartPolicy"), "may not be set for non-init containers");
        }
    }
    host_ports(containers, "spec.containers", errors);
    for (index, container) in items(pod, "/spec/initContainers").iter().enumerate() {
        init(container, volumes, &mut names, &format!("spec.initContainers[{index}]"), errors);
    }
    let others = names.clone();
    for (index, container) in items(pod, "/spec/ephemeralContainers").iter().enumerate() {
        let path = format!("spec.ephemeralContainers[{index}]");
        shared(container, volumes, &path, errors);
        trimmed_image(container, &path, errors);
        unique(container, &mut names, &path, errors);
        ephemeral(container, &others, &path, errors);
    }
}

fn unique<'a>(container: &'a Value, names: &mut HashSet<&'a str>, path: &str, errors: &mut FieldErrors) {
    let name = text(container, "/name");
    if !name.is_empty() && !names.insert(name) {
        errors.duplicate(format!("{path}.name"), &name.into());
    }
}

fn init<'a>(
    container: &'a Value,
    volumes: &HashSet<&str>,
    names: &mut HashSet<&'a str>,
    path: &str,
    errors: &mut FieldErrors,
) {
    shared(container, volumes, path, errors);
    let policy = text(container, "/restartPolicy");
    if !policy.is_empty() {
        one_of(policy, &["Always"], &format!("{path}.restartPolicy"), errors);
    }
    unique(container, names, path, errors);
    host_ports(std::slice::from_ref(container), "spec.initContainers", errors);
    if policy == "Always" {
        return probes::all(container, path, errors);
    }
    for field in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
        if container.get(field).is_some_and(Value::is_object) {
            let why = "may not be set for init containers without restartPolicy=Always";
            errors.forbidden(format!("{path}.{field}"), why);
        }
    }
}

fn ephemeral(container: &Value, others: &HashSet<&str>, path: &str, errors: &mut FieldErrors) {
    let target = text(container, "/targetContainerName");
    if !target.is_empty() && !others.contains(target) {
        errors.not_found(format!("{path}.targetContainerName"), &target.into());
    }
    for (field, value) in container.as_object().into_iter().flatten() {
        let set = match value {
            Value::Object(inner) => !inner.is_empty(),
            Value::Array(inner) => !inner.is_empty(),
            other => !other.is_null(),
        };
        if set && (!EPHEMERAL_FIELDS.contains(&field.as_str()) || field == "resources") {
            errors.forbidden(format!("{path}.{field}"), "cannot be set for an Ephemeral Container");
        }
    }
    for (index, mount) in items(container, "/volumeMounts").iter().enumerate() {
        for field in ["subPath", "subPathExpr"] {
            if !text(mount, &format!("/{field}")).is_empty() {
                let path = format!("{path}.volumeMounts[{index}].{field}");
                errors.forbidden(path, "cannot be set for an Ephemeral Container");
            }
        }
    }
}

/// What holds for every kind of container.
fn shared(container: &Value, volumes: &HashSet<&str>, path: &str, errors: &mut FieldErrors) {
    let name = text(container, "/name");
    if name.is_empty() {
        errors.required(format!("{path}.name"), "");
    } else {
        label(name, &format!("{path}.name"), errors);
    }
    if text(container, "/image").is_empty() {
        errors.required(format!("{path}.image"), "");
    }
    let policies = &["File", "FallbackToLogsOnError"];
    one_of(text(container, "/terminationMessagePolicy"), policies, &format!("{path}.terminationMessagePolicy"), errors);
    ports(container, &format!("{path}.ports"), errors);
    variables(container, &format!("{path}.env"), errors);
    variable_sources(container, &format!("{path}.envFrom"), errors);
    mounts(container, volumes, &format!("{path}.volumeMounts"), errors);
    for (index, device) in items(container, "/volumeDevices").iter().enumerate() {
        let name = text(device, "/name");
        if !volumes.contains(name) {
            errors.not_found(format!("{path}.volumeDevices[{index}].name"), &name.into());
        }
    }
    let pulls = &["Always", "IfNotPresent", "Never"];
    one_of(text(container, "/imagePullPolicy"), pulls, &format!("{path}.imagePullPolicy"), errors);
    resources::of_container(at(container, "/resources"), &format!("{path}.resources"), errors);
    security::of_container(at(container, "/securityContext"), &format!("{path}.securityContext"), errors);
}

fn ports(container: &Value, path: &str, errors: &mut FieldErrors) {
    let mut names: HashSet<&str> = HashSet::new();
    for (index, port) in items(container, "/ports").iter().enumerate() {
        let path = format!("{path}[{index}]");
        let name = text(port, "/name");
        let problems = if name.is_empty() { Vec::new() } else { port_name(name) };
        for problem in &problems {
            errors.invalid(format!("{path}.name"), &name.into(), *problem);
        }
        if problems.is_empty() && !name.is_empty() && !names.insert(name) {
            errors.duplicate(format!("{path}.name"), &name.into());
        }
        match number(port, "/containerPort").unwrap_or_default() {
            0 => errors.required(format!("{path}.containerPort"), ""),
            own => port_number(own, &format!("{path}.containerPort"), errors),
        }
        if let Some(host) = number(port, "/hostPort").filter(|p| *p != 0) {
            port_number(host, &format!("{path}.hostPort"), errors);
        }
        one_of(text(port, "/protocol"), PROTOCOLS, &format!("{path}.protocol"), errors);
    }
}

fn host_ports(containers: &[Value], path: &str, errors: &mut FieldErrors) {
    let mut taken: HashSet<String> = HashSet::new();
    for (index, container) in containers.iter().enumerate() {
        for (at, port) in items(container, "/ports").iter().enumerate() {
            let Some(host) = number(port, "/hostPort").filter(|p| *p != 0) else { continue };
            let key = format!("{}/{}/{host}", text(port, "/protocol"), text(port, "/hostIP"));
            if taken.contains(&key) {
                errors.duplicate(format!("{path}[{index}].ports[{at}].hostPort"), &key.as_str().into());
            }
            taken.insert(key);
        }
    }
}

fn variables(container: &Value, path: &str, errors: &mut FieldErrors) {
    for (index, variable) in items(container, "/env").iter().enumerate() {
        let path = format!("{path}[{index}]");
        let name = text(variable, "/name");
        if name.is_empty() {
            errors.required(format!("{path}.name"), "");
        } else {
            variable_name(name, &format!("{path}.name"), errors);
        }
        if at(variable, "/valueFrom").is_object() {
            value_from(variable, &format!("{path}.valueFrom"), errors);
        }
    }
}

fn variable_name(name: &str, path: &str, errors: &mut FieldErrors) {
    if !name.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'=') {
        let why = "a valid environment variable name must consist only of printable ASCII characters other than '='";
        errors.invalid(path, &name.into(), why);
    }
}

fn value_from(variable: &Value, path: &str, errors: &mut FieldErrors) {
    let from = at(variable, "/valueFrom");
    let mut count = 0;
    if let Some(field) = from.get("fieldRef").filter(|v| v.is_object()) {
        count += 1;
        field_reference(field, VARIABLE_FIELDS, &format!("{path}.fieldRef"), errors);
    }
    if let Some(resource) = from.get("resourceFieldRef").filter(|v| v.is_object()) {
        count += 1;
        if text(resource, "/resource").is_empty() {
            errors.required(format!("{path}.resourceFieldRef.resource"), "");
        }
    }
    for kind in ["configMapKeyRef", "secretKeyRef"] {
        let Some(reference) = from.get(kind).filter(|v| v.is_object()) else { continue };
        count += 1;
        let name = text(reference, "/name");
        // Upstream forgives a nameless secret, not a nameless map.
        if kind == "configMapKeyRef" || !name.is_empty() {
            crate::names::subdomain(name, &format!("{path}.{kind}.name"), errors);
        }
        let key = text(reference, "/key");
        if key.is_empty() {
            errors.required(format!("{path}.{kind}.key"), "");
        } else {
            crate::configmap::data_key(key, &format!("{path}.{kind}.key"), errors);
        }
    }
    let empty = Value::from("");
    if count == 0 {
        let why = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`";
        errors.invalid(path, &empty, why);
    } else if !text(variable, "/value").is_empty() {
        errors.invalid(path, &empty, "may not be specified when `value` is not empty");
    } else if count > 1 {
        errors.invalid(path, &empty, "may not have more than one field specified at a time");
    }
}

fn variable_sources(container: &Value, path: &str, errors: &mut FieldErrors) {
    for (index, source) in items(container, "/envFrom").iter().enumerate() {
        let own = format!("{path}[{index}]");
        let prefix = text(source, "/prefix");
        if !prefix.is_empty() {
            variable_name(prefix, &format!("{own}.prefix"), errors);
        }
        let mut count = 0;
        for kind in ["configMapRef", "secretRef"] {
            let Some(reference) = source.get(kind).filter(|v| v.is_object()) else { continue };
            count += 1;
            let name = text(reference, "/name");
            if name.is_empty() {
                errors.required(format!("{own}.{kind}.name"), "");
            } else {
                crate::names::subdomain(name, &format!("{own}.{kind}.name"), errors);
            }
        }
        match count {
            0 => errors.invalid(path, &"".into(), "must specify one of: `configMapRef` or `secretRef`"),
            1 => {}
            _ => errors.invalid(path, &"".into(), "may not have more than one field specified at a time"),
        }
    }
}

fn mounts(container: &Value, volumes: &HashSet<&str>, path: &str, errors: &mut FieldErrors) {
    let mut points: HashSet<&str> = HashSet::new();
    for (index, mount) in items(container, "/volumeMounts").iter().enumerate() {
        let own = format!("{path}[{index}]");
        let (name, point) = (text(mount, "/name"), text(mount, "/mountPath"));
        if name.is_empty() {
            errors.required(format!("{own}.name"), "");
        }
        if !volumes.contains(name) {
            errors.not_found(format!("{own}.name"), &name.into());
        }
        if point.is_empty() {
            errors.required(format!("{own}.mountPath"), "");
        }
        if !points.insert(point) {
            errors.invalid(format!("{own}.mountPath"), &point.into(), "must be unique");
        }
        let (below, pattern) = (text(mount, "/subPath"), text(mount, "/subPathExpr"));
        if !below.is_empty() {
            descending(below, &format!("{path}.subPath"), errors);
        }
        if !pattern.is_empty() {
            if !below.is_empty() {
                let why = "subPathExpr and subPath are mutually exclusive";
                errors.invalid(format!("{own}.subPathExpr"), &pattern.into(), why);
            }
            descending(pattern, &format!("{path}.subPathExpr"), errors);
        }
        let propagation = text(mount, "/mountPropagation");
        if !propagation.is_empty() {
            let set = &["Bidirectional", "HostToContainer", "None"];
            one_of(propagation, set, &format!("{path}.mountPropagation"), errors);
        }
    }
}

/// What holds in pods and not in their templates.
pub(super) fn only_in_pods(pod: &Value, errors: &mut FieldErrors) {
    for list in ["containers", "initContainers"] {
        for (index, container) in items(pod, &format!("/spec/{list}")).iter().enumerate() {
            trimmed_image(container, &format!("spec.{list}[{index}]"), errors);
        }
    }
}

fn trimmed_image(container: &Value, path: &str, errors: &mut FieldErrors) {
    let image = text(container, "/image");
    if image.trim() != image {
        errors.invalid(format!("{path}.image"), &image.into(), "must not have leading or trailing whitespace");
    }
}
