//! CertificateSigningRequest: who asked is the caller, approval and status are apart, what signers refuse.

use std::borrow::Cow;
use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use eksile_kube::strategy::{Context, Strategy, restore};
use eksile_kube::{Column, FieldErrors, StatusError};
use eksile_pki::Csr;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::columns::{self, AGE, NAME, duration, or_none, shown};
use crate::names::one_of;
use crate::tree::{at, items, items_mut, map, number, text};

/// The strategy.
pub(crate) struct CertificateSigningRequest;

const COLUMNS: &[Column] = &[
    NAME,
    AGE,
    shown("SignerName", "Who is to sign."),
    shown("Requestor", "Who asked."),
    shown("RequestedDuration", "How long the certificate is to hold."),
    shown("Condition", "How far it is."),
];
const GROUP: &str = "certificates.k8s.io";
const PLURAL: &str = "certificatesigningrequests";
const CLIENT_SIGNER: &str = "kubernetes.io/kube-apiserver-client";
const LEGACY_SIGNER: &str = "kubernetes.io/legacy-unknown";
const USAGES: &[&str] = &[
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
];

impl Strategy for CertificateSigningRequest {
    fn prepare_create(&self, new: &mut Value, context: &Context<'_>) {
        let user = context.user;
        if let Some(fields) = new.as_object_mut() {
            fields.insert("status".into(), json!({}));
        }
        let Some(spec) = map(new, "spec") else { return };
        for field in ["username", "uid", "groups", "extra"] {
            spec.remove(field);
        }
        let texts = [("username", &user.name), ("uid", &user.uid)];
        for (field, value) in texts.into_iter().filter(|(_, value)| !value.is_empty()) {
            spec.insert(field.into(), value.as_str().into());
        }
        if !user.groups.is_empty() {
            spec.insert("groups".into(), json!(user.groups));
        }
        if !user.extra.is_empty() {
            let extra: Map<String, Value> = user.extra.iter().map(|(k, v)| (k.clone(), json!(v))).collect();
            spec.insert("extra".into(), extra.into());
        }
    }

    fn prepare_update(&self, new: &mut Value, old: &Value, context: &Context<'_>) {
        restore(new, old, "spec");
        match context.sub {
            "approval" => {
                if let Some(status) = map(new, "status") {
                    match at(old, "/status").get("certificate") {
                        Some(certificate) => status.insert("certificate".into(), certificate.clone()),
                        None => status.remove("certificate"),
                    };
                }
                date_conditions(new, old, context.now);
            }
            "status" => {
                for kind in ["Approved", "Denied"] {
                    keep_conditions(new, old, kind);
                }
                date_conditions(new, old, context.now);
            }
            _ => restore(new, old, "status"),
        }
    }

    fn validate(&self, object: &Value, _context: &Context<'_>, errors: &mut FieldErrors) {
        request(object, errors);
        usages(object, errors);
        signer(object, errors);
        if let Some(seconds) = number(object, "/spec/expirationSeconds").filter(|s| *s < 600) {
            errors.invalid(
                "spec.expirationSeconds",
                &seconds.into(),
                "may not specify a duration less than 600 seconds (10 minutes)",
            );
        }
        conditions(object, errors);
        let certificate = text(object, "/status/certificate");
        if let Err(problem) = certificates(certificate) {
            errors.invalid("status.certificate", &"<certificate data>".into(), problem);
        }
    }

    fn validate_update(&self, new: &Value, old: &Value, context: &Context<'_>, errors: &mut FieldErrors) {
        for kind in ["Approved", "Denied", "Failed"] {
            if found(new, kind).len() < found(old, kind).len() {
                let text = format!("updates may not remove a condition of type \"{kind}\"");
                errors.forbidden("status.conditions", text);
            }
        }
        if context.sub != "approval" {
            for kind in ["Approved", "Denied"] {
                if found(new, kind).len() > found(old, kind).len() {
                    let text = format!("updates may not add a condition of type \"{kind}\"");
                    errors.forbidden("status.conditions", text);
                }
            }
        }
        let before = text(old, "/status/certificate");
        if before != text(new, "/status/certificate") {
            if context.sub != "status" {
                errors.forbidden("status.certificate", "updates may not set certificate content");
            } else if !before.is_empty() {
                errors.forbidden("status.certificate", "updates may not modify existing certificate content");
            }
        }
    }

