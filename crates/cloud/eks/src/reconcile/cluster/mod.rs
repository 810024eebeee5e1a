//! A local cluster, from wish to members, and back to nothing.
//!
//! `observe` reads everything inside one transaction, `plan` decides without side effects, and the actions are
//! written in that same transaction: no record can change in between.

mod action;
mod groups;
mod health;
mod observe;
mod placement;

pub use action::Action;
pub use observe::{Observation, Role};

use eksile_ec2::records::WantedInstanceState;

use crate::records::{Cluster, WantedCluster};

/// What a plan may not make up itself.
pub struct Given<'a> {
    /// The Region.
    pub region: &'a str,
    /// Product time, seconds since the epoch.
    pub now: i64,
    /// Makes a new id with that prefix.
    pub ids: &'a mut dyn FnMut(&str) -> String,
}

impl Given<'_> {
    fn id(&mut self, prefix: &str) -> String {
        (self.ids)(prefix)
    }
}

/// What to change now; nothing when all is as it should be.
pub fn plan(seen: &Observation, given: &mut Given<'_>) -> Vec<Action> {
    match seen.cluster.wanted {
        WantedCluster::Present if seen.cluster.outpost_config.is_some() => present(seen, given),
        WantedCluster::Present => Vec::new(),
        WantedCluster::Absent => absent(seen),
    }
}

fn present(seen: &Observation, given: &mut Given<'_>) -> Vec<Action> {
    let issues = health::issues(seen);
    let placed = !seen.cluster.members.is_empty();
    let room = !issues.iter().any(|issue| issue.code == "ResourceLimitExceeded");
    let (mut cluster, mut actions) = match (placed, issues.is_empty()) {
        (false, true) => placement::place(seen, given),
        (true, _) if room => placement::replace(seen, given),
        _ => (seen.cluster.clone(), Vec::new()),
    };
    if placed {
        actions.extend(api_rules(seen, given));
    }
    let ready = seen.observed.as_ref().is_some_and(|observed| observed.ready);
    if placed && ready && issues.is_empty() && cluster.activated_at.is_none() {
        cluster.activated_at = Some(given.now);
    }
    cluster.health = issues;
    if cluster != seen.cluster {
        actions.push(Action::PutCluster(Box::new(cluster)));
    }
    actions
}

fn api_rules(seen: &Observation, given: &mut Given<'_>) -> Option<Action> {
    let id = seen.cluster.vpc_config.internal_security_group_id.as_ref()?;
    let group = seen.network.security_groups.get(id)?;
    groups::with_api_rules(seen, group, &seen.subnets(), given).map(Action::PutGroup)
}

/// The site takes the control plane down first; then the Region gives back what it made.
fn absent(seen: &Observation) -> Vec<Action> {
    let cluster = &seen.cluster;
    let gone = cluster.members.is_empty() || seen.observed.as_ref().is_some_and(|observed| observed.gone);
    if !gone {
        return Vec::new();
    }
    let mut actions = members_down(seen, cluster);
    let config = &cluster.vpc_config;
    let made = [&config.cluster_security_group_id, &config.internal_security_group_id];
    let unused = made.into_iter().flatten().filter(|id| !seen.is_used_by_others(id));
    actions.extend(unused.map(|id| Action::DeleteGroup(id.clone())));
    actions.extend(seen.access_entries.iter().map(|id| Action::DeleteAccessEntry(id.clone())));
    actions.push(Action::DeleteCluster(cluster.name.clone()));
    actions
}

fn members_down(seen: &Observation, cluster: &Cluster) -> Vec<Action> {
    let mut actions = Vec::new();
    for member in &cluster.members {
        if let Some(instance) = seen.network.instances.get(&member.instance_id) {
            let mut instance = instance.clone();
            instance.wanted = WantedInstanceState::Terminated;
            instance.network_interface_ids.clear();
            actions.push(Action::PutInstance(Box::new(instance)));
        }
        actions.push(Action::DeleteInterface(member.network_interface_id.clone()));
    }
    actions
}

#[cfg(test)]
mod tests;
