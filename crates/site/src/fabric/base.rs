//! The places that are there before any record: the internet, on premises, the service links.

use std::net::Ipv4Addr;

use eksile_linux::netlink::{RouteKind, Selector};
use eksile_linux::{Effects, Host};

use super::plan::{ETHERNET, End, MAIN_TABLE, Place, Plan, anywhere};
use super::{FabricError, LINK_ADDRESS, ONPREM_ADDRESS, REGION_ENDPOINTS, diff, link};

/// The Outpost's end of the link's management stream.
const LINK_OUTPOST: Ipv4Addr = Ipv4Addr::new(100, 64, 0, 2);

/// Makes the places that every site builds on; done by the world before sites start. May be
/// repeated.
///
/// # Errors
/// When the kernel refuses, as it does without privilege.
pub fn base(outposts: &[String]) -> Result<(), FabricError> {
    let actions = diff::actions(&Plan::default(), &plan(outposts));
    match Host.perform(&actions).into_iter().next() {
        Some(failure) => Err(failure.into()),
        None => Ok(()),
    }
}

pub(super) fn plan(outposts: &[String]) -> Plan {
    let mut plan = Plan::default();
    let internet = plan.place("internet");
    *internet = Place::forwarding();
    let std::net::IpAddr::V4(endpoints) = REGION_ENDPOINTS.ip() else { return plan };
    internet.serve(endpoints);
    // What nobody has is silent: no answer tells that an address is not used.
    internet.route(MAIN_TABLE, anywhere(), RouteKind::Blackhole);
    *plan.place("onprem") = Place::forwarding();
    plan.place("onprem").serve(ONPREM_ADDRESS);
    for outpost in outposts {
        service_link(&mut plan, outpost);
    }
    plan
}

/// The link's own namespace, which routes by the interface a packet came in through, because
/// VPCs on it may overlap; and the two ends of the management stream.
fn service_link(plan: &mut Plan, outpost: &str) {
    let (middle, region, site) = (link::place(outpost), link::region_end(outpost), link::site_end(outpost));
    let std::net::IpAddr::V4(region_address) = LINK_ADDRESS.ip() else { return };
    *plan.place(&middle) = Place::forwarding();
    for (end, port, address) in [(&region, "mr", region_address), (&site, "ms", LINK_OUTPOST)] {
        *plan.place(end) = Place::quiet();
        plan.place(end).serve(address);
        plan.cable(&End::new(&middle, port), &End::new(end, "link"), ETHERNET);
        plan.place(end).through(MAIN_TABLE, anywhere(), "link");
        let here = eksile_linux::netlink::Cidr::host(address);
        plan.place(&middle).through(link::MANAGEMENT_TABLE, here, port);
        plan.place(&middle).rule(100, Selector::From(port.to_owned()), Some(link::MANAGEMENT_TABLE));
    }
    // Not `unreachable`: that would answer, and a cut or unfinished link is silent.
    plan.place(&middle).rule(300, Selector::All, None);
}
