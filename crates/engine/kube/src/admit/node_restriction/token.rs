//! Tokens that a kubelet asks for: of the account that a pod of its own runs as, bound to that pod, for an audience that
//! the pod asks for.

use serde_json::Value;

use super::{Admitted, Write};
use crate::authorize::{self, Attributes};
use crate::field::quote;
use crate::object::meta;
use crate::references::{items, projections, text};
use crate::status::StatusError;

pub(super) fn admit(write: &Write<'_>) -> Admitted {
    let call = write.call;
    let bound = write.new.pointer("/spec/boundObjectRef").unwrap_or(&Value::Null);
    if (text(bound, "/apiVersion"), text(bound, "/kind")) != ("v1", "Pod") || text(bound, "/name").is_empty() {
        return write.refuse("node requested token not bound to a pod");
    }
    let uid = text(bound, "/uid");
    if uid.is_empty() {
        return write.refuse("node requested token with a pod binding without a uid");
    }
    let name = text(bound, "/name");
    let pod = call.door.stored("/registry/pods/", &format!("{}/{name}", call.namespace()))?;
    let pod = pod.ok_or_else(|| StatusError::not_found("", "pod", name))?;
    if uid != meta(&pod, "uid") {
        return write.refuse(&format!(
            "the UID in the bound object reference ({uid}) does not match the UID in record. The object might have been deleted and then recreated"
        ));
    }
    if text(&pod, "/spec/nodeName") != write.node {
        return write.refuse("node requested token bound to a pod scheduled on a different node");
    }
    audience(write, &pod)
}

fn audience(write: &Write<'_>, pod: &Value) -> Admitted {
    let asked: Vec<&str> = items(write.new, "/spec/audiences").filter_map(Value::as_str).collect();
    let audience = match asked[..] {
        [] => "",
        [one] => one,
        _ => return write.refuse("node may only request 0 or 1 audiences"),
    };
    if named(pod, audience) {
        return Ok(());
    }
    let (call, user) = (write.call, &write.call.caller.user.name);
    let right = Attributes {
        verb: "request-serviceaccounts-token-audience",
        plural: audience,
        namespace: call.namespace(),
        name: &call.at.name,
        ..Attributes::default()
    };
    // A right on no resource at all would be a right on a path.
    if !audience.is_empty() && authorize::allowed(call.door, call.caller, &right).is_ok() {
        return Ok(());
    }
    write.refuse(&format!(
        "audience {} not found in pod spec volume, {user} is not authorized to request tokens for this audience",
        quote(audience)
    ))
}

/// Whether a projected volume of the pod asks for a token for this audience. CSI drivers, which could ask, too, have no
/// kind in this server.
fn named(pod: &Value, audience: &str) -> bool {
    projections(pod)
        .filter_map(|source| source.get("serviceAccountToken"))
        .any(|token| token.is_object() && text(token, "/audience") == audience)
}
