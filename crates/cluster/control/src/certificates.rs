//! Signing requests: kubelets' are approved, approved ones are signed.
//!
//! A node gets certificates in its own name and no other, and for serving under the names and addresses that its cloud
//! records for it: what a node says of itself, in its Node, too, is a claim. Where there is no cloud to be asked, nobody's
//! serving names are approved.
//!
//! Signers and their rules: <https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/>

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use eksile_kube::{Client, StatusError};
use eksile_pki::{Authority, Csr, SanName, Usage};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::cloud_node_lifecycle::{Instances, Machine};
use crate::feed::{self, Kind, text};

const CLIENT: &str = "kubernetes.io/kube-apiserver-client";
const KUBELET: &str = "kubernetes.io/kube-apiserver-client-kubelet";
const SERVING: &str = "kubernetes.io/kubelet-serving";
/// Longest life of a certificate, and the usual one.
const LONGEST: SignedDuration = SignedDuration::from_hours(365 * 24);
const SHORTEST: SignedDuration = SignedDuration::from_mins(10);
const BACKDATE: SignedDuration = SignedDuration::from_mins(5);

/// What to do about one request.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    Nothing,
    /// Approve it, for this reason.
    Approve(&'static str),
    /// The machine of a kubelet's name is not known (yet), or its serving names are others.
    Later,
    /// Sign it, as it was judged, for these uses, until then.
    Sign(Box<Csr>, Vec<Usage>, Timestamp),
    /// Say why it cannot be signed.
    Fail(String),
}

fn has_condition(request: &Value, kind: &str) -> bool {
    let list = request.pointer("/status/conditions").and_then(Value::as_array);
    list.is_some_and(|list| list.iter().any(|c| c["type"] == kind && c["status"] == "True"))
}

fn strings(request: &Value, pointer: &str) -> Vec<String> {
    let list = request.pointer(pointer).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
}

/// What the cloud says of the machine of a kubelet's name.
#[derive(Debug)]
enum Ground {
    /// There is no cloud: nodes are nobody's instances.
    NoCloud,
    /// There is no such machine, or it cannot be told.
    Unknown,
    /// Its record.
    Known(Machine),
}

fn plan(request: &Value, ground: &Ground, now: Timestamp) -> Plan {
    let signer = text(request, "/spec/signerName");
    let finished = !text(request, "/status/certificate").is_empty() || has_condition(request, "Failed");
    if ![CLIENT, KUBELET, SERVING].contains(&signer) || finished || has_condition(request, "Denied") {
        return Plan::Nothing;
    }
    let csr = match parsed(request) {
        Ok(csr) => csr,
        Err(why) => return Plan::Fail(why),
    };
    let usages = strings(request, "/spec/usages");
    if has_condition(request, "Approved") {
        return match fits(signer, &csr, &usages) {
            Ok(usages) => Plan::Sign(Box::new(csr), usages, end(request, now)),
            Err(why) => Plan::Fail(why),
        };
    }
    if signer == CLIENT || fits(signer, &csr, &usages).is_err() {
        return Plan::Nothing;
    }
    approval(request, signer, &csr, ground)
}

/// Whether a kubelet's request is approved: it must be the holder of the name that asks.
fn approval(request: &Value, signer: &str, csr: &Csr, ground: &Ground) -> Plan {
    let groups = strings(request, "/spec/groups");
    let is = |group: &str| groups.iter().any(|g| g == group);
    if text(request, "/spec/username") != csr.common_name {
        return Plan::Nothing;
    }
    match (signer, ground) {
        (KUBELET, Ground::Known(_) | Ground::NoCloud) if is("system:nodes") => {
            Plan::Approve("Auto approving self kubelet client certificate after SubjectAccessReview.")
        }
        (KUBELET, Ground::Known(_)) if is("system:bootstrappers") => {
            Plan::Approve("Auto approving kubelet client certificate after SubjectAccessReview.")
        }
        (SERVING, Ground::Known(machine)) if is("system:nodes") && names_fit(csr, machine) => {
            Plan::Approve("Auto approving kubelet serving certificate: its names are its instance's.")
        }
        (KUBELET, Ground::Unknown) if is("system:nodes") || is("system:bootstrappers") => Plan::Later,
        (SERVING, Ground::Known(_) | Ground::Unknown) if is("system:nodes") => Plan::Later,
        _ => Plan::Nothing,
    }
}

fn parsed(request: &Value) -> Result<Csr, String> {
    Csr::of_object(text(request, "/spec/request")).map_err(|error| error.to_string())
}

fn end(request: &Value, now: Timestamp) -> Timestamp {
    let asked = request.pointer("/spec/expirationSeconds").and_then(Value::as_i64).map(SignedDuration::from_secs);
    now + asked.unwrap_or(LONGEST).clamp(SHORTEST, LONGEST)
}

