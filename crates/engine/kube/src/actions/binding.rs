//! `pods/binding`: puts a pod on a node, once.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::call::Call;
use crate::object::{meta, time};
use crate::status::{Status, StatusError};
use crate::write::{self, CHANGED, Current};

pub(super) async fn run(call: &Call<'_>) -> Result<Answer, StatusError> {
    let binding: Value = crate::decode::tree(call)?;
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
        let new = bound(call, &current.object, node)?;
        match write::store_change(call, &current, new, false).await {
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

fn bound(call: &Call<'_>, pod: &Value, node: &str) -> Result<Value, StatusError> {
    if !meta(pod, "deletionTimestamp").is_empty() {
        return Err(call.conflict(&format!("pod {} is being deleted, cannot be assigned to a host", call.at.name)));
    }
    let at = pod.pointer("/spec/nodeName").and_then(Value::as_str).unwrap_or_default();
    if !at.is_empty() {
        return Err(StatusError::conflict(
            "",
            "pods/binding",
            &call.at.name,
            &format!("pod {} is already assigned to node \"{at}\"", call.at.name),
        ));
    }
    let mut new = pod.clone();
    new["spec"]["nodeName"] = node.into();
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
