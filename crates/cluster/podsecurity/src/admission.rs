//! Which writes are judged, and what is said of them (`admission/admission.go`).

use std::collections::BTreeMap;

use eksile_kube::StatusError;
use eksile_kube::validating::{Validator, Write};
use futures::future::BoxFuture;
use serde_json::Value;

use crate::checks::{details, violations};
use crate::existing;
use crate::labels::{Level, Policy, Standard, field_errors, policy};
use crate::pod::{Container, Pod};

/// Keys of namespaces.
const NAMESPACES: &str = "/registry/namespaces/";

/// Subresources of pods whose writes cannot change what a pod may do. Others are judged, known or not.
const IGNORED: &[&str] = &["exec", "attach", "binding", "eviction", "log", "portforward", "proxy", "status"];

/// Kinds that hold templates of pods, and where: group, plural, pointer.
const TEMPLATES: &[(&str, &str, &str)] = &[
    ("", "replicationcontrollers", "/spec/template"),
    ("", "podtemplates", "/template"),
    ("apps", "replicasets", "/spec/template"),
    ("apps", "deployments", "/spec/template"),
    ("apps", "statefulsets", "/spec/template"),
    ("apps", "daemonsets", "/spec/template"),
    ("batch", "jobs", "/spec/template"),
    ("batch", "cronjobs", "/spec/jobTemplate/spec/template"),
];

/// The plug-in, with upstream's defaults: nothing is exempt, and a namespace without labels is privileged.
#[derive(Debug, Clone, Copy, Default)]
pub struct PodSecurity;

impl Validator for PodSecurity {
    fn validate<'a>(&'a self, write: &'a Write<'a>) -> BoxFuture<'a, Result<(), StatusError>> {
        Box::pin(async move {
            match (write.resource.group.as_ref(), write.resource.plural.as_ref()) {
                ("", "namespaces") if write.sub.is_empty() => namespace(write).await,
                ("", "pods") if !IGNORED.contains(&write.sub) => pod(write),
                (group, plural) if write.sub.is_empty() => {
                    match TEMPLATES.iter().find(|(g, p, _)| *g == group && *p == plural) {
                        Some((_, _, at)) => template(write, at),
                        None => Ok(()),
                    }
                }
                _ => Ok(()),
            }
        })
    }
}

/// The labels of a namespace; `None` when it is not one. By hand: what is derived takes a list for an empty object.
fn labels(namespace: &Value) -> Option<BTreeMap<String, String>> {
    let metadata = namespace.as_object()?.get("metadata")?.as_object()?;
    match metadata.get("labels") {
        None | Some(Value::Null) => Some(BTreeMap::new()),
        Some(Value::Object(labels)) => {
            labels.iter().map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
        }
        Some(_) => None,
    }
}

/// A namespace's labels are understood, and who makes them stricter is told whom that concerns.
async fn namespace(write: &Write<'_>) -> Result<(), StatusError> {
    let read = |object: &Value, what: &str| {
        labels(object).map(|labels| policy(&labels)).ok_or_else(|| StatusError::bad_request(what))
    };
    let (new, bad) = read(write.object, "failed to decode object")?;
    let refused = || Err(write.invalid(&field_errors(&bad)));
    let Some(old) = write.old else {
        return if bad.is_empty() { Ok(()) } else { refused() };
    };
    let (old, bad_before) = read(old, "failed to decode old object")?;
    if !bad.is_empty() && bad != bad_before {
        return refused();
    }
    let (new, old) = (new.enforce, old.enforce);
    let relaxed = new.version == old.version && new.level <= old.level;
    if new == old || new.level == Level::Privileged || relaxed {
        return Ok(());
    }
    write.warnings.say(existing::judge(write.store.view(), write.name, new).await);
    Ok(())
}

/// The policy of the namespace that a write is in. What cannot be read is not privileged: it is an error.
fn policy_of(write: &Write<'_>) -> Result<Policy, StatusError> {
    let failed = || StatusError::internal(format!("failed to lookup namespace \"{}\"", write.namespace));
    let key = format!("{NAMESPACES}{}", write.namespace);
    let entry = write.store.view().get(&key).ok_or_else(failed)?;
    let found = serde_json::from_slice::<Value>(&entry.value).ok().as_ref().and_then(labels);
    let labels = found.ok_or_else(|| {
        tracing::error!(key, "unreadable namespace: its pods are refused");
        failed()
    })?;
    let (policy, bad) = policy(&labels);
    if !bad.is_empty() {
        tracing::warn!(namespace = write.namespace, ?bad, "labels of Pod Security that cannot be understood");
    }
    Ok(policy)
}

fn pod(write: &Write<'_>) -> Result<(), StatusError> {
    let policy = policy_of(write)?;
    if policy.enforce.level == Level::Privileged && policy.warn.level == Level::Privileged {
        return Ok(());
    }
    let read = |object: &Value, what: &str| Pod::read(object).map_err(|_| StatusError::bad_request(what));
    let new = read(write.object, "failed to decode object")?;
    if let Some(old) = write.old
        && !significant(&new, &read(old, "failed to decode old object")?)
    {
        return Ok(());
    }
    let broken = violations(policy.enforce, &new);
    if !broken.is_empty() {
        let why = format!("violates PodSecurity \"{}\": {}", policy.enforce, details(&broken));
        return Err(StatusError::forbidden(&write.resource.group, &write.resource.plural, write.name, &why));
    }
    // What keeps to this very standard needs no second look.
    if policy.warn != policy.enforce {
        warn(write, policy.warn, &new);
    }
    Ok(())
}

/// A template is never refused: its pods will be. What cannot be judged is let through, as upstream does.
fn template(write: &Write<'_>, at: &str) -> Result<(), StatusError> {
    let Ok(policy) = policy_of(write) else { return Ok(()) };
    if policy.warn.level == Level::Privileged {
        return Ok(());
    }
    let Some(template) = write.object.pointer(at).filter(|template| !template.is_null()) else { return Ok(()) };
    match Pod::read(template) {
        Ok(pod) => warn(write, policy.warn, &pod),
        Err(error) => tracing::warn!(%error, kind = &*write.resource.kind, "a template that cannot be read"),
    }
    Ok(())
}

fn warn(write: &Write<'_>, standard: Standard, pod: &Pod) {
    let broken = violations(standard, pod);
    if !broken.is_empty() {
        write.warnings.say([format!("would violate PodSecurity \"{standard}\": {}", details(&broken))]);
    }
}

/// Whether a change of a pod may change what the checks say: its containers and their images.
fn significant(new: &Pod, old: &Pod) -> bool {
    let count = |list: &Option<Vec<Container>>| list.as_ref().map_or(0, Vec::len);
    let (new, old) = (&new.spec, &old.spec);
    if count(&new.containers) != count(&old.containers) || count(&new.init_containers) != count(&old.init_containers) {
        return true;
    }
    let changed = |new: &Option<Vec<Container>>, old: &Option<Vec<Container>>| {
        let pairs = new.iter().flatten().zip(old.iter().flatten());
        pairs.into_iter().any(|(new, old)| new.image != old.image)
    };
    if changed(&new.containers, &old.containers) || changed(&new.init_containers, &old.init_containers) {
        return true;
    }
    let before: BTreeMap<&str, &Container> =
        old.ephemeral_containers.iter().flatten().map(|c| (c.name.as_str(), c)).collect();
    let same = |new: &Container| before.get(new.name.as_str()).is_some_and(|old| old.image == new.image);
    !new.ephemeral_containers.iter().flatten().all(same)
}

#[cfg(test)]
mod tests;
