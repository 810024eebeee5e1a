//! Addresses and node ports: handed out and taken back inside the store's transaction.
//!
//! Each one taken is a key of its own (`/registry/allocated/…`), so that a look is one lookup however many services there
//! are.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use eksile_base::entropy;
use eksile_kube::StatusError;
use eksile_kube::field::{FieldErrors, quote};
use eksile_kube::strategy::Context;
use eksile_store::Txn;
use serde_json::{Value, json};

use super::{is_headless, takes_address, takes_health_port, takes_node_ports};
use crate::tree::{at, items, items_mut, map, number, text};

/// Node ports of every cluster.
const NODE_PORTS: std::ops::RangeInclusive<u64> = 30_000..=32_767;
/// How many draws before the search goes in order.
const DRAWS: usize = 64;

/// The family of an address.
pub(super) fn family(address: &str) -> Option<&'static str> {
    match address.parse().ok()? {
        IpAddr::V4(_) => Some("IPv4"),
        IpAddr::V6(_) => Some("IPv6"),
    }
}

/// The families that address ranges offer, in their order.
pub(super) fn families_of(cidrs: &[String]) -> Vec<&'static str> {
    cidrs.iter().filter_map(|cidr| family(cidr.split('/').next()?)).collect()
}

/// Settles policy and families of a service that has an address, as far as the client left them open.
pub(super) fn families(service: &mut Value, old: Option<&Value>, context: &Context<'_>) {
    if !takes_address(service) {
        return;
    }
    let offered = families_of(context.cluster.service_cidrs());
    let own = offered.first().copied().unwrap_or("IPv4");
    let selectorless = at(service, "/spec/selector").as_object().is_none_or(serde_json::Map::is_empty);
    let both = is_headless(service) && selectorless;
    let given: Vec<&'static str> =
        items(service, "/spec/clusterIPs").iter().filter_map(|ip| family(ip.as_str()?)).collect();
    let before = old.map(|old| text(old, "/spec/ipFamilyPolicy").to_owned()).unwrap_or_default();
    let known = old.map(|old| items(old, "/spec/ipFamilies").to_vec()).unwrap_or_default();
    let Some(spec) = map(service, "spec") else { return };
    if spec.get("ipFamilyPolicy").is_none_or(|p| p.is_null() || p == "") {
        let policy = match (before.is_empty(), both) {
            (false, _) => before.as_str(),
            (true, true) => "RequireDualStack",
            (true, false) => "SingleStack",
        };
        spec.insert("ipFamilyPolicy".into(), policy.into());
    }
    let policy = spec.get("ipFamilyPolicy").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut families: Vec<Value> = spec.get("ipFamilies").and_then(Value::as_array).cloned().unwrap_or_default();
    if families.is_empty() {
        families = if !known.is_empty() {
            known
        } else if given.is_empty() {
            vec![own.into()]
        } else {
            given.into_iter().map(Value::from).collect()
        };
    }
    let wants_two = policy == "PreferDualStack" && offered.len() == 2 || both && policy != "SingleStack";
    if wants_two && families.len() == 1 {
        families.push(if families[0] == "IPv4" { "IPv6" } else { "IPv4" }.into());
    }
    spec.insert("ipFamilies".into(), families.into());
}

/// Hands out what the new service needs and takes back what only the old one had.
pub(super) fn stage(
    new: Option<&mut Value>,
    old: Option<&Value>,
    txn: &mut Txn<'_>,
    context: &Context<'_>,
) -> Result<(), StatusError> {
    let held = old.map(Held::of).unwrap_or_default();
    let Some(new) = new else {
        held.release(txn, &Held::default());
        return Ok(());
    };
    let mut draft = Draft { txn, context, held: &held, errors: FieldErrors::new() };
    draft.addresses(new);
    draft.node_ports(new);
    draft.health_port(new);
    if !draft.errors.is_empty() {
        return Err(StatusError::invalid("", "Service", text(new, "/metadata/name"), &draft.errors));
    }
    held.release(txn, &Held::of(new));
    Ok(())
}

/// What a service holds.
#[derive(Default)]
struct Held {
    keys: HashSet<String>,
}

