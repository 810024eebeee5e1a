//! The network as the records want it, made of Linux network namespaces.
//!
//! `plan` is a pure function of the records; [`Fabric::reconcile`] brings the kernel closer to it.
//! A pass that changes nothing costs a comparison; a fresh [`Fabric`] looks at what is there and
//! adopts it. Every name and number follows from ids, so nothing is renamed over a restart.

mod base;
mod diff;
mod filter;
mod flows;
mod gateway;
mod instance;
pub mod link;
mod names;
mod observe;
mod plan;
mod records;
mod router;
mod topology;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use eksile_base::files;
use eksile_linux::netlink::Cidr;
use eksile_linux::{Effects, Host, Namespace};

pub use base::base;
pub use names::router;
pub use records::Records;

use plan::{Plan, Tenure};

/// The Region's public endpoints (AWS door, registry), in the place `internet`.
pub const REGION_ENDPOINTS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 18, 0, 10)), 443);
/// Where the Region listens for an Outpost's management stream, in [`link::region_end`].
pub const LINK_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(100, 64, 0, 1)), 7443);
/// A host of the customer's, in the place `onprem`.
pub const ONPREM_ADDRESS: Ipv4Addr = Ipv4Addr::new(172, 16, 0, 10);
/// Elastic addresses.
pub const PUBLIC_BLOCK: Cidr = Cidr { address: Ipv4Addr::new(198, 19, 0, 0), length: 16 };

