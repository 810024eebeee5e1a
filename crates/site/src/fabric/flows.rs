//! Tracked flows of an internet gateway whose translation is no longer wanted.
//!
//! A flow keeps its translation for as long as it is tracked (facts of nf_nat), so an elastic
//! address that was taken away would go on working for it.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use eksile_linux::netlink::{Flow, Netlink};
use eksile_linux::{Error, Namespace};

/// Forgets flows that use a pair of private and public address other than `pairs`; returns how many.
///
/// # Errors
/// When the kernel refuses.
pub(super) fn forget_stale(gateway: &str, pairs: &BTreeSet<(Ipv4Addr, Ipv4Addr)>) -> Result<usize, Error> {
    let mut netlink = Netlink::open_flows(&Namespace::named(gateway))?;
    let mut forgotten = 0;
    for flow in netlink.flows()?.iter().filter(|flow| is_stale(flow, pairs)) {
        match netlink.forget(flow) {
            Err(e) if !e.is_absent() => return Err(e),
            _ => forgotten += 1,
        }
    }
    Ok(forgotten)
}

fn is_stale(flow: &Flow, pairs: &BTreeSet<(Ipv4Addr, Ipv4Addr)>) -> bool {
    // Outbound: replies come to the public address. Inbound: replies come from the private one.
    let outbound = (flow.original.source, flow.reply.destination);
    let inbound = (flow.reply.source, flow.original.destination);
    [outbound, inbound].iter().any(|(private, public)| private != public && !pairs.contains(&(*private, *public)))
}
