//! Internet gateways, which translate one to one, and NAT gateways, which masquerade.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::Ipv4Addr;

use eksile_ec2::records::InternetGateway;
use eksile_linux::netlink::Cidr;

use super::plan::{ETHERNET, End, MAIN_TABLE, Place, Plan, anywhere};
use super::topology::{Network, Port};
use super::{PUBLIC_BLOCK, Records, instance, names};

/// Plans a VPC's internet gateway; returns the router's device towards it.
pub(super) fn internet(
    plan: &mut Plan,
    network: &Network<'_>,
    records: &Records,
    gateway: &InternetGateway,
    router: &str,
) -> String {
    let (id, device) = (gateway.internet_gateway_id.as_str(), names::device('g', &gateway.internet_gateway_id));
    let pairs = translations(network, records);
    *plan.place(id) = Place::forwarding();
    plan.place(id).filter = Some(translate(&pairs));
    plan.cable(&End::new(router, &*device), &End::new(id, "vpc"), ETHERNET);
    plan.place(id).through(MAIN_TABLE, network.block, "vpc");
    plan.places.entry("internet".into()).or_insert_with(|| Place::shared("g".into()));
    plan.cable(&End::new(id, "pub"), &End::new("internet", &*device), ETHERNET);
    plan.place(id).through(MAIN_TABLE, anywhere(), "pub");
    for (_, public) in &pairs {
        plan.place("internet").through(MAIN_TABLE, Cidr::host(*public), &device);
    }
    plan.translations.insert(id.to_owned(), pairs);
    device
}

/// Private and public addresses of the VPC's interfaces. An elastic address is bound to an
/// interface, or, for a NAT gateway, to the gateway.
fn translations(network: &Network<'_>, records: &Records) -> BTreeSet<(Ipv4Addr, Ipv4Addr)> {
    let mut pairs = BTreeSet::new();
    for address in &records.addresses {
        let of_nat = records.nat_gateways.iter().find(|nat| nat.allocation_id == address.allocation_id);
        let bound = address.network_interface_id.as_ref().or(of_nat.map(|nat| &nat.network_interface_id));
        let interface = records
            .interfaces
            .iter()
            .find(|i| Some(&i.network_interface_id) == bound && i.vpc_id == network.vpc.vpc_id);
        let Some(interface) = interface else { continue };
        if let (Ok(private), Ok(public)) = (interface.private_ip.parse(), address.public_ip.parse::<Ipv4Addr>())
            && PUBLIC_BLOCK.contains(public)
        {
            pairs.insert((private, public));
        }
    }
    pairs
}

/// Stateful, so that addresses quoted in ICMP errors (path MTU) are translated too.
fn translate(pairs: &BTreeSet<(Ipv4Addr, Ipv4Addr)>) -> String {
    let map = |elements: Vec<String>| match elements.is_empty() {
        true => String::new(),
        false => format!(" elements = {{ {} }};", elements.join(", ")),
    };
    let to_private = map(pairs.iter().map(|(private, public)| format!("{public} : {private}")).collect());
    let to_public = map(pairs.iter().map(|(private, public)| format!("{private} : {public}")).collect());
    let mut text = String::from("table ip igw\ndelete table ip igw\ntable ip igw {\n");
    let _infallible = write!(
        text,
        "\tmap private {{ type ipv4_addr : ipv4_addr;{to_private} }}
\tmap public {{ type ipv4_addr : ipv4_addr;{to_public} }}
\tchain to_private {{ type nat hook prerouting priority dstnat; policy accept;
\t\tdnat to ip daddr map @private
\t}}
\tchain forward {{ type filter hook forward priority 0; policy drop;
\t\tct state established,related accept
\t\tct status dnat accept
\t\tiifname \"vpc\" ip saddr @sources accept
\t}}
\tchain to_public {{ type nat hook postrouting priority srcnat; policy accept;
\t\tiifname \"vpc\" snat to ip saddr map @public
\t}}
\tset sources {{ type ipv4_addr;{} }}
}}
",
        map(pairs.iter().map(|(private, _)| private.to_string()).collect()),
    );
    text
}

/// The inside of a NAT gateway: an interface that sends everything back out in its own name.
pub(super) fn nat(place: &mut Place, port: &Port<'_>) {
    let own = port.address;
    *place = Place::forwarding();
    instance::primary(place, port, "eth0");
    place.filter = Some(format!(
        "table ip nat_gateway
delete table ip nat_gateway
table ip nat_gateway {{
\tchain input {{ type filter hook input priority 0; policy drop;
\t\tct state established,related accept
\t\ticmp type echo-request accept
\t}}
\tchain forward {{ type filter hook forward priority 0; policy accept;
\t\tct state invalid drop
\t}}
\tchain in_own_name {{ type nat hook postrouting priority srcnat; policy accept;
\t\tip saddr != {own} snat to {own}
\t}}
}}
"
    ));
}
