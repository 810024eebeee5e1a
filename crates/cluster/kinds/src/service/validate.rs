//! What a service must be (`pkg/apis/core/validation`).

use std::collections::HashSet;
use std::net::IpAddr;

use eksile_kube::FieldErrors;
use eksile_kube::field::{FieldError, FieldErrorKind};
use eksile_kube::strategy::Context;
use serde_json::Value;

use super::allocate::{families_of, family};
use super::{is_headless, reachable_from_outside, takes_health_port};
use crate::names::{address, label, labels, one_of, port, port_number, qualified, subdomain};
use crate::node::is_cidr;
use crate::shown::strings;
use crate::tree::{at, items, number, text};

const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];
const TYPES: &[&str] = &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
/// Longest stickiness, in seconds.
const LONGEST_STICKINESS: i64 = 86_400;

/// Checks the whole.
pub(super) fn service(object: &Value, context: &Context<'_>, errors: &mut FieldErrors) {
    let kind = text(object, "/spec/type");
    let ports = items(object, "/spec/ports");
    if ports.is_empty() && !is_headless(object) && kind != "ExternalName" {
        errors.required("spec.ports", "");
    }
    by_type(object, kind, errors);
    let mut names: HashSet<&str> = HashSet::with_capacity(ports.len());
    for (index, one) in ports.iter().enumerate() {
        service_port(one, ports.len() > 1, &mut names, &format!("spec.ports[{index}]"), errors);
    }
    labels(object, "/spec/selector", "spec.selector", errors);
    affinity(object, errors);
    if kind != "ExternalName" {
        addresses(object, context, errors);
    }
    for (index, ip) in items(object, "/spec/externalIPs").iter().enumerate() {
        external_address(ip.as_str().unwrap_or_default(), &format!("spec.externalIPs[{index}]"), errors);
    }
    one_of(kind, TYPES, "spec.type", errors);
    node_ports(ports, kind, errors);
    source_ranges(object, kind, errors);
    if !at(object, "/spec/allocateLoadBalancerNodePorts").is_null() && kind != "LoadBalancer" {
        errors.forbidden("spec.allocateLoadBalancerNodePorts", "may only be used when `type` is 'LoadBalancer'");
    }
    balancer_class(object, kind, errors);
    traffic(object, kind, errors);
}

fn by_type(object: &Value, kind: &str, errors: &mut FieldErrors) {
    match kind {
        "LoadBalancer" | "NodePort" if is_headless(object) => {
            let why = format!("may not be set to 'None' for {kind} services");
            errors.invalid("spec.clusterIPs[0]", &"None".into(), why);
        }
        "ExternalName" => {
            for field in ["clusterIPs", "ipFamilies"] {
                if !items(object, &format!("/spec/{field}")).is_empty() {
                    errors.forbidden(format!("spec.{field}"), "may not be set for ExternalName services");
                }
            }
            if !text(object, "/spec/ipFamilyPolicy").is_empty() {
                errors.forbidden("spec.ipFamilyPolicy", "may not be set for ExternalName services");
            }
            let name = text(object, "/spec/externalName");
            match name.strip_suffix('.').unwrap_or(name) {
                "" => errors.required("spec.externalName", ""),
                name => subdomain(name, "spec.externalName", errors),
            }
        }
        _ => {}
    }
}

fn service_port<'a>(one: &'a Value, named: bool, names: &mut HashSet<&'a str>, path: &str, errors: &mut FieldErrors) {
    let name = text(one, "/name");
    if name.is_empty() {
        if named {
            errors.required(format!("{path}.name"), "");
        }
    } else {
        label(name, &format!("{path}.name"), errors);
        if !names.insert(name) {
            errors.duplicate(format!("{path}.name"), &name.into());
        }
    }
    port_number(number(one, "/port").unwrap_or_default(), &format!("{path}.port"), errors);
    one_of(text(one, "/protocol"), PROTOCOLS, &format!("{path}.protocol"), errors);
    port(at(one, "/targetPort"), &format!("{path}.targetPort"), errors);
    let protocol = text(one, "/appProtocol");
    if !protocol.is_empty() {
        qualified(protocol, &format!("{path}.appProtocol"), errors);
    }
}

fn affinity(object: &Value, errors: &mut FieldErrors) {
    let affinity = text(object, "/spec/sessionAffinity");
    one_of(affinity, &["ClientIP", "None"], "spec.sessionAffinity", errors);
    if affinity == "ClientIP" {
        let seconds = number(object, "/spec/sessionAffinityConfig/clientIP/timeoutSeconds").unwrap_or_default();
        if !(1..=LONGEST_STICKINESS).contains(&seconds) {
            let why = format!("must be greater than 0 and less than {LONGEST_STICKINESS}");
            errors.invalid("spec.sessionAffinityConfig.clientIP.timeoutSeconds", &seconds.into(), why);
        }
    }
}

