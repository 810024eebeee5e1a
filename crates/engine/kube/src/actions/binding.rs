//! `pods/binding`: puts a pod on a node, once.

use serde_json::{Value, json};

use crate::admit;
use crate::answer::Answer;
use crate::call::Call;
use crate::object::{self, meta, time};
use crate::query::WriteOptions;
use crate::references::{items, text};
use crate::status::{Status, StatusError};
use crate::write::{self, CHANGED, Current};

pub(super) async fn run(call: &Call<'_>) -> Result<Answer, StatusError> {
    let binding: Value = crate::decode::tree(call)?;
    let options = WriteOptions::read(call.query, "CreateOptions")?;
    admit::action(call, &binding)?;
    if meta(&binding, "name") != call.at.name {
        return Err(StatusError::bad_request("name in URL does not match name in Binding object"));
    }
    let node = binding.pointer("/target/name").and_then(Value::as_str).unwrap_or_default();
    if node.is_empty() {
        return Err(StatusError::unexplained("target.name: Required value"));
    }
    let kind = binding.pointer("/target/kind").and_then(Value::as_str).unwrap_or_default();
    if !matches!(kind, "" | "Node") {
        let shown = crate::field::quote(kind);
        let why = format!("target.kind: Unsupported value: {shown}: supported values: \"Node\", \"<empty>\"");
        return Err(StatusError::unexplained(why));
    }
    for _ in 0..write::TRIES {
        let current = Current::read(call)?;
        preconditions(call, &binding, &current)?;
        let new = bound(call, &current.object, &binding, node)?;
        match write::store_change(call, &current, new, options.dry_run).await {
            Err(error) if error.to_string().ends_with(CHANGED) => {}
            Err(error) => return Err(error),
            Ok(_) => {
                let mut status = Status::success(None);
                status.code = 201;
                return Ok(Answer::status(201, &status));
            }
        }
    }
    Err(call.conflict(CHANGED))
}

/// Who binds may insist on a pod by uid and on a version of it.
fn preconditions(call: &Call<'_>, binding: &Value, current: &Current) -> Result<(), StatusError> {
    let own = current.entry.modified.0.to_string();
    for (what, name, own) in
        [("UID", "uid", meta(&current.object, "uid")), ("ResourceVersion", "resourceVersion", &own)]
    {
        let asked = meta(binding, name);
        if !asked.is_empty() && asked != own {
            let why = format!("Precondition failed: {what} in precondition: {asked}, {what} in object meta: {own}");
            return Err(call.conflict(&format!(
                "StorageError: invalid object, Code: 4, Key: {}, ResourceVersion: 0, AdditionalErrorMsg: {why}",
                current.entry.key
            )));
        }
    }
    Ok(())
}

fn bound(call: &Call<'_>, pod: &Value, binding: &Value, node: &str) -> Result<Value, StatusError> {
    let refuse = |why: String| Err(StatusError::conflict("", "pods/binding", &call.at.name, &why));
    if !meta(pod, "deletionTimestamp").is_empty() {
        return refuse(format!("pod {} is being deleted, cannot be assigned to a host", call.at.name));
    }
    let at = text(pod, "/spec/nodeName");
    if !at.is_empty() {
        return refuse(format!("pod {} is already assigned to node \"{at}\"", call.at.name));
    }
    if items(pod, "/spec/schedulingGates").next().is_some() {
        return refuse(format!("pod {} has non-empty .spec.schedulingGates", call.at.name));
    }
    let mut new = pod.clone();
    new["spec"]["nodeName"] = node.into();
    if let Some(given) = binding.pointer("/metadata/annotations").and_then(Value::as_object).filter(|g| !g.is_empty()) {
        let fields = object::metadata(&mut new);
        let own = fields.entry("annotations").or_insert_with(|| json!({}));
        if let Some(own) = own.as_object_mut() {
            own.extend(given.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
    }
    let condition = json!({
        "type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": time(call.now)
    });
    if !new["status"].is_object() {
        new["status"] = json!({});
    }
    let mut conditions = new["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.retain(|c| c["type"] != "PodScheduled");
    conditions.push(condition);
    new["status"]["conditions"] = conditions.into();
    Ok(new)
}
