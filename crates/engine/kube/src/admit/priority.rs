//! Priority: the number behind a pod's priority class.

use serde_json::Value;

use crate::call::Call;
use crate::object::meta;
use crate::status::StatusError;

/// Classes that every cluster has.
const SYSTEM: &[(&str, i64)] = &[("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)];

pub(super) fn pod(call: &Call<'_>, object: &mut Value) -> Result<(), StatusError> {
    let name = object.pointer("/spec/priorityClassName").and_then(Value::as_str).unwrap_or_default().to_owned();
    let (priority, policy) = if name.is_empty() { (0, preempt()) } else { class(call, &name, object)? };
    if let Some(given) = object.pointer("/spec/priority").and_then(Value::as_i64)
        && given != priority
    {
        let why = format!(
            "the integer value of priority ({given}) must not be provided in pod spec; priority admission controller computed {priority} from the given PriorityClass name"
        );
        return Err(StatusError::forbidden("", "pods", meta(object, "name"), &why));
    }
    if let Some(given) = object.pointer("/spec/preemptionPolicy").filter(|p| p.is_string() && **p != policy) {
        let (given, policy) = (given.as_str().unwrap_or_default(), policy.as_str().unwrap_or_default());
        let why = format!(
            "the string value of PreemptionPolicy ({given}) must not be provided in pod spec; priority admission controller computed {policy} from the given PriorityClass name"
        );
        return Err(StatusError::forbidden("", "pods", meta(object, "name"), &why));
    }
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        spec.insert("priority".to_owned(), priority.into());
        spec.entry("preemptionPolicy").or_insert(policy);
    }
    Ok(())
}

fn preempt() -> Value {
    "PreemptLowerPriority".into()
}

fn class(call: &Call<'_>, name: &str, object: &Value) -> Result<(i64, Value), StatusError> {
    if let Some((_, priority)) = SYSTEM.iter().find(|(known, _)| *known == name) {
        return Ok((*priority, preempt()));
    }
    let stored = call.door.stored("/registry/scheduling.k8s.io/priorityclasses/", name)?.ok_or_else(|| {
        StatusError::forbidden(
            "",
            "pods",
            meta(object, "name"),
            &format!("no PriorityClass with name {name} was found"),
        )
    })?;
    let policy = stored.get("preemptionPolicy").cloned().unwrap_or_else(preempt);
    Ok((stored.get("value").and_then(Value::as_i64).unwrap_or(0), policy))
}
