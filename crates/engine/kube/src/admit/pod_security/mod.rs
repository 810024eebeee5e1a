//! PodSecurity (`k8s.io/pod-security-admission/admission`): the labels of a namespace say what its pods may be.
//!
//! Nothing is exempted, and a namespace without labels asks nothing, as upstream's defaults have it.

mod checks;
mod policy;

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use crate::call::Call;
use crate::field::{FieldErrors, quote};
use crate::object::meta;
use crate::references::{items, text};
use crate::status::StatusError;
use checks::evaluate;
use policy::{Level, Policy, Standard};

type Admitted = Result<(), StatusError>;

/// How many pods are looked at when a namespace becomes stricter, and for how long.
const PODS: usize = 3_000;
const PATIENCE: Duration = Duration::from_secs(1);

/// Subresources of pods that do not change what runs.
const IGNORED: &[&str] = &["exec", "attach", "binding", "eviction", "log", "portforward", "proxy", "status"];

fn labels(object: &Value) -> Map<String, Value> {
    object.pointer("/metadata/labels").and_then(Value::as_object).cloned().unwrap_or_default()
}

fn read(object: &Value) -> (Policy, FieldErrors) {
    let mut errors = FieldErrors::new();
    let policy = Policy::read(&labels(object), &mut errors);
    (policy, errors)
}

/// Judges a namespace: its labels must be such as can be kept.
pub(super) fn namespace(call: &Call<'_>, new: &Value, old: Option<&Value>) -> Admitted {
    if !call.at.sub.is_empty() {
        return Ok(());
    }
    let (policy, errors) = read(new);
    let before = old.map(read);
    let said = before.as_ref().map_or(String::new(), |(_, errors)| errors.message());
    if !errors.is_empty() && errors.message() != said {
        return Err(call.invalid(meta(new, "name"), &errors));
    }
    let Some((before, _)) = before else { return Ok(()) };
    let (now, then) = (policy.enforce, before.enforce);
    let laxer = now.minor == then.minor && now.level <= then.level;
    if now != then && now.level != Level::Privileged && !laxer {
        call.warnings.say(violators(call, meta(new, "name"), now));
    }
    Ok(())
}

/// What is said of the pods of a namespace that becomes stricter: they go on, though they would not be let in.
fn violators(call: &Call<'_>, namespace: &str, enforce: Standard) -> Vec<String> {
    let begun = Instant::now();
    let entries = call.door.store.view().scan(&format!("/registry/pods/{namespace}/"), None, usize::MAX);
    let (mut first, mut again, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    for entry in &entries {
        let Ok(pod) = serde_json::from_slice::<Value>(&entry.value) else { continue };
        let controller = items(&pod, "/metadata/ownerReferences").find(|o| o.get("controller") == Some(&true.into()));
        let is_new = controller.is_none_or(|owner| seen.insert(text(owner, "/uid").to_owned()));
        let list = if is_new { &mut first } else { &mut again };
        list.push(pod);
        if first.len() >= PODS || begun.elapsed() > PATIENCE {
            break;
        }
    }
    first.append(&mut again);
    let mut reasons: BTreeMap<String, (String, usize)> = BTreeMap::new();
    let mut checked = 0;
    for pod in first.iter().take(PODS) {
        checked += 1;
        let found = evaluate(enforce, pod);
        if !found.is_empty() {
            let name = meta(pod, "name").to_owned();
            let entry = reasons.entry(found.reasons()).or_insert_with(|| (name.clone(), 0));
            entry.0 = entry.0.clone().min(name);
            entry.1 += 1;
        }
        if begun.elapsed() > PATIENCE {
            break;
        }
    }
    told(namespace, enforce, (checked, entries.len()), reasons)
}

fn told(
    namespace: &str,
    enforce: Standard,
    (checked, all): (usize, usize),
    reasons: BTreeMap<String, (String, usize)>,
) -> Vec<String> {
    let mut said = Vec::new();
    if checked < all {
        said.push(format!(
            "new PodSecurity enforce level only checked against the first {checked} of {all} existing pods"
        ));
    }
    if !reasons.is_empty() {
        let (namespace, enforce) = (quote(namespace), quote(&enforce.to_string()));
        said.push(format!(
            "existing pods in namespace {namespace} violate the new PodSecurity enforce level {enforce}"
        ));
    }
    let one = |(reason, (name, count)): (String, (String, usize))| match count {
        1 => format!("{name}: {reason}"),
        2 => format!("{name} (and 1 other pod): {reason}"),
        many => format!("{name} (and {} other pods): {reason}", many - 1),
    };
    let mut pods: Vec<String> = reasons.into_iter().map(one).collect();
    pods.sort();
    said.append(&mut pods);
    said
}

/// Judges a pod that is made or changed.
pub(super) fn pod(call: &Call<'_>, new: &Value, old: Option<&Value>) -> Admitted {
    if IGNORED.contains(&call.at.sub.as_str()) || old.is_some_and(|old| !significant(new, old)) {
        return Ok(());
    }
    let name = call.namespace();
    let namespace = call.door.stored("/registry/namespaces/", name);
    let namespace =
        namespace.ok_or_else(|| StatusError::internal(format!("failed to lookup namespace {}", quote(name))))?;
    let (policy, errors) = read(&namespace);
    if errors.is_empty() && policy.asks_nothing() {
        return Ok(());
    }
    let broken = evaluate(policy.enforce, new);
    if !broken.is_empty() {
        let standard = quote(&policy.enforce.to_string());
        let why = format!("violates PodSecurity {standard}: {}", broken.details());
        return Err(StatusError::forbidden("", "pods", meta(new, "name"), &why));
    }
    let audited = evaluate(policy.audit, new);
    if !audited.is_empty() {
        let (standard, pod) = (policy.audit.to_string(), meta(new, "name"));
        tracing::info!(namespace = name, pod, standard, violations = audited.details(), "would violate PodSecurity");
    }
    let warned = evaluate(policy.warn, new);
    if !warned.is_empty() {
        let standard = quote(&policy.warn.to_string());
        call.warnings.say([format!("would violate PodSecurity {standard}: {}", warned.details())]);
    }
    Ok(())
}

/// Whether a change touches what is judged: images and containers are all that may change in a pod.
fn significant(new: &Value, old: &Value) -> bool {
    let image = |one: &Value| text(one, "/image").to_owned();
    for list in ["/spec/containers", "/spec/initContainers"] {
        let (new, old): (Vec<_>, Vec<_>) =
            (items(new, list).map(image).collect(), items(old, list).map(image).collect());
        if new != old {
            return true;
        }
    }
    items(new, "/spec/ephemeralContainers").any(|one| {
        let mut before = items(old, "/spec/ephemeralContainers");
        before.find(|b| text(b, "/name") == text(one, "/name")).is_none_or(|before| image(before) != image(one))
    })
}