    /// Approving and signing need rights over the signer; nobody may ask for system:masters.
    fn authorize(&self, new: &Value, old: Option<&Value>, context: &Context<'_>) -> Result<(), StatusError> {
        let signer = text(new, "/spec/signerName");
        let name = text(new, "/metadata/name");
        let refused = |why: &str| Err(StatusError::forbidden(GROUP, PLURAL, name, why));
        let Some(old) = old else {
            if signer == CLIENT_SIGNER
                && Csr::of_object(text(new, "/spec/request"))
                    .map_or(true, |csr| csr.organizations.iter().any(|o| o == "system:masters"))
            {
                return refused(
                    "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed",
                );
            }
            return Ok(());
        };
        let (verb, act) = match context.sub {
            "approval" => ("approve", "approve"),
            "status" if at(new, "/status") != at(old, "/status") => ("sign", "sign"),
            _ => return Ok(()),
        };
        let domain = signer.split('/').next().unwrap_or_default();
        let may = |name: &str| context.cluster.allowed(context.user, verb, GROUP, "signers", "", name);
        if may(signer) || may(&format!("{domain}/*")) {
            return Ok(());
        }
        refused(&format!("user not permitted to {act} requests with signerName \"{signer}\""))
    }

    fn reset_fields(&self, sub: &str) -> &'static [&'static [&'static str]] {
        match sub {
            "approval" => &[&["spec"], &["status", "certificate"]],
            "status" => &[&["spec"], &["status", "conditions"]],
            _ => &[&["spec"], &["status"]],
        }
    }

    fn selectable(&self) -> &'static [&'static str] {
        &["spec.signerName"]
    }

    fn field<'a>(&self, object: &'a Value, _name: &str) -> Cow<'a, str> {
        text(object, "/spec/signerName").into()
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let asked = number(object, "/spec/expirationSeconds").map_or_else(|| "<none>".to_owned(), duration);
        vec![
            columns::name(object),
            columns::age(object, now),
            or_none(text(object, "/spec/signerName")),
            text(object, "/spec/username").into(),
            asked.into(),
            condition(object).into(),
        ]
    }
}

fn request(object: &Value, errors: &mut FieldErrors) {
    let bytes = STANDARD.decode(text(object, "/spec/request")).unwrap_or_default();
    let shown = if bytes.is_empty() {
        "[]byte(nil)".to_owned()
    } else {
        let bytes: Vec<String> = bytes.iter().map(|b| format!("0x{b:x}")).collect();
        format!("[]byte{{{}}}", bytes.join(", "))
    };
    if let Err(error) = Csr::of_object(text(object, "/spec/request")) {
        errors.invalid_verbatim("spec.request", shown, error.to_string());
    }
}

fn usages(object: &Value, errors: &mut FieldErrors) {
    let usages = items(object, "/spec/usages");
    if usages.is_empty() {
        errors.required("spec.usages", "");
    }
    for (index, usage) in usages.iter().enumerate() {
        one_of(usage.as_str().unwrap_or_default(), USAGES, &format!("spec.usages[{index}]"), errors);
    }
    let mut seen: HashSet<&Value> = HashSet::with_capacity(usages.len());
    for (index, usage) in usages.iter().enumerate() {
        if !seen.insert(usage) {
            errors.duplicate(format!("spec.usages[{index}]"), usage);
        }
    }
}

fn signer(object: &Value, errors: &mut FieldErrors) {
    let name = text(object, "/spec/signerName");
    let mut bad = |why: String| errors.invalid("spec.signerName", &name.into(), why);
    if name == LEGACY_SIGNER {
        return bad("the legacy signerName is not allowed via this API version".to_owned());
    }
    if name.is_empty() {
        return errors.required("spec.signerName", "");
    }
    let parts: Vec<&str> = name.split('/').collect();
    let [domain, path] = parts[..] else {
        return bad("must be a fully qualified domain and path of the form 'example.com/signer-name'".to_owned());
    };
    for problem in eksile_kube::names::subdomain(domain).into_iter().chain(eksile_kube::names::subdomain(path)) {
        bad(problem);
    }
    if !domain.contains('.') {
        bad("should be a domain with at least two segments separated by dots".to_owned());
    }
}

