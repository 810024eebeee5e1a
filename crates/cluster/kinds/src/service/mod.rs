//! Service: types, addresses and ports that the cluster hands out.

mod allocate;
mod change;
mod defaults;
mod validate;

use std::borrow::Cow;

use eksile_kube::strategy::{Context, NameRule, Strategy, keep_other_part};
use eksile_kube::{Column, FieldErrors, StatusError};
use eksile_store::Txn;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::columns::{self, AGE, NAME, or_none, shown, wide};
use crate::tree::{entries, items, number, text};

/// The strategy.
pub(crate) struct Service;

const COLUMNS: &[Column] = &[
    NAME,
    shown("Type", "How it is exposed."),
    shown("Cluster-IP", "Its address inside the cluster."),
    shown("External-IP", "Its addresses outside."),
    shown("Port(s)", "Its ports."),
    AGE,
    wide("Selector", "The labels of its pods."),
];

impl Strategy for Service {
    fn defaults(&self, object: &mut Value) {
        defaults::set(object);
    }

    fn prepare_create(&self, new: &mut Value, context: &Context<'_>) {
        if let Some(fields) = new.as_object_mut() {
            fields.insert("status".into(), json!({"loadBalancer": {}}));
        }
        change::addresses_follow(new, None);
        allocate::families(new, None, context);
    }

    fn prepare_update(&self, new: &mut Value, old: &Value, context: &Context<'_>) {
        keep_other_part(new, old, context.sub);
        if context.sub.is_empty() {
            change::keep_allocated(new, old);
            change::addresses_follow(new, Some(old));
            change::drop_by_type(new, old);
            allocate::families(new, Some(old), context);
        }
    }

    fn validate(&self, object: &Value, context: &Context<'_>, errors: &mut FieldErrors) {
        if context.sub == "status" {
            validate::status(object, errors);
        } else {
            validate::service(object, context, errors);
        }
    }

    fn validate_update(&self, new: &Value, old: &Value, context: &Context<'_>, errors: &mut FieldErrors) {
        if context.sub.is_empty() {
            validate::update(new, old, errors);
        }
    }

    fn name_rule(&self) -> NameRule {
        NameRule::Label1035
    }

    fn returns_deleted(&self) -> bool {
        true
    }

    fn stages(&self) -> bool {
        true
    }

    fn stage(
        &self,
        new: Option<&mut Value>,
        old: Option<&Value>,
        txn: &mut Txn<'_>,
        context: &Context<'_>,
    ) -> Result<(), StatusError> {
        allocate::stage(new, old, txn, context)
    }

    fn selectable(&self) -> &'static [&'static str] {
        &["spec.clusterIP", "spec.type"]
    }

    fn field<'a>(&self, object: &'a Value, name: &str) -> Cow<'a, str> {
        text(object, if name == "spec.type" { "/spec/type" } else { "/spec/clusterIP" }).into()
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let selector: Vec<String> = entries(object, "/spec/selector")
            .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
            .collect();
        vec![
            columns::name(object),
            text(object, "/spec/type").into(),
            or_none(text(object, "/spec/clusterIPs/0")),
            external(object).into(),
            or_none(&ports(object)),
            columns::age(object, now),
            or_none(&selector.join(",")),
        ]
    }
}

/// Whether the type takes a cluster address.
fn takes_address(service: &Value) -> bool {
    matches!(text(service, "/spec/type"), "ClusterIP" | "NodePort" | "LoadBalancer")
}

/// Whether the type takes node ports.
fn takes_node_ports(service: &Value) -> bool {
    match text(service, "/spec/type") {
        "NodePort" => true,
        "LoadBalancer" => {
            service.pointer("/spec/allocateLoadBalancerNodePorts").and_then(Value::as_bool).unwrap_or(true)
        }
        _ => false,
    }
}

/// Whether balancers ask a port of its own for the health of local pods.
fn takes_health_port(service: &Value) -> bool {
    text(service, "/spec/type") == "LoadBalancer" && text(service, "/spec/externalTrafficPolicy") == "Local"
}

/// Whether traffic reaches it from outside.
fn reachable_from_outside(service: &Value) -> bool {
    let kind = text(service, "/spec/type");
    matches!(kind, "NodePort" | "LoadBalancer")
        || (kind == "ClusterIP" && !items(service, "/spec/externalIPs").is_empty())
}

/// Whether it has no address of its own.
fn is_headless(service: &Value) -> bool {
    text(service, "/spec/clusterIP") == "None"
}

fn external(service: &Value) -> String {
    let own: Vec<&str> = items(service, "/spec/externalIPs").iter().filter_map(Value::as_str).collect();
    let listed = |list: &[&str], none: &str| if list.is_empty() { none.to_owned() } else { list.join(",") };
    match text(service, "/spec/type") {
        "ClusterIP" | "NodePort" => listed(&own, "<none>"),
        "ExternalName" => text(service, "/spec/externalName").to_owned(),
        "LoadBalancer" => {
            let mut given: Vec<&str> = items(service, "/status/loadBalancer/ingress")
                .iter()
                .map(|i| if text(i, "/ip").is_empty() { text(i, "/hostname") } else { text(i, "/ip") })
                .filter(|t| !t.is_empty())
                .collect();
            given.sort_unstable();
            given.dedup();
            given.extend(own);
            listed(&given, "<pending>")
        }
        _ => "<unknown>".to_owned(),
    }
}

fn ports(service: &Value) -> String {
    let shown: Vec<String> = items(service, "/spec/ports")
        .iter()
        .map(|port| {
            let (own, protocol) = (number(port, "/port").unwrap_or_default(), text(port, "/protocol"));
            match number(port, "/nodePort").filter(|n| *n > 0) {
                Some(node) => format!("{own}:{node}/{protocol}"),
                None => format!("{own}/{protocol}"),
            }
        })
        .collect();
    shown.join(",")
}