/// `clusterIP`, `clusterIPs` and the families fit each other and the cluster.
fn addresses(object: &Value, context: &Context<'_>, errors: &mut FieldErrors) {
    let before = errors.count();
    let (one, many) = (text(object, "/spec/clusterIP"), items(object, "/spec/clusterIPs"));
    match (one.is_empty(), many.first()) {
        (false, None) => errors.required("spec.clusterIPs", ""),
        (false, Some(first)) if *first != one => {
            errors.invalid_verbatim("spec.clusterIPs", strings(many), "first value must match `clusterIP`");
        }
        (true, Some(_)) => {
            errors.invalid_verbatim(
                "spec.clusterIPs",
                strings(many),
                "must be empty when `clusterIP` is not specified",
            );
        }
        _ => {}
    }
    let mut families = HashSet::new();
    for (index, one) in items(object, "/spec/ipFamilies").iter().enumerate() {
        let path = format!("spec.ipFamilies[{index}]");
        one_of(one.as_str().unwrap_or_default(), &["IPv4", "IPv6"], &path, errors);
        if !families.insert(one) {
            errors.duplicate(path, one);
        }
    }
    for (index, ip) in many.iter().enumerate() {
        if index == 0 && *ip == "None" {
            if many.len() > 1 {
                errors.invalid_verbatim("spec.clusterIPs", strings(many), "'None' must be the first and only value");
            }
            continue;
        }
        address(ip.as_str().unwrap_or_default(), &format!("spec.clusterIPs[{index}]"), errors);
    }
    if many.len() > 2 {
        errors.invalid_verbatim("spec.clusterIPs", strings(many), "may only hold up to 2 values");
    }
    let selectorless =
        is_headless(object) && at(object, "/spec/selector").as_object().is_none_or(serde_json::Map::is_empty);
    if errors.count() == before && !selectorless {
        stacks(object, context, errors);
    }
}

/// The families and the policy fit the cluster's address ranges.
fn stacks(object: &Value, context: &Context<'_>, errors: &mut FieldErrors) {
    let offered = families_of(context.cluster.service_cidrs());
    let policy = text(object, "/spec/ipFamilyPolicy");
    if policy == "RequireDualStack" && offered.len() < 2 {
        let why = "this cluster is not configured for dual-stack services";
        errors.invalid("spec.ipFamilyPolicy", &policy.into(), why);
    }
    for (index, wanted) in items(object, "/spec/ipFamilies").iter().enumerate() {
        if !offered.iter().any(|f| *wanted == *f) {
            errors.invalid(format!("spec.ipFamilies[{index}]"), wanted, "not configured on this cluster");
        }
    }
    for (index, ip) in items(object, "/spec/clusterIPs").iter().enumerate() {
        let asked = text(object, &format!("/spec/ipFamilies/{index}"));
        let own = family(ip.as_str().unwrap_or_default());
        if *ip != "None" && !asked.is_empty() && own.is_some_and(|own| own != asked) {
            let why = format!("expected an {asked} value as indicated by `ipFamilies[{index}]`");
            errors.invalid(format!("spec.clusterIPs[{index}]"), ip, why);
        }
    }
}

fn external_address(given: &str, path: &str, errors: &mut FieldErrors) {
    let Ok(ip) = given.parse::<IpAddr>() else { return address(given, path, errors) };
    let local = match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    let value = Value::from(given);
    if ip.is_unspecified() {
        errors.invalid(path, &value, format!("may not be unspecified ({given})"));
    }
    if ip.is_loopback() {
        errors.invalid(path, &value, "may not be in the loopback range (127.0.0.0/8, ::1/128)");
    }
    if local {
        errors.invalid(path, &value, "may not be in the link-local range (169.254.0.0/16, fe80::/10)");
    }
}

fn node_ports(ports: &[Value], kind: &str, errors: &mut FieldErrors) {
    let node_port = |p: &Value| number(p, "/nodePort").filter(|n| *n != 0);
    if kind == "ClusterIP" {
        for (index, _) in ports.iter().enumerate().filter(|(_, p)| node_port(p).is_some()) {
            errors.forbidden(format!("spec.ports[{index}].nodePort"), "may not be used when `type` is 'ClusterIP'");
        }
    }
    let mut taken = HashSet::with_capacity(ports.len());
    for (index, one) in ports.iter().enumerate() {
        let Some(own) = node_port(one) else { continue };
        if !taken.insert((own, text(one, "/protocol"))) {
            errors.duplicate(format!("spec.ports[{index}].nodePort"), &own.into());
        }
    }
    let mut seen = HashSet::with_capacity(ports.len());
    for (index, one) in ports.iter().enumerate() {
        if !seen.insert((number(one, "/port"), text(one, "/protocol"))) {
            errors.push(FieldError {
                kind: FieldErrorKind::Duplicate,
                field: format!("spec.ports[{index}]"),
                value: Some(one.to_string()),
                detail: String::new(),
            });
        }
    }
}

