//! What is there already: how a restarted site adopts a running network.

use std::collections::{BTreeMap, BTreeSet};

use eksile_linux::netlink::{Cidr, LinkState, Netlink, Route, RouteKind, Rule, Selector, Veth, VethEnd};
use eksile_linux::{Error, Failure, Namespace};

use super::plan::{Place, Plan, Tenure};

/// Kernel rules `main` and `default` have these priorities or higher (ip-rule(8)).
const KERNEL_RULES: u32 = 32_766;

/// The `remembered` places and those of `wanted` as the kernel has them, as far as this site owns them. Filters,
/// settings and neighbours are left out: they are written again, which disturbs nothing.
///
/// Answers also what could not be seen; that is left out.
pub(super) fn existing(remembered: &BTreeMap<String, Tenure>, wanted: &Plan) -> (Plan, Vec<Failure>) {
    let mut plan = Plan::default();
    let mut unseen = Vec::new();
    // Remembered ones first: a tenant that is to go goes as a whole.
    let planned = wanted.places.iter().map(|(name, place)| (name, &place.tenure));
    let tenures: BTreeMap<_, _> = remembered.iter().chain(planned).collect();
    for (name, tenure) in tenures {
        let place = Namespace::named(name);
        if !place.exists() {
            continue;
        }
        let (links, seen) = match see(&place, tenure) {
            Ok(seen) => seen,
            Err(error) => {
                unseen.push(Failure { place: name.clone(), error });
                continue;
            }
        };
        let ours = links.iter().filter(|(device, _)| *device != "lo" && owned(&seen.tenure, device));
        for (device, link) in ours.filter(|_| seen.tenure != Tenure::Tenant) {
            record(&mut plan, wanted, name, device, link);
        }
        plan.places.insert(name.clone(), seen);
    }
    keep_whole(&mut plan, wanted);
    (plan, unseen)
}

fn see(place: &Namespace, tenure: &Tenure) -> Result<(BTreeMap<String, LinkState>, Place), Error> {
    let mut netlink = Netlink::open(place)?;
    let links = netlink.links()?;
    let seen = look(&mut netlink, &links, tenure.clone())?;
    Ok((links, seen))
}

fn look(netlink: &mut Netlink, links: &BTreeMap<String, LinkState>, tenure: Tenure) -> Result<Place, Error> {
    let on = |device: &str| owned(&tenure, device);
    let routes: BTreeSet<Route> = netlink
        .routes()?
        .into_iter()
        .filter(|route| match &route.kind {
            RouteKind::Via { device, .. } => on(device),
            RouteKind::Blackhole | RouteKind::Throw => tenure == Tenure::Sole,
        })
        .collect();
    let rules: BTreeSet<Rule> = netlink
        .rules()?
        .into_iter()
        .filter(|rule| match &rule.selector {
            Selector::From(device) => on(device),
            Selector::All | Selector::Mark(_) => tenure == Tenure::Sole,
        })
        .filter(|rule| rule.priority < KERNEL_RULES)
        .collect();
    let addresses = links
        .iter()
        .filter(|(device, _)| on(device))
        .flat_map(|(device, link)| {
            let foreign = |a: &&Cidr| !(device == "lo" && a.address.is_loopback());
            link.addresses.iter().filter(foreign).map(|a| (device.clone(), *a)).collect::<Vec<_>>()
        })
        .collect();
    // What a tenant added is not ours to remove, and what we want is added again without harm.
    Ok(match tenure {
        Tenure::Tenant => Place { tenure, ..Place::default() },
        tenure => Place { tenure, routes, rules, addresses, ..Place::default() },
    })
}

fn owned(tenure: &Tenure, device: &str) -> bool {
    match tenure {
        Tenure::Sole | Tenure::Tenant => true,
        Tenure::Shared(prefix) => device.starts_with(prefix.as_str()),
    }
}

/// A cable that is wanted counts under its planned name; another only so that it is removed.
fn record(plan: &mut Plan, wanted: &Plan, place: &str, device: &str, link: &LinkState) {
    let key = (place.to_owned(), device.to_owned());
    let is_far_end = wanted.cables.values().any(|(veth, far)| far == place && veth.far.name == device);
    if is_far_end {
        return;
    }
    let end = VethEnd { name: device.to_owned(), mac: link.mac, group: link.group, mtu: link.mtu };
    let found = wanted.cables.get(&key).cloned();
    plan.cables.insert(key, found.unwrap_or_else(|| (Veth { near: end.clone(), far: end }, String::new())));
}

/// Whether each found cable's far end is where it should be: an end whose place was made anew is
/// gone, and the kernel removes the near one with it a moment later.
fn keep_whole(plan: &mut Plan, wanted: &Plan) {
    plan.cables.retain(|key, (veth, far)| {
        !wanted.cables.contains_key(key)
            || Netlink::open(&Namespace::named(far))
                .and_then(|mut n| n.links())
                .is_ok_and(|links| links.contains_key(&veth.far.name))
    });
}
