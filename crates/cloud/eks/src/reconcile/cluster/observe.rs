use eksile_aws::Reads;
use eksile_ec2::network::Network;
use eksile_ec2::records::{InstanceState, Subnet, WantedInstanceState};
use eksile_outposts::records::Outpost;
use eksile_store::{RecordError, Scope, Txn};

use crate::records::{AccessEntry, Cluster, ControlPlaneMember, ObservedCluster};
pub use crate::role::Role;

/// All that a plan looks at.
#[derive(Debug, Clone)]
pub struct Observation {
    /// As it is recorded.
    pub cluster: Cluster,
    /// Its account's networks in its Region.
    pub network: Network,
    /// The Outpost it names, if there is such a one.
    pub outpost: Option<Outpost>,
    /// How its role stands.
    pub role: Role,
    /// What its site saw.
    pub observed: Option<ObservedCluster>,
    /// Ids of its access entries.
    pub access_entries: Vec<String>,
}

impl Observation {
    /// Reads all of it; `None` when there is no cluster of that name.
    ///
    /// # Errors
    /// A stored record cannot be read.
    pub(crate) fn read(txn: &Txn<'_>, scope: &Scope, name: &str) -> Result<Option<Self>, RecordError> {
        let Some(cluster) = txn.record::<Cluster>(scope, name)? else { return Ok(None) };
        let entries = txn.records::<AccessEntry>(scope)?.into_iter();
        let own = entries.filter(|entry| entry.cluster_id == cluster.id).map(|entry| entry.id);
        Ok(Some(Self {
            network: Network::read(Reads::of(txn), scope)?,
            outpost: txn.record(scope, &cluster.site)?,
            role: Role::of(Reads::of(txn), &cluster.role_arn)?,
            observed: txn.record::<ObservedCluster>(&Scope::observed(&cluster.site), &cluster.id)?,
            access_entries: own.collect(),
            cluster,
        }))
    }

    /// The cluster's subnets, those that exist.
    #[must_use]
    pub fn subnets(&self) -> Vec<&Subnet> {
        self.cluster.vpc_config.subnet_ids.iter().filter_map(|id| self.network.subnets.get(id)).collect()
    }

    /// Whether somebody other than EKS terminated a member.
    #[must_use]
    pub fn is_lost(&self, member: &ControlPlaneMember) -> bool {
        self.network.instances.get(&member.instance_id).is_none_or(|instance| {
            instance.wanted == WantedInstanceState::Terminated
                || self.network.state(instance) == InstanceState::Terminated
        })
    }

    /// Whether a lost member's slot is free again.
    #[must_use]
    pub fn is_replaceable(&self, member: &ControlPlaneMember) -> bool {
        let instance = self.network.instances.get(&member.instance_id);
        instance.is_none_or(|instance| self.network.state(instance) == InstanceState::Terminated)
    }

    /// Whether interfaces other than the members' bear a security group: nodes may still wear the cluster's.
    #[must_use]
    pub fn is_used_by_others(&self, group_id: &String) -> bool {
        let ours = |id: &String| self.cluster.members.iter().any(|member| member.network_interface_id == *id);
        self.network.interfaces.iter().any(|(id, interface)| interface.groups.contains(group_id) && !ours(id))
    }
}