/// Why the network could not be brought closer to the records.
#[derive(Debug, thiserror::Error)]
pub enum FabricError {
    /// The kernel refused.
    #[error(transparent)]
    Linux(#[from] eksile_linux::Error),
    /// The kernel refused, in a place.
    #[error(transparent)]
    Place(#[from] eksile_linux::Failure),
    /// The list of places could not be kept.
    #[error("{path}: {source}")]
    State {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// What a pass did.
#[derive(Debug, Default)]
pub struct Report {
    /// How many actions were taken; 0 when all was as wanted.
    pub actions: usize,
    /// What waits for others, or cannot be done, and why.
    pub pending: Vec<String>,
    /// What the kernel refused; the rest was done. The next pass looks again at what is there.
    pub failed: Vec<String>,
}

/// A site's part of the network.
#[derive(Debug)]
pub struct Fabric {
    site: String,
    region: String,
    /// The places this site made or shares, one a line; written before anything is done in them.
    places: PathBuf,
    /// What the kernel has, as far as is known.
    known: Option<Plan>,
}

impl Fabric {
    /// The fabric of `site`; `state` is a folder of its own, made when missing.
    #[must_use]
    pub fn new(site: &str, region: &str, state: &Path) -> Self {
        Self { site: site.to_owned(), region: region.to_owned(), places: state.join("places"), known: None }
    }

    /// Brings the network closer to the records.
    ///
    /// # Errors
    /// When the kernel refuses; the next pass looks again at what is there.
    pub fn reconcile(&mut self, records: &Records) -> Result<Report, FabricError> {
        let mut wanted = plan(records, (&self.site, &self.region));
        leave_unreachable(&mut wanted);
        let mut failed = Vec::new();
        let known = match self.known.take() {
            Some(known) if all_exist(&known) => known,
            _ => {
                let (known, unseen) = observe::existing(&self.remembered()?, &wanted);
                // What is there cannot be seen, so nothing can be planned there.
                leave_out(&mut wanted, &unseen.iter().map(|failure| failure.place.clone()).collect());
                failed.extend(unseen.iter().map(ToString::to_string));
                known
            }
        };
        if records.incomplete {
            keep_unknown(&known, &mut wanted);
        }
        let actions = diff::actions(&known, &wanted);
        if !actions.is_empty() {
            self.remember(&known, &wanted)?;
            failed.extend(Host.perform(&actions).iter().map(ToString::to_string));
        }
        for (gateway, pairs) in &wanted.translations {
            if known.translations.get(gateway) != Some(pairs) {
                match flows::forget_stale(gateway, pairs) {
                    Ok(forgotten) => tracing::debug!(gateway, forgotten, "flows of addresses that were taken away"),
                    Err(error) => failed.push(format!("[{gateway}] {error}")),
                }
            }
        }
        let pending = wanted.pending.clone();
        self.known = failed.is_empty().then_some(wanted);
        Ok(Report { actions: actions.len(), pending, failed })
    }

    /// Lines are `NAME` for places of this site's own, `NAME PREFIX` for shared ones.
    fn remembered(&self) -> Result<BTreeMap<String, Tenure>, FabricError> {
        let text = match fs::read_to_string(&self.places) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            other => other.map_err(|source| self.state(source))?,
        };
        let place = |line: &str| match line.split_once(' ') {
            Some((name, prefix)) => (name.to_owned(), Tenure::Shared(prefix.to_owned())),
            None => (line.to_owned(), Tenure::Sole),
        };
        Ok(text.lines().map(place).collect())
    }

    /// Writes down every place that may be touched by the next actions.
    fn remember(&self, known: &Plan, wanted: &Plan) -> Result<(), FabricError> {
        let line = |(name, place): (&String, &plan::Place)| match &place.tenure {
            Tenure::Shared(prefix) => format!("{name} {prefix}\n"),
            Tenure::Sole | Tenure::Tenant => format!("{name}\n"),
        };
        let lines: BTreeSet<String> = known.places.iter().chain(&wanted.places).map(line).collect();
        let text: String = lines.into_iter().collect();
        let made = self.places.parent().map_or(Ok(()), fs::create_dir_all);
        made.and_then(|()| files::replace(&self.places, text.as_bytes(), files::PRIVATE))
            .map_err(|source| self.state(source))
    }

    fn state(&self, source: std::io::Error) -> FabricError {
        FabricError::State { path: self.places.clone(), source }
    }
}

/// What a site wants, from the records alone.
fn plan(records: &Records, (site, region): (&str, &str)) -> Plan {
    let mut plan = Plan::default();
    for vpc in &records.vpcs {
        let Some(network) = topology::Network::new(records, vpc, (site, region), &mut plan.pending) else { continue };
        if site == region || network.subnets.iter().any(|s| s.site == site) {
            router::plan(&mut plan, &network, records, (site, region));
        }
    }
    plan
}

/// Takes out what hangs on places that the world did not make; they are told as pending.
fn leave_unreachable(plan: &mut Plan) {
    let shared = |p: &plan::Place| matches!(p.tenure, Tenure::Shared(_));
    let missing: BTreeSet<String> = plan
        .places
        .iter()
        .filter(|(name, place)| shared(place) && !Namespace::named(name).exists())
        .map(|(name, _)| name.clone())
        .collect();
    plan.pending.extend(missing.iter().map(|name| format!("place {name} is not there")));
    leave_out(plan, &missing);
}

/// What is there and not wanted may be of a record that cannot be read: it stays as it is.
fn keep_unknown(known: &Plan, wanted: &mut Plan) {
    for (name, place) in &known.places {
        if !wanted.places.contains_key(name) {
            wanted.places.insert(name.clone(), place.clone());
        }
    }
    for (end, cable) in &known.cables {
        wanted.cables.entry(end.clone()).or_insert_with(|| cable.clone());
    }
}

/// Takes out places, and what hangs on cables to them.
fn leave_out(plan: &mut Plan, missing: &BTreeSet<String>) {
    plan.places.retain(|name, _| !missing.contains(name));
    plan.cables.retain(|(near, _), _| !missing.contains(near));
    let gone: Vec<_> =
        plan.cables.iter().filter(|(_, (_, far))| missing.contains(far)).map(|(k, _)| k.clone()).collect();
    for (place, device) in gone {
        plan.cables.remove(&(place.clone(), device.clone()));
        let place = plan.place(&place);
        place.neighbours.retain(|n| n.device != device);
        let on = |kind: &eksile_linux::netlink::RouteKind| matches!(kind, eksile_linux::netlink::RouteKind::Via { device: d, .. } if *d == device);
        place.routes.retain(|r| !on(&r.kind));
    }
}

fn all_exist(plan: &Plan) -> bool {
    plan.places.keys().all(|name| Namespace::named(name).exists())
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod unknown_tests {
    use super::*;

    #[test]
    fn what_may_be_of_an_unreadable_record_is_not_taken_away() {
        let planned = |names: &[&str]| {
            let mut plan = Plan::default();
            names.iter().for_each(|name| drop(plan.places.insert((*name).to_owned(), plan::Place::quiet())));
            plan
        };
        let known = planned(&["i-1", "i-2"]);
        let mut wanted = planned(&["i-2", "i-3"]);
        assert!(diff::actions(&known, &wanted).iter().any(|action| action.place == "i-1"));
        keep_unknown(&known, &mut wanted);
        let actions = diff::actions(&known, &wanted);
        assert!(actions.iter().all(|action| action.place == "i-3") && !actions.is_empty());
    }

    #[tokio::test]
    async fn a_record_that_cannot_be_read_keeps_no_other_from_the_plan() {
        use eksile_ec2::records::Vpc;
        use eksile_store::{Scope, Store};
        let store = Store::in_memory();
        let scope = Scope::new("1", "us-west-2");
        let vpc = Vpc {
            vpc_id: "vpc-1".into(),
            cidr_block: "10.0.0.0/16".into(),
            dhcp_options_id: "dopt-1".into(),
            is_default: false,
            enable_dns_support: true,
            enable_dns_hostnames: true,
            tags: std::collections::BTreeMap::new(),
        };
        let write = store.write(|txn| {
            txn.put_record(&scope, &vpc)?;
            txn.put(&format!("{}bad", scope.prefix::<Vpc>()), "not a record");
            Ok::<(), eksile_store::RecordError>(())
        });
        write.await.unwrap();
        let (records, failed) = Records::read(&store.view(), BTreeSet::new(), BTreeMap::new());
        assert_eq!((records.vpcs.len(), records.incomplete, failed.len()), (1, true, 1));
        assert!(failed[0].contains("bad"), "{failed:?}");
    }
}