impl Held {
    fn of(service: &Value) -> Self {
        let mut keys: HashSet<String> = HashSet::new();
        if takes_address(service) {
            let addresses =
                items(service, "/spec/clusterIPs").iter().filter_map(Value::as_str).filter(|ip| *ip != "None");
            keys.extend(addresses.map(address_key));
        }
        for port in items(service, "/spec/ports") {
            if let Some(node) = number(port, "/nodePort").filter(|n| *n != 0) {
                keys.insert(port_key(node.unsigned_abs(), text(port, "/protocol")));
            }
        }
        if let Some(port) = number(service, "/spec/healthCheckNodePort").filter(|n| *n != 0) {
            keys.insert(port_key(port.unsigned_abs(), "TCP"));
        }
        Self { keys }
    }

    fn has(&self, key: &str) -> bool {
        self.keys.contains(key)
    }

    fn release(&self, txn: &mut Txn<'_>, kept: &Held) {
        for key in self.keys.iter().filter(|key| !kept.has(key)) {
            txn.delete(key);
        }
    }
}

fn address_key(address: &str) -> String {
    format!("/registry/allocated/addresses/{address}")
}

fn port_key(port: u64, protocol: &str) -> String {
    format!("/registry/allocated/ports/{port}/{protocol}")
}

struct Draft<'a, 'txn, 'store> {
    txn: &'txn mut Txn<'store>,
    context: &'a Context<'a>,
    held: &'a Held,
    errors: FieldErrors,
}

impl Draft<'_, '_, '_> {
    fn take(&mut self, key: &str) {
        self.txn.put(key, bytes_of_nothing());
    }

    fn addresses(&mut self, service: &mut Value) {
        if !takes_address(service) || is_headless(service) {
            return;
        }
        let asked: Vec<String> =
            items(service, "/spec/clusterIPs").iter().filter_map(Value::as_str).map(str::to_owned).collect();
        let mut addresses = Vec::new();
        for ip in &asked {
            let key = address_key(ip);
            let why = if self.held.has(&key) {
                None
            } else if !self.context.cluster.service_cidrs().iter().any(|cidr| contains(cidr, ip)) {
                Some("the provided network does not match the current range")
            } else if self.txn.get(&key).is_some() {
                Some("provided IP is already allocated")
            } else {
                None
            };
            match why {
                Some(why) => {
                    let list: Vec<String> = asked.iter().map(|ip| quote(ip)).collect();
                    let shown = format!("[]string{{{}}}", list.join(", "));
                    let text = format!("failed to allocate IP {ip}: {why}");
                    self.errors.invalid_verbatim("spec.clusterIPs", shown, text);
                }
                None => self.take(&key),
            }
            addresses.push(ip.clone());
        }
        let wanted: Vec<String> = items(service, "/spec/ipFamilies")
            .iter()
            .skip(addresses.len())
            .filter_map(|f| f.as_str().map(str::to_owned))
            .collect();
        for family in wanted {
            match self.draw_address(&family) {
                Some(ip) => {
                    self.take(&address_key(&ip));
                    addresses.push(ip);
                }
                None => self.errors.invalid_verbatim(
                    "spec.clusterIPs",
                    "[]string(nil)",
                    "failed to allocate a serviceIP: range is full",
                ),
            }
        }
        if let (Some(spec), Some(first)) = (map(service, "spec"), addresses.first()) {
            spec.insert("clusterIP".into(), first.as_str().into());
            spec.insert("clusterIPs".into(), json!(addresses));
        }
    }

    fn draw_address(&self, wanted: &str) -> Option<String> {
        let cidrs = self.context.cluster.service_cidrs();
        let cidr = cidrs.iter().find(|c| family(c.split('/').next().unwrap_or_default()) == Some(wanted))?;
        let range = Range::of(cidr)?;
        let free = |offset: u128| {
            let ip = range.at(offset);
            self.txn.get(&address_key(&ip)).is_none().then_some(ip)
        };
        // The first is the cluster's own, the last of IPv4 is its broadcast.
        let usable = range.size.saturating_sub(2).max(1);
        let drawn = (0..DRAWS).find_map(|_| free(1 + u128::from_le_bytes(entropy::bytes()) % usable));
        drawn.or_else(|| (1..=usable.min(1 << 16)).find_map(free))
    }

    fn node_ports(&mut self, service: &mut Value) {
        let wanted = takes_node_ports(service);
        // A service of many ports looks through a full range once, not once for each.
        let mut full: HashSet<String> = HashSet::new();
        for (index, port) in items_mut(service, "/spec/ports").enumerate() {
            let protocol = text(port, "/protocol").to_owned();
            let asked = number(port, "/nodePort").unwrap_or_default().unsigned_abs();
            let path = format!("spec.ports[{index}].nodePort");
            if asked != 0 {
                self.chosen_port(asked, &protocol, &path);
            } else if wanted {
                let drawn = if full.contains(&protocol) { None } else { self.draw_port(&protocol) };
                let Some(drawn) = drawn else {
                    self.errors.invalid(path, &0.into(), "range is full");
                    full.insert(protocol);
                    continue;
                };
                self.take(&port_key(drawn, &protocol));
                if let Some(fields) = port.as_object_mut() {
                    fields.insert("nodePort".into(), drawn.into());
                }
            }
        }
    }

    fn chosen_port(&mut self, port: u64, protocol: &str, path: &str) {
        let key = port_key(port, protocol);
        if self.held.has(&key) {
            return;
        }
        if !NODE_PORTS.contains(&port) {
            let (low, high) = (NODE_PORTS.start(), NODE_PORTS.end());
            let why = format!("provided port is not in the valid range. The range of valid ports is {low}-{high}");
            self.errors.invalid(path, &port.into(), why);
        } else if self.txn.get(&key).is_some() {
            self.errors.invalid(path, &port.into(), "provided port is already allocated");
        } else {
            self.take(&key);
        }
    }

    fn draw_port(&self, protocol: &str) -> Option<u64> {
        let free = |port: &u64| self.txn.get(&port_key(*port, protocol)).is_none();
        let count = NODE_PORTS.end() - NODE_PORTS.start() + 1;
        let mut drawn = (0..DRAWS).map(|_| NODE_PORTS.start() + u64::from_le_bytes(entropy::bytes()) % count);
        drawn.find(free).or_else(|| NODE_PORTS.into_iter().find(free))
    }

    fn health_port(&mut self, service: &mut Value) {
        let asked = number(service, "/spec/healthCheckNodePort").unwrap_or_default().unsigned_abs();
        if asked != 0 {
            self.chosen_port(asked, "TCP", "spec.healthCheckNodePort");
        } else if takes_health_port(service)
            && let Some(drawn) = self.draw_port("TCP")
        {
            self.take(&port_key(drawn, "TCP"));
            if let Some(spec) = map(service, "spec") {
                spec.insert("healthCheckNodePort".into(), drawn.into());
            }
        }
    }
}

