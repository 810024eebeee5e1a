//! Probes and hooks.

use eksile_kube::FieldErrors;
use serde_json::Value;

use crate::names::{not_negative, one_of, port, port_number};
use crate::tree::{at, items, number, text};

/// Checks the hooks and probes of a container that runs.
pub(super) fn all(container: &Value, path: &str, errors: &mut FieldErrors) {
    for hook in ["postStart", "preStop"] {
        let own = at(container, &format!("/lifecycle/{hook}"));
        if own.is_object() {
            handler(own, &format!("{path}.lifecycle.{hook}"), errors);
        }
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let own = at(container, &format!("/{name}"));
        if own.is_object() {
            probe(own, name == "readinessProbe", &format!("{path}.{name}"), errors);
        }
    }
}

fn probe(probe: &Value, readiness: bool, path: &str, errors: &mut FieldErrors) {
    handler(probe, path, errors);
    let fields = ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"];
    for field in fields {
        let value = number(probe, &format!("/{field}")).unwrap_or_default();
        not_negative(value, &format!("{path}.{field}"), errors);
    }
    let grace = number(probe, "/terminationGracePeriodSeconds");
    if let Some(seconds) = grace.filter(|s| *s <= 0) {
        errors.invalid(format!("{path}.terminationGracePeriodSeconds"), &seconds.into(), "must be greater than 0");
    }
    if readiness {
        if let Some(seconds) = grace {
            let why = "must not be set for readinessProbes";
            errors.invalid(format!("{path}.terminationGracePeriodSeconds"), &seconds.into(), why);
        }
    } else if let Some(times) = number(probe, "/successThreshold").filter(|n| *n != 1) {
        errors.invalid(format!("{path}.successThreshold"), &times.into(), "must be 1");
    }
}

/// Exactly one way to act.
fn handler(holder: &Value, path: &str, errors: &mut FieldErrors) {
    let mut found = false;
    for kind in ["exec", "httpGet", "tcpSocket", "grpc", "sleep"] {
        let Some(action) = holder.get(kind).filter(|v| v.is_object()) else { continue };
        let path = format!("{path}.{kind}");
        if found {
            errors.forbidden(path, "may not specify more than 1 handler type");
            continue;
        }
        found = true;
        act(kind, action, &path, errors);
    }
    if !found {
        errors.required(path, "must specify a handler type");
    }
}

fn act(kind: &str, action: &Value, path: &str, errors: &mut FieldErrors) {
    match kind {
        "exec" if items(action, "/command").is_empty() => errors.required(format!("{path}.command"), ""),
        "httpGet" => {
            if text(action, "/path").is_empty() {
                errors.required(format!("{path}.path"), "");
            }
            port(at(action, "/port"), &format!("{path}.port"), errors);
            one_of(text(action, "/scheme"), &["HTTP", "HTTPS"], &format!("{path}.scheme"), errors);
            for header in items(action, "/httpHeaders") {
                header_name(text(header, "/name"), &format!("{path}.httpHeaders"), errors);
            }
        }
        "tcpSocket" => port(at(action, "/port"), &format!("{path}.port"), errors),
        "grpc" => port_number(number(action, "/port").unwrap_or_default(), &format!("{path}.port"), errors),
        _ => {}
    }
}

fn header_name(name: &str, path: &str, errors: &mut FieldErrors) {
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        let why = "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for \
                   validation is '[-A-Za-z0-9]+')";
        errors.invalid(path, &name.into(), why);
    }
}
