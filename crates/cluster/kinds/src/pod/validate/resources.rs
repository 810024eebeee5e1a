//! Requests and limits of containers.

use eksile_kube::FieldErrors;
use serde_json::Value;

use crate::names::qualified;
use crate::quantity::{is_whole, nanos, not_negative, page_size};
use crate::tree::{at, entries};

const OF_CONTAINERS: &[&str] = &["cpu", "memory", "ephemeral-storage"];
/// Names without a domain that mean something, though not all of them to containers.
const STANDARD: &[&str] = &[
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "storage",
    "requests.storage",
    "services.nodeports",
    "services.loadbalancers",
];

/// Checks the resources of a container.
pub(super) fn of_container(resources: &Value, path: &str, errors: &mut FieldErrors) {
    for (name, amount) in entries(resources, "/limits") {
        one(name, amount, &format!("{path}.limits[{name}]"), errors);
    }
    for (name, request) in entries(resources, "/requests") {
        one(name, request, &format!("{path}.requests[{name}]"), errors);
        let limit = at(resources, "/limits").get(name);
        match limit.map(|limit| (nanos(request), nanos(limit), limit)) {
            Some((request_is, limit_is, limit)) if single(name) && request_is != limit_is => {
                let why = format!("must be equal to {name} limit of {}", limit.as_str().unwrap_or_default());
                errors.invalid(format!("{path}.requests"), request, why);
            }
            Some((request_is, limit_is, limit)) if request_is > limit_is => {
                let why =
                    format!("must be less than or equal to {name} limit of {}", limit.as_str().unwrap_or_default());
                errors.invalid(format!("{path}.requests"), request, why);
            }
            None if name.starts_with("hugepages-") || extended(name) => {
                errors.required(format!("{path}.limits"), "Limit must be set for non overcommitable resources");
            }
            _ => {}
        }
    }
}

/// Resources that cannot be promised twice.
fn single(name: &str) -> bool {
    name.starts_with("hugepages-") || extended(name)
}

fn extended(name: &str) -> bool {
    name.contains('/') && !name.contains("kubernetes.io/")
}

fn one(name: &str, amount: &Value, path: &str, errors: &mut FieldErrors) {
    let before = errors.count();
    qualified(name, path, errors);
    let plain = !name.contains('/');
    let paged = name.starts_with("hugepages-");
    if errors.count() == before && plain && !paged && !STANDARD.contains(&name) {
        errors.invalid_verbatim(path, name, "must be a standard resource type or fully qualified");
    }
    if plain && !paged && !OF_CONTAINERS.contains(&name) {
        errors.invalid_verbatim(path, name, "must be a standard resource for containers");
    }
    not_negative(amount, path, errors);
    if extended(name) && !is_whole(amount) {
        errors.invalid_verbatim(path, "{}", "must be an integer");
    }
    if let (Some(size), Some(total)) = (page_size(name), nanos(amount))
        && size > 0
        && total % size != 0
    {
        let shown = amount.as_str().unwrap_or_default();
        errors.invalid(path, amount, format!("{shown} is not positive integer multiple of {name}"));
    }
}