/// A taken address or port is a key without a value.
fn bytes_of_nothing() -> bytes::Bytes {
    bytes::Bytes::from_static(b"{}")
}

/// An address range.
struct Range {
    base: u128,
    size: u128,
    v4: bool,
}

impl Range {
    fn of(cidr: &str) -> Option<Self> {
        let (address, length) = cidr.split_once('/')?;
        let length: u32 = length.parse().ok()?;
        let (base, bits, v4) = match address.parse().ok()? {
            IpAddr::V4(ip) => (u128::from(u32::from(ip)), 32, true),
            IpAddr::V6(ip) => (u128::from(ip), 128, false),
        };
        let size = 1_u128.checked_shl(bits - length.min(bits)).unwrap_or(u128::MAX);
        Some(Self { base: base & !(size - 1), size, v4 })
    }

    fn at(&self, offset: u128) -> String {
        let value = self.base + offset;
        if self.v4 {
            Ipv4Addr::from(u32::try_from(value).unwrap_or(u32::MAX)).to_string()
        } else {
            Ipv6Addr::from(value).to_string()
        }
    }
}

fn contains(cidr: &str, address: &str) -> bool {
    let (Some(range), Some(one)) =
        (Range::of(cidr), Range::of(&format!("{address}/{}", if address.contains(':') { 128 } else { 32 })))
    else {
        return false;
    };
    range.v4 == one.v4 && one.base > range.base && one.base - range.base < range.size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_know_their_addresses() {
        assert!(contains("10.100.0.0/16", "10.100.77.7"));
        assert!(!contains("10.100.0.0/16", "10.101.0.1"));
        assert!(!contains("10.100.0.0/16", "10.100.0.0"), "the first is no service's");
        assert!(!contains("10.100.0.0/16", "fd00::1"));
        let range = Range::of("10.100.0.0/16").expect("a range");
        assert_eq!((range.at(1).as_str(), range.size), ("10.100.0.1", 65_536));
        assert_eq!(families_of(&["10.100.0.0/16".into(), "fd00::/108".into()]), ["IPv4", "IPv6"]);
    }
}
