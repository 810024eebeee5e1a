//! What a kubelet does with pods.

use serde_json::Value;

use super::{Admitted, Operation, Write};
use crate::field::quote;
use crate::object::meta;
use crate::references::{self, MIRROR, items, projections, text};
use crate::status::StatusError;

pub(super) fn admit(write: &Write<'_>) -> Admitted {
    match (write.call.at.sub.as_str(), write.operation) {
        ("", Operation::Create) => create(write),
        (_, Operation::Delete) => delete(write),
        ("", operation) => write.refuse(&format!(
            "unexpected operation {}, node {} can only create and delete mirror pods",
            quote(operation.name()),
            quote(write.node)
        )),
        ("status", Operation::Update) => status(write),
        ("status", operation) => write.refuse(&format!("unexpected operation {}", quote(operation.name()))),
        ("eviction", Operation::Create) => evict(write),
        ("eviction", operation) => write.refuse(&format!("unexpected operation {}", operation.name())),
        (sub, _) => write
            .refuse(&format!("unexpected pod subresource {}, only 'status' and 'eviction' are allowed", quote(sub))),
    }
}

fn create(write: &Write<'_>) -> Admitted {
    let (pod, node) = (write.new, quote(write.node));
    if !references::is_mirror(pod) {
        let mirror = quote(MIRROR);
        return write
            .refuse(&format!("pod does not have {mirror} annotation, node {node} can only create mirror pods"));
    }
    if text(pod, "/spec/nodeName") != write.node {
        return write.refuse(&format!("node {node} can only create pods with spec.nodeName set to itself"));
    }
    owner(write)?;
    // It must name no other object, or its node could read that.
    let refers = |what: &str| write.refuse(&format!("node {node} can not create pods that reference {what}"));
    if !text(pod, "/spec/serviceAccountName").is_empty() || !text(pod, "/spec/serviceAccount").is_empty() {
        return refers("a service account");
    }
    if !references::secrets(pod).is_empty() {
        return refers("secrets");
    }
    if !references::config_maps(pod).is_empty() {
        return refers("configmaps");
    }
    if projections(pod).any(|source| source.get("clusterTrustBundle").is_some_and(Value::is_object)) {
        return refers("clustertrustbundles");
    }
    if items(pod, "/spec/volumes").any(|volume| volume.get("persistentVolumeClaim").is_some_and(Value::is_object)) {
        return refers("persistentvolumeclaims");
    }
    Ok(())
}

/// A mirror pod is owned by its node, and by nobody else.
fn owner(write: &Write<'_>) -> Admitted {
    let node = quote(write.node);
    let owners: Vec<&Value> = items(write.new, "/metadata/ownerReferences").collect();
    let owner = match owners[..] {
        [] => {
            return write.refuse(&format!("node {node} can only create pods with an owner reference set to itself"));
        }
        [owner] => owner,
        _ => {
            return write
                .refuse(&format!("node {node} can only create pods with a single owner reference set to itself"));
        }
    };
    if (text(owner, "/apiVersion"), text(owner, "/kind"), text(owner, "/name")) != ("v1", "Node", write.node) {
        return write.refuse(&format!("node {node} can only create pods with an owner reference set to itself"));
    }
    if owner.get("controller").and_then(Value::as_bool) != Some(true) {
        return write
            .refuse(&format!("node {node} can only create pods with a controller owner reference set to itself"));
    }
    if owner.get("blockOwnerDeletion").and_then(Value::as_bool) == Some(true) {
        return write.refuse(&format!("node {node} must not set blockOwnerDeletion on an owner reference"));
    }
    let own = write.call.door.stored("/registry/nodes/", write.node)?;
    let own = own.ok_or_else(|| StatusError::not_found("", "node", write.node))?;
    let (claimed, uid) = (text(owner, "/uid"), meta(&own, "uid"));
    if claimed != uid {
        return write.refuse(&format!("node {} UID mismatch: expected {claimed} got {uid}", write.node));
    }
    Ok(())
}

fn delete(write: &Write<'_>) -> Admitted {
    if text(write.old, "/spec/nodeName") != write.node {
        let node = quote(write.node);
        return write.refuse(&format!("node {node} can only delete pods with spec.nodeName set to itself"));
    }
    Ok(())
}

fn status(write: &Write<'_>) -> Admitted {
    let (new, old, node) = (write.new, write.old, quote(write.node));
    if text(old, "/spec/nodeName") != write.node {
        return write
            .refuse(&format!("node {node} can only update pod status for pods with spec.nodeName set to itself"));
    }
    if labels(new) != labels(old) {
        return write.refuse(&format!("node {node} cannot update labels through pod status"));
    }
    if claims(new) != claims(old) {
        return write.refuse(&format!("node {node} cannot update resource claim statues"));
    }
    Ok(())
}

fn labels(pod: &Value) -> Option<&serde_json::Map<String, Value>> {
    pod.pointer("/metadata/labels").and_then(Value::as_object).filter(|labels| !labels.is_empty())
}

fn claims(pod: &Value) -> Vec<(&str, Option<&Value>)> {
    items(pod, "/status/resourceClaimStatuses").map(|s| (text(s, "/name"), s.get("resourceClaimName"))).collect()
}

/// An eviction is judged by the pod in the URL, whatever its body says.
fn evict(write: &Write<'_>) -> Admitted {
    let name = write.name();
    if name.is_empty() {
        return write.refuse("could not determine pod from request data");
    }
    let pod = write.call.door.stored("/registry/pods/", &format!("{}/{name}", write.call.namespace()))?;
    let pod = pod.ok_or_else(|| StatusError::not_found("", "pod", name))?;
    if text(&pod, "/spec/nodeName") != write.node {
        return write.refuse(&format!("node {} can only evict pods with spec.nodeName set to itself", write.node));
    }
    Ok(())
}