fn conditions(object: &Value, errors: &mut FieldErrors) {
    let mut seen: HashSet<&str> = HashSet::new();
    for (index, one) in items(object, "/status/conditions").iter().enumerate() {
        let path = format!("status.conditions[{index}]");
        let (kind, status) = (text(one, "/type"), text(one, "/status"));
        if kind.is_empty() {
            errors.required(format!("{path}.type"), "");
        }
        let only_true = matches!(kind, "Approved" | "Denied" | "Failed");
        let allowed: &[&str] = if only_true { &["True"] } else { &["False", "True", "Unknown"] };
        if status.is_empty() {
            errors.required(format!("{path}.status"), "");
        } else {
            one_of(status, allowed, &format!("{path}.status"), errors);
        }
        let opposite = match kind {
            "Approved" => "Denied",
            "Denied" => "Approved",
            _ => "",
        };
        if !opposite.is_empty() && seen.contains(opposite) {
            let why = "Approved and Denied conditions are mutually exclusive";
            errors.invalid(format!("{path}.type"), &kind.into(), why);
        }
        if !seen.insert(kind) {
            errors.duplicate(format!("{path}.type"), &kind.into());
        }
    }
}

/// Whether a base64 text holds nothing but certificates.
fn certificates(encoded: &str) -> Result<(), String> {
    if encoded.is_empty() {
        return Ok(());
    }
    let bytes = STANDARD.decode(encoded).unwrap_or_default();
    let mut blocks = 0;
    for pem in x509_parser::pem::Pem::iter_from_buffer(&bytes) {
        let Ok(pem) = pem else { break };
        if pem.label != "CERTIFICATE" {
            return Err(format!("only CERTIFICATE PEM blocks are allowed, found \"{}\"", pem.label));
        }
        pem.parse_x509().map_err(|e| e.to_string())?;
        blocks += 1;
    }
    if blocks == 0 { Err("must contain at least one CERTIFICATE PEM block".to_owned()) } else { Ok(()) }
}

fn found<'a>(object: &'a Value, kind: &str) -> Vec<&'a Value> {
    items(object, "/status/conditions").iter().filter(|c| text(c, "/type") == kind).collect()
}

/// Puts the conditions of a type back as they were, when none was added or removed.
fn keep_conditions(new: &mut Value, old: &Value, kind: &str) {
    let before = found(old, kind);
    if before.len() != found(new, kind).len() {
        return;
    }
    let mut before = before.into_iter();
    for condition in items_mut(new, "/status/conditions").filter(|c| text(c, "/type") == kind) {
        if let Some(kept) = before.next() {
            *condition = kept.clone();
        }
    }
}

/// Fills in when conditions were updated, and when they came about.
fn date_conditions(new: &mut Value, old: &Value, now: Timestamp) {
    let now = Value::from(now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    for condition in items_mut(new, "/status/conditions") {
        let since = found(old, text(condition, "/type"))
            .into_iter()
            .find(|c| text(c, "/status") == text(condition, "/status"))
            .map(|c| at(c, "/lastTransitionTime").clone())
            .filter(Value::is_string);
        let Some(fields) = condition.as_object_mut() else { continue };
        if !fields.get("lastUpdateTime").is_some_and(Value::is_string) {
            fields.insert("lastUpdateTime".into(), now.clone());
        }
        if !fields.get("lastTransitionTime").is_some_and(Value::is_string) {
            fields.insert("lastTransitionTime".into(), since.unwrap_or_else(|| now.clone()));
        }
    }
}

fn condition(object: &Value) -> String {
    let has = |kind: &str| !found(object, kind).is_empty();
    let mut state = if has("Denied") {
        "Denied"
    } else if has("Approved") {
        "Approved"
    } else {
        "Pending"
    }
    .to_owned();
    if has("Failed") {
        state.push_str(",Failed");
    }
    if !text(object, "/status/certificate").is_empty() {
        state.push_str(",Issued");
    }
    state
}
