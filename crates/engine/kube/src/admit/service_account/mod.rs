//! ServiceAccount (`plugin/pkg/admission/serviceaccount/admission.go`): every pod runs as one that is there, and mirror
//! pods as none.

mod mount;
mod secrets;

use serde_json::{Value, json};

use crate::call::Call;
use crate::object::meta;
use crate::references::{self, items, projections, text};
use crate::status::StatusError;

/// The account of a pod that names none.
const DEFAULT: &str = "default";

/// Admits a new pod, and fills in what it gets from its account.
pub(super) fn pod(call: &Call<'_>, object: &mut Value) -> Result<(), StatusError> {
    if references::is_mirror(object) {
        return mirror(object).map_err(|why| refused(object, why));
    }
    let name = match text(object, "/spec/serviceAccountName") {
        "" => DEFAULT.to_owned(),
        given => given.to_owned(),
    };
    let account = account(call, &name).map_err(|why| refused(object, &why))?;
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else { return Ok(()) };
    spec.insert("serviceAccountName".to_owned(), name.as_str().into());
    spec.insert("serviceAccount".to_owned(), name.into());
    // The pod's wish goes before the account's.
    let wanted = spec.get("automountServiceAccountToken").or_else(|| account.get("automountServiceAccountToken"));
    if wanted.and_then(Value::as_bool) != Some(false) {
        mount::mount(spec);
    }
    let none = spec.get("imagePullSecrets").and_then(Value::as_array).is_none_or(Vec::is_empty);
    let pull: Vec<Value> =
        items(&account, "/imagePullSecrets").map(|one| json!({ "name": text(one, "/name") })).collect();
    if none && !pull.is_empty() {
        spec.insert("imagePullSecrets".to_owned(), pull.into());
    }
    if secrets::enforced(&account) {
        secrets::pod(&account, object).map_err(|why| refused(object, &why))?;
    }
    Ok(())
}

/// Admits new ephemeral containers.
pub(super) fn ephemeral(call: &Call<'_>, object: &Value) -> Result<(), StatusError> {
    let name = text(object, "/spec/serviceAccountName");
    if name.is_empty() {
        let why = format!("no service account specified for pod {}/{}", call.namespace(), meta(object, "name"));
        return Err(refused(object, &why));
    }
    let account = account(call, name).map_err(|why| refused(object, &why))?;
    if secrets::enforced(&account) {
        // Upstream tells this bare.
        secrets::ephemeral(&account, object).map_err(StatusError::unexplained)?;
    }
    Ok(())
}

fn refused(pod: &Value, why: &str) -> StatusError {
    let name = match meta(pod, "name") {
        "" => meta(pod, "generateName"),
        name => name,
    };
    StatusError::forbidden("", "pods", name, why)
}

fn account(call: &Call<'_>, name: &str) -> Result<Value, String> {
    let namespace = call.namespace();
    let stored = call.door.stored("/registry/serviceaccounts/", &format!("{namespace}/{name}"));
    stored.map_err(|error| error.to_string())?.ok_or_else(|| {
        format!("error looking up service account {namespace}/{name}: serviceaccount \"{name}\" not found")
    })
}

/// A mirror pod is not changed, or its kubelet would not know it; so it must not name what it would need filled in.
fn mirror(pod: &Value) -> Result<(), &'static str> {
    if !text(pod, "/spec/serviceAccountName").is_empty() || !text(pod, "/spec/serviceAccount").is_empty() {
        return Err("a mirror pod may not reference service accounts");
    }
    if !references::secrets(pod).is_empty() {
        return Err("a mirror pod may not reference secrets");
    }
    if projections(pod).any(|source| source.get("serviceAccountToken").is_some_and(Value::is_object)) {
        return Err("a mirror pod may not use ServiceAccountToken volume projections");
    }
    Ok(())
}