fn source_ranges(object: &Value, kind: &str, errors: &mut FieldErrors) {
    let ranges = items(object, "/spec/loadBalancerSourceRanges");
    let path = "spec.LoadBalancerSourceRanges";
    if !ranges.is_empty() && kind != "LoadBalancer" {
        errors.forbidden(path, "may only be used when `type` is 'LoadBalancer'");
    }
    for (index, range) in ranges.iter().enumerate() {
        let given = range.as_str().unwrap_or_default().trim();
        if !is_cidr(given) {
            let why = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
            errors.invalid(format!("{path}[{index}]"), &given.into(), why);
        }
    }
}

fn balancer_class(object: &Value, kind: &str, errors: &mut FieldErrors) {
    let class = text(object, "/spec/loadBalancerClass");
    if class.is_empty() {
        return;
    }
    if kind == "LoadBalancer" {
        qualified(class, "spec.loadBalancerClass", errors);
    } else {
        errors.forbidden("spec.loadBalancerClass", "may only be used when `type` is 'LoadBalancer'");
    }
}

fn traffic(object: &Value, kind: &str, errors: &mut FieldErrors) {
    let policies = &["Cluster", "Local"];
    let outside = text(object, "/spec/externalTrafficPolicy");
    if !reachable_from_outside(object) {
        if !outside.is_empty() {
            let why = "may only be set for externally-accessible services";
            errors.invalid("spec.externalTrafficPolicy", &outside.into(), why);
        }
    } else {
        one_of(outside, policies, "spec.externalTrafficPolicy", errors);
    }
    let health = number(object, "/spec/healthCheckNodePort").unwrap_or_default();
    if health != 0 {
        if takes_health_port(object) {
            port_number(health, "spec.healthCheckNodePort", errors);
        } else {
            let why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
            errors.invalid("spec.healthCheckNodePort", &health.into(), why);
        }
    }
    let inside = text(object, "/spec/internalTrafficPolicy");
    if !inside.is_empty() {
        one_of(inside, policies, "spec.internalTrafficPolicy", errors);
    } else if kind != "ExternalName" && TYPES.contains(&kind) {
        errors.required("spec.internalTrafficPolicy", "");
    }
    let distribution = text(object, "/spec/trafficDistribution");
    if !distribution.is_empty() {
        one_of(distribution, &["PreferClose"], "spec.trafficDistribution", errors);
    }
}

/// Checks a change.
pub(super) fn update(new: &Value, old: &Value, errors: &mut FieldErrors) {
    let named = |s: &Value| text(s, "/spec/type") == "ExternalName";
    if named(new) || named(old) || (is_headless(new) && is_headless(old)) {
        return;
    }
    let (now, before) = (items(new, "/spec/clusterIPs"), items(old, "/spec/clusterIPs"));
    if before.is_empty() {
        return;
    }
    if now.is_empty() {
        errors.invalid_verbatim("spec.clusterIPs[0]", strings(now), "primary clusterIP can not be unset");
    }
    for (index, (ip, was)) in now.iter().zip(before).enumerate() {
        if ip != was {
            errors.invalid_verbatim(format!("spec.clusterIPs[{index}]"), strings(now), "may not change once set");
        }
    }
}

/// Checks the status.
pub(super) fn status(object: &Value, errors: &mut FieldErrors) {
    let balancers = items(object, "/status/loadBalancer/ingress");
    if !balancers.is_empty() && text(object, "/spec/type") != "LoadBalancer" {
        errors.forbidden("status.loadBalancer.ingress", "may only be used when `spec.type` is 'LoadBalancer'");
        return;
    }
    for (index, one) in balancers.iter().enumerate() {
        let path = format!("status.loadBalancer.ingress[{index}]");
        let (ip, mode, host) = (text(one, "/ip"), text(one, "/ipMode"), text(one, "/hostname"));
        if !ip.is_empty() {
            address(ip, &format!("{path}.ip"), errors);
        }
        match (ip.is_empty(), mode.is_empty()) {
            (false, true) => errors.required(format!("{path}.ipMode"), "must be specified when `ip` is set"),
            (true, false) => errors.forbidden(format!("{path}.ipMode"), "may not be specified when `ip` is not set"),
            (false, false) => one_of(mode, &["Proxy", "VIP"], &format!("{path}.ipMode"), errors),
            (true, true) => {}
        }
        if !host.is_empty() {
            subdomain(host, &format!("{path}.hostname"), errors);
            if host.parse::<IpAddr>().is_ok() {
                let why = "must be a DNS name, not an IP address";
                errors.invalid(format!("{path}.hostname"), &host.into(), why);
            }
        }
    }
}
