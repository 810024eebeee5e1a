//! The way from one plan to another, as actions in an order that never opens a gap: filters
//! before interfaces, interfaces before what hangs on them, places last to go.

use std::collections::BTreeSet;

use eksile_linux::netlink::{RouteKind, Selector, Veth};
use eksile_linux::{Action, What};

use super::plan::{Place, Plan, Tenure};

/// What to do so that `old` becomes `new`. Nothing, when they are equal.
pub(super) fn actions(old: &Plan, new: &Plan) -> Vec<Action> {
    let mut actions = Vec::new();
    let none = Place::default();
    for (name, place) in &new.places {
        let before = old.places.get(name);
        prepare(&mut actions, name, before, place);
    }
    for ((place, device), _) in old.cables.iter().filter(|(key, _)| !new.cables.contains_key(*key)) {
        push(&mut actions, place, What::Unlink(device.clone()));
    }
    for (name, place) in &old.places {
        if let Some(wanted) = new.places.get(name) {
            remove(&mut actions, name, place, wanted);
        } else if place.tenure != Tenure::Sole && place.tenure != Tenure::Tenant {
            remove(&mut actions, name, place, &none);
        }
    }
    let missing = new.cables.iter().filter(|(key, _)| !old.cables.contains_key(*key));
    let remade =
        missing.flat_map(|((place, _), (veth, far))| connect(&mut actions, place, veth, far)).collect::<BTreeSet<_>>();
    for (name, place) in &new.places {
        add(&mut actions, name, old.places.get(name).unwrap_or(&none), place, &remade);
    }
    let gone = old
        .places
        .iter()
        .filter(|(name, place)| !new.places.contains_key(*name) && !matches!(place.tenure, Tenure::Shared(_)));
    actions.extend(gone.map(|(name, _)| Action { place: name.clone(), what: What::Delete }));
    actions
}

fn push(actions: &mut Vec<Action>, place: &str, what: What) {
    actions.push(Action { place: place.to_owned(), what });
}

/// The place itself, its settings and its filter, before anything can reach it.
fn prepare(actions: &mut Vec<Action>, name: &str, before: Option<&Place>, wanted: &Place) {
    if before.is_none() && !matches!(wanted.tenure, Tenure::Shared(_)) {
        push(actions, name, wanted.ids.map_or(What::Create, What::CreateOwned));
    }
    if before.is_none_or(|b| b.settings != wanted.settings) {
        for (key, value) in &wanted.settings {
            push(actions, name, What::Set(key.clone(), value.clone()));
        }
    }
    if let Some(script) = &wanted.filter
        && before.is_none_or(|b| b.filter.as_ref() != Some(script))
    {
        push(actions, name, What::Filter(script.clone()));
    }
}

fn remove(actions: &mut Vec<Action>, name: &str, old: &Place, new: &Place) {
    for rule in old.rules.difference(&new.rules) {
        push(actions, name, What::Unrule(rule.clone()));
    }
    // A route to the same destination in the same table is replaced, not removed first.
    let kept: BTreeSet<_> = new.routes.iter().map(|r| (r.table, r.to)).collect();
    for route in old.routes.difference(&new.routes).filter(|r| !kept.contains(&(r.table, r.to))) {
        push(actions, name, What::Unroute(route.clone()));
    }
    for (device, address) in old.addresses.difference(&new.addresses) {
        push(actions, name, What::Unaddress(device.clone(), *address));
    }
}

/// A cable; returns its two ends, on which everything is to be set anew.
fn connect(actions: &mut Vec<Action>, place: &str, veth: &Veth, far: &str) -> [(String, String); 2] {
    push(actions, place, What::Veth(veth.clone(), far.to_owned()));
    // Answers for neighbours come at once; the default delay holds up first connections by up to
    // 0.8 s (arp(7), proxy_delay).
    let key = format!("ipv4/neigh/{}/proxy_delay", veth.near.name);
    push(actions, place, What::Set(key, "0".into()));
    push(actions, far, What::Up(veth.far.name.clone()));
    [(place.to_owned(), veth.near.name.clone()), (far.to_owned(), veth.far.name.clone())]
}

/// What is new in a place, and what hangs on interfaces that were made anew.
fn add(actions: &mut Vec<Action>, name: &str, old: &Place, new: &Place, remade: &BTreeSet<(String, String)>) {
    let anew = |device: &str| remade.contains(&(name.to_owned(), device.to_owned()));
    for (device, address) in &new.addresses {
        if anew(device) || !old.addresses.contains(&(device.clone(), *address)) {
            push(actions, name, What::Address(device.clone(), *address));
        }
    }
    for neighbour in &new.neighbours {
        if anew(&neighbour.device) || !old.neighbours.contains(neighbour) {
            push(actions, name, What::Neighbour(neighbour.clone()));
        }
    }
    for route in &new.routes {
        let on_new = matches!(&route.kind, RouteKind::Via { device, .. } if anew(device));
        if on_new || !old.routes.contains(route) {
            push(actions, name, What::Route(route.clone()));
        }
    }
    for rule in &new.rules {
        let on_new = matches!(&rule.selector, Selector::From(device) if anew(device));
        if on_new || !old.rules.contains(rule) {
            push(actions, name, What::Rule(rule.clone()));
        }
    }
}
