//! What a site wants of the network: places, cables between them, and what is set in each place.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use eksile_linux::IdRange;
use eksile_linux::netlink::{Cidr, Neighbour, Route, RouteKind, Rule, Selector, Veth, VethEnd};

use super::names;

/// Every cable's own neighbour address: each end has a permanent entry for the other under it, so
/// no end needs an address and nobody asks (ARP).
pub(super) const PEER: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);

/// The table of the VPC's local routes.
pub(super) const LOCAL_TABLE: u32 = 10;
/// The kernel's main table.
pub(super) const MAIN_TABLE: u32 = 254;

/// MTU inside a VPC (EC2 user guide, "Network MTU": jumbo frames).
pub(super) const JUMBO: u32 = 9001;
/// MTU towards the internet.
pub(super) const ETHERNET: u32 = 1500;

/// Who else writes in a place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Tenure {
    /// Nobody: whatever is not planned is removed.
    #[default]
    Sole,
    /// Programs of an instance: what is planned is added, the rest is theirs.
    Tenant,
    /// Others, and made by the world: ours are the interfaces whose names begin so, and what hangs on them.
    Shared(String),
}

/// What is wanted in one place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Place {
    pub(super) tenure: Tenure,
    /// The ids of the user namespace that it belongs to; none for one of this machine's own.
    pub(super) ids: Option<IdRange>,
    /// Keys under `/proc/sys/net/` that must be set before there are interfaces.
    pub(super) settings: Vec<(String, String)>,
    /// Addresses by interface.
    pub(super) addresses: BTreeSet<(String, Cidr)>,
    pub(super) neighbours: BTreeSet<Neighbour>,
    pub(super) routes: BTreeSet<Route>,
    pub(super) rules: BTreeSet<Rule>,
    /// A whole nftables table, replaced at once.
    pub(super) filter: Option<String>,
}

impl Place {
    /// A place that forwards packets and has no IPv6; proxy ARP is on for interfaces made later.
    ///
    /// Reverse-path filtering is off: its lookup runs without the route table's mark and would
    /// drop what comes from a gateway.
    pub(super) fn forwarding() -> Self {
        let keys = [
            ("ipv4/ip_forward", "1"),
            ("ipv4/conf/all/rp_filter", "0"),
            ("ipv4/conf/default/rp_filter", "0"),
            ("ipv4/conf/all/send_redirects", "0"),
            ("ipv4/conf/default/send_redirects", "0"),
            ("ipv4/conf/all/accept_redirects", "0"),
            ("ipv4/conf/default/accept_redirects", "0"),
            ("ipv4/conf/default/proxy_arp", "1"),
        ];
        let mut place = Self::quiet();
        place.settings.extend(keys.map(|(key, value)| (key.to_owned(), value.to_owned())));
        place
    }

    /// A place without IPv6.
    pub(super) fn quiet() -> Self {
        let keys = ["ipv6/conf/all/disable_ipv6", "ipv6/conf/default/disable_ipv6"];
        Self { settings: keys.map(|key| (key.to_owned(), "1".to_owned())).to_vec(), ..Self::default() }
    }

    pub(super) fn shared(prefix: String) -> Self {
        Self { tenure: Tenure::Shared(prefix), ..Self::default() }
    }

    /// An address on `lo`.
    pub(super) fn serve(&mut self, address: Ipv4Addr) {
        self.addresses.insert(("lo".to_owned(), Cidr::host(address)));
    }

    /// Through a cable, to its other end.
    pub(super) fn through(&mut self, table: u32, to: Cidr, device: &str) {
        self.via(table, to, device, Some(PEER));
    }

    pub(super) fn via(&mut self, table: u32, to: Cidr, device: &str, gateway: Option<Ipv4Addr>) {
        let kind = RouteKind::Via { device: device.to_owned(), gateway };
        self.routes.insert(Route { table, to: to.network(), kind });
    }

    pub(super) fn route(&mut self, table: u32, to: Cidr, kind: RouteKind) {
        self.routes.insert(Route { table, to: to.network(), kind });
    }

    pub(super) fn rule(&mut self, priority: u32, selector: Selector, table: Option<u32>) {
        self.rules.insert(Rule { priority, selector, table });
    }
}

/// The whole plan of a site.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Plan {
    pub(super) places: BTreeMap<String, Place>,
    /// Cables, by the place and name of their near end; with the place of the far end.
    pub(super) cables: BTreeMap<(String, String), (Veth, String)>,
    /// What cannot be done yet or at all, and why.
    pub(super) pending: Vec<String>,
    /// Internet gateways, with the pairs of private and public addresses that flows may use.
    pub(super) translations: BTreeMap<String, BTreeSet<(Ipv4Addr, Ipv4Addr)>>,
}

/// One end of a cable to be planned.
#[derive(Debug, Clone)]
pub(super) struct End<'a> {
    pub(super) place: &'a str,
    pub(super) device: String,
}

impl<'a> End<'a> {
    pub(super) fn new(place: &'a str, device: impl Into<String>) -> Self {
        Self { place, device: device.into() }
    }
}

impl Plan {
    /// The place called so, which must have been planned.
    pub(super) fn place(&mut self, name: &str) -> &mut Place {
        self.places.entry(name.to_owned()).or_default()
    }

    /// A cable between two forwarding places, each end knowing the other as [`PEER`].
    pub(super) fn cable(&mut self, near: &End<'_>, far: &End<'_>, mtu: u32) {
        let [left, right] = [near, far].map(|end| VethEnd {
            name: end.device.clone(),
            mac: Some(names::mac(end.place, &end.device)),
            group: 0,
            mtu,
        });
        for (end, other) in [(near, &right), (far, &left)] {
            let mac = other.mac.unwrap_or_else(|| names::mac(end.place, &end.device));
            let device = end.device.clone();
            self.place(end.place).neighbours.insert(Neighbour { device, address: PEER, mac });
        }
        let key = (near.place.to_owned(), near.device.clone());
        self.cables.insert(key, (Veth { near: left, far: right }, far.place.to_owned()));
    }
}

/// The whole address space.
pub(super) fn anywhere() -> Cidr {
    Cidr { address: Ipv4Addr::UNSPECIFIED, length: 0 }
}
