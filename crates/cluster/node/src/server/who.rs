//! Who asks the kubelet, and whether the cluster lets them: members of `system:masters` may all, others as the API
//! server's SubjectAccessReview says.

use http::Method;
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::der::oid::ObjectIdentifier;

use crate::context::Context;

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const ORGANIZATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");

/// A client's name and groups, from a certificate that was verified in the handshake (or in that of a session that was
/// taken up again).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    name: String,
    groups: Vec<String>,
    /// When the first certificate of the chain ends: the connection outlives it.
    end: Timestamp,
}

impl User {
    /// Common name and every organization of the subject of the first in a chain; none without a name.
    pub(crate) fn of(chain: &[CertificateDer<'_>]) -> Option<Self> {
        let read: Result<Vec<Certificate>, _> = chain.iter().map(|der| Certificate::from_der(der)).collect();
        let read = read.ok()?;
        let ends: Option<Vec<Timestamp>> = read.iter().map(end).collect();
        let (certificate, end) = (read.first()?, ends?.into_iter().min()?);
        let (mut name, mut groups) = (None, Vec::new());
        for attribute in certificate.tbs_certificate().subject().iter() {
            let value = String::from_utf8(attribute.value.value().to_vec()).ok()?;
            if attribute.oid == COMMON_NAME {
                name = Some(value);
            } else if attribute.oid == ORGANIZATION {
                groups.push(value);
            }
        }
        Some(Self { name: name?, groups, end })
    }

    /// Them, for a request at that time; nobody once a certificate has ended.
    pub(crate) fn at(&self, now: Timestamp) -> Option<&Self> {
        (now <= self.end).then_some(self)
    }
}

fn end(certificate: &Certificate) -> Option<Timestamp> {
    let since_epoch = certificate.tbs_certificate().validity().not_after.to_unix_duration();
    Timestamp::from_second(i64::try_from(since_epoch.as_secs()).ok()?).ok()
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
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    /// Of `O=fl, CN=fleeting`.
    const FLEETING: &str = "MIIBlDCCATugAwIBAgIUSBs4GDhIK0BXBkJUcvdD3159awUwCgYIKoZIzj0EAwIwIDELMAkGA1UECgwCZmwxETAPBgNVBAMMCGZs\
         ZWV0aW5nMB4XDTI2MTEyOTAzNTA1MVoXDTI2MTEzMDAzNTA1MVowIDELMAkGA1UECgwCZmwxETAPBgNVBAMMCGZsZWV0aW5nMFkw\
         EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZ9lIcTkLqwYCT2lD1lfeMDcmZ6Ymp601N5d7D6U4O7N+tvmXBKgB9LIztuD8Yfi88t6/\
         vDEC5S2V6HDaVfiD76NTMFEwHQYDVR0OBBYEFI1VpmJ+5fd7bXUuQxADolNW4gTLMB8GA1UdIwQYMBaAFI1VpmJ+5fd7bXUuQxAD\
         olNW4gTLMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDRwAwRAIgYfj7ouYEW1veV1cmNeDVAaqx1Tc/XIyuBDDQtnlDmjgC\
         IFY+T55TCBsNGh3PWJbFIo0MgaxG/aOJNG0yFKkamCWs";

    #[test]
    fn a_certificate_is_somebody_s_until_it_ends() {
        let der = CertificateDer::from(STANDARD.decode(FLEETING).unwrap());
        let user = User::of(&[der.clone(), der]).unwrap();
        assert_eq!((user.name.as_str(), &user.groups[..]), ("fleeting", &["fl".to_owned()][..]));
        let at = |time: &str| user.at(time.parse().unwrap());
        assert_eq!(at("2026-11-30T03:50:51Z"), Some(&user));
        assert_eq!(at("2026-11-30T03:50:52Z"), None, "the connection goes on, its certificate does not");
        assert_eq!(User::of(&[]), None);
    }

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