/// Whether the signer's rules hold; the usages to sign for.
fn fits(signer: &str, csr: &Csr, usages: &[String]) -> Result<Vec<Usage>, String> {
    let (allowed, needed): (&[Usage], &[Usage]) = match signer {
        SERVING => (
            &[Usage::DigitalSignature, Usage::KeyEncipherment, Usage::ServerAuth],
            &[Usage::DigitalSignature, Usage::ServerAuth],
        ),
        KUBELET => (
            &[Usage::DigitalSignature, Usage::KeyEncipherment, Usage::ClientAuth],
            &[Usage::DigitalSignature, Usage::ClientAuth],
        ),
        _ => (&[Usage::DigitalSignature, Usage::KeyEncipherment, Usage::ClientAuth], &[Usage::ClientAuth]),
    };
    let asked: Vec<Usage> = usages
        .iter()
        .map(|u| Usage::parse(u).ok_or_else(|| format!("unknown usage {u:?}")))
        .collect::<Result<_, _>>()?;
    if let Some(extra) = asked.iter().find(|u| !allowed.contains(u)) {
        return Err(format!("usage {:?} is not allowed for this signer", extra.name()));
    }
    if let Some(missing) = needed.iter().find(|u| !asked.contains(u)) {
        return Err(format!("usages did not include {:?}", missing.name()));
    }
    if signer == CLIENT {
        // Admission has refused it already; the signer does not rely on that.
        return if csr.organizations.iter().any(|o| o == "system:masters") {
            Err("group system:masters is not signed".to_owned())
        } else {
            Ok(asked)
        };
    }
    if csr.organizations != ["system:nodes"] {
        return Err("subject organization is not system:nodes".to_owned());
    }
    if !csr.common_name.starts_with("system:node:") {
        return Err("subject common name does not begin with system:node:".to_owned());
    }
    let named = csr.names.iter().all(|n| matches!(n, SanName::Dns(_) | SanName::Ip(_)));
    match (signer, csr.names.is_empty()) {
        (KUBELET, false) => Err("DNS, IP, email or URI names are not allowed".to_owned()),
        (SERVING, true) => Err("DNS or IP names are required".to_owned()),
        (SERVING, false) if !named => Err("only DNS and IP names are allowed".to_owned()),
        _ => Ok(asked),
    }
}

/// Whether all names of a request are the machine's.
fn names_fit(csr: &Csr, machine: &Machine) -> bool {
    csr.names.iter().all(|name| match name {
        SanName::Dns(name) => machine.names.contains(name),
        SanName::Ip(ip) => machine.addresses.contains(ip),
        SanName::Email(_) | SanName::Uri(_) => false,
    })
}

/// What the cloud says of whoever asks. Whether it cannot tell or there is none, nobody is approved.
fn ground(cloud: Option<&dyn Instances>, request: &Value) -> Ground {
    let Some(cloud) = cloud else { return Ground::NoCloud };
    let Some(node) = text(request, "/spec/username").strip_prefix("system:node:") else { return Ground::Unknown };
    match cloud.named(node) {
        Ok(Some(machine)) => Ground::Known(machine),
        Ok(None) => Ground::Unknown,
        Err(error) => {
            tracing::warn!(node, error, "whether it is an instance cannot be told");
            Ground::Unknown
        }
    }
}

fn condition(kind: &str, reason: &str, message: &str, now: Timestamp) -> Value {
    let now = eksile_kube::object::time(now);
    json!({
        "type": kind, "status": "True", "reason": reason, "message": message, "lastUpdateTime": now, "lastTransitionTime": now
    })
}

fn with_condition(mut request: Value, condition: Value) -> Value {
    let mut list = request.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    list.push(condition);
    if !request["status"].is_object() {
        request["status"] = json!({});
    }
    request["status"]["conditions"] = list.into();
    request
}

async fn reconcile(
    client: &Client,
    authority: &Authority,
    cloud: Option<&dyn Instances>,
    request: Value,
) -> Result<(), StatusError> {
    let name = text(&request, "/metadata/name");
    let path = format!("/apis/certificates.k8s.io/v1/certificatesigningrequests/{name}");
    let now = client.clock().now_wall();
    match plan(&request, &ground(cloud, &request), now) {
        Plan::Nothing => Ok(()),
        Plan::Later => Err(StatusError::conflict(
            "certificates.k8s.io",
            "certificatesigningrequests",
            name,
            "it is not known to be its instance's",
        )),
        Plan::Approve(why) => {
            let approved = with_condition(request.clone(), condition("Approved", "AutoApproved", why, now));
            feed::unless_gone(client.update(&format!("{path}/approval"), &approved).await)
        }
        Plan::Fail(why) => {
            let failed = with_condition(request.clone(), condition("Failed", "SignerValidationFailure", &why, now));
            feed::unless_gone(client.update(&format!("{path}/status"), &failed).await)
        }
        Plan::Sign(csr, usages, end) => {
            let pem = authority.sign_csr(&csr, &usages, now - BACKDATE, end).map_err(StatusError::internal)?;
            let mut signed = request.clone();
            signed["status"]["certificate"] = STANDARD.encode(pem).into();
            feed::unless_gone(client.update(&format!("{path}/status"), &signed).await)
        }
    }
}

/// Runs until the store closes.
pub(crate) async fn run(client: Client, authority: Arc<Authority>, cloud: Option<Arc<dyn Instances>>) {
    let kind = Kind { group: "certificates.k8s.io", version: "v1", plural: "certificatesigningrequests", fields: "" };
    feed::each(&client, "certificates", kind, |event| {
        let (client, authority, cloud) = (client.clone(), authority.clone(), cloud.clone());
        async move {
            if event.exists { reconcile(&client, &authority, cloud.as_deref(), event.object).await } else { Ok(()) }
        }
    })
    .await;
}

#[cfg(test)]
mod tests;
