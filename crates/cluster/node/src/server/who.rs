//! Who asks the kubelet, and whether the cluster lets them: members of `system:masters` may all, others as the API
//! server's SubjectAccessReview says.

use http::Method;
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::der::oid::ObjectIdentifier;

use crate::context::Context;

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const ORGANIZATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");

/// A client's name and groups, from a certificate that was verified in the handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    name: String,
    groups: Vec<String>,
}

impl User {
    /// Common name and every organization of the subject; none without a name.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let certificate = Certificate::from_der(certificate).ok()?;
        let (mut name, mut groups) = (None, Vec::new());
        for attribute in certificate.tbs_certificate().subject().iter() {
            let value = String::from_utf8(attribute.value.value().to_vec()).ok()?;
            if attribute.oid == COMMON_NAME {
                name = Some(value);
            } else if attribute.oid == ORGANIZATION {
                groups.push(value);
            }
        }
        Some(Self { name: name?, groups })
    }
}

/// What of the node a path is about (upstream's `NodeAuthorizerAttributesGetter`): the subresources of which one must be
/// allowed. `proxy` is all that has no name of its own, and those that got one later may be had by it, too.
fn subresources(parts: &[&str]) -> &'static [&'static str] {
    match parts.first().copied() {
        Some("stats") => &["stats"],
        Some("metrics") => &["metrics"],
        Some("logs") => &["log"],
        Some("checkpoint") => &["checkpoint"],
        Some("pods") | Some("runningpods") if parts.len() == 1 => &["pods", "proxy"],
        Some("healthz") => &["healthz", "proxy"],
        Some("configz") if parts.len() == 1 => &["configz", "proxy"],
        _ => &["proxy"],
    }
}

/// Whether a user may make a request (Kubernetes documentation, "Kubelet authentication/authorization").
pub(crate) async fn allowed(context: &Context, user: &User, method: &Method, parts: &[&str]) -> Result<(), String> {
    if user.groups.iter().any(|group| group == "system:masters") {
        return Ok(());
    }
    let verb = match *method {
        Method::GET => "get",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => return Err("Forbidden".to_owned()),
    };
    let wanted = subresources(parts);
    for subresource in wanted {
        if review(context, user, verb, subresource).await? {
            return Ok(());
        }
    }
    Err(format!("Forbidden (user={}, verb={verb}, resource=nodes, subresource(s)={wanted:?})", user.name))
}

async fn review(context: &Context, user: &User, verb: &str, subresource: &str) -> Result<bool, String> {
    let node = &context.identity.name;
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
        "spec": {
            "user": user.name, "groups": user.groups,
            "resourceAttributes": {
                "verb": verb, "version": "v1", "resource": "nodes", "subresource": subresource, "name": node,
            },
        },
    });
    let answer: Value = context
        .api
        .post("/apis/authorization.k8s.io/v1/subjectaccessreviews", &review)
        .await
        .map_err(|error| format!("Authorization error (user={}): {error}", user.name))?;
    Ok(answer["status"]["allowed"] == true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_about_something_of_the_node() {
        for (path, expected) in [
            ("/stats/summary", &["stats"][..]),
            ("/statsx", &["proxy"]),
            ("/metrics/cadvisor", &["metrics"]),
            ("/logs/x", &["log"]),
            ("/pods", &["pods", "proxy"]),
            ("/pods/x", &["proxy"]),
            ("/healthz", &["healthz", "proxy"]),
            ("/exec/ns/pod/c", &["proxy"]),
            ("//stats/../exec/ns/pod/c", &["stats"]),
            ("/%73tats/summary", &["proxy"]),
            ("/", &["proxy"]),
        ] {
            let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
            assert_eq!(subresources(&parts), expected, "{path}");
        }
    }
}
