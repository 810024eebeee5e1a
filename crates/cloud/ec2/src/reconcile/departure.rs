use eksile_aws::Reads;
use eksile_store::{RecordError, Scope, Txn};

use crate::network::Network;
use crate::records::{
    Address, Instance, InstanceState, NatGateway, NatGatewayState, NetworkInterface, WantedInstanceState,
};

/// How long terminated instances and deleted NAT gateways are still listed, in seconds of product time
/// (EC2 user guide, "Terminate Amazon EC2 instances": visible for a short while, usually less than an hour).
const LISTED: i64 = 3600;

/// All that the plan looks at.
#[derive(Debug, Clone, Default)]
pub struct Departures {
    /// One scope's records.
    pub network: Network,
    /// Elastic addresses.
    pub addresses: Vec<Address>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Detached from what it was bound to.
    PutAddress(Address),
    /// Changed.
    PutInstance(Box<Instance>),
    /// Detached.
    PutInterface(NetworkInterface),
    /// By id.
    DeleteInterface(String),
    /// By id.
    DeleteInstance(String),
    /// By id.
    DeleteNatGateway(String),
}

impl Departures {
    /// Reads a scope.
    ///
    /// # Errors
    /// A stored record cannot be read.
    pub fn observe(txn: &Txn<'_>, scope: &Scope) -> Result<Self, RecordError> {
        Ok(Self { network: Network::read(Reads::of(txn), scope)?, addresses: txn.records(scope)? })
    }
}

/// What to release of terminated instances, and what to forget after an hour. `now`: product time, seconds.
#[must_use]
pub fn plan(seen: &Departures, now: i64) -> Vec<Action> {
    let mut actions = Vec::new();
    for instance in seen.network.instances.values() {
        let Some(observed) = seen.network.observed.get(&instance.instance_id) else { continue };
        if observed.state == InstanceState::Terminated {
            actions.extend(ended(seen, instance, observed.since, now));
        }
    }
    let deleted = seen.network.nat_gateways.values().filter(|nat| nat.state == NatGatewayState::Deleted);
    let old = deleted.filter(|nat| nat.delete_time.is_none_or(|at| now - at >= LISTED));
    actions.extend(old.map(|nat| Action::DeleteNatGateway(nat.nat_gateway_id.clone())));
    actions
}

fn ended(seen: &Departures, instance: &Instance, since: i64, now: i64) -> Vec<Action> {
    let mut actions = Vec::new();
    for id in &instance.network_interface_ids {
        let Some(interface) = seen.network.interfaces.get(id) else { continue };
        let attachment = interface.attachment.as_ref().filter(|a| a.instance_id == instance.instance_id);
        let Some(attachment) = attachment else { continue };
        if attachment.delete_on_termination {
            let bound = seen.addresses.iter().filter(|address| address.network_interface_id.as_ref() == Some(id));
            let free =
                |address: &Address| Address { association_id: None, network_interface_id: None, ..address.clone() };
            actions.extend(bound.map(|address| Action::PutAddress(free(address))));
            actions.push(Action::DeleteInterface(id.clone()));
        } else {
            actions.push(Action::PutInterface(NetworkInterface { attachment: None, ..interface.clone() }));
        }
    }
    if now - since >= LISTED {
        actions.push(Action::DeleteInstance(instance.instance_id.clone()));
    } else if instance.wanted != WantedInstanceState::Terminated {
        // It ended by itself: from now on the Region wants what is.
        actions.push(Action::PutInstance(Box::new(Instance {
            wanted: WantedInstanceState::Terminated,
            ..instance.clone()
        })));
    }
    actions
}

impl Action {
    /// Writes the change.
    ///
    /// # Errors
    /// The record has no stored form.
    pub(super) fn apply(&self, txn: &mut Txn<'_>, scope: &Scope) -> Result<(), RecordError> {
        match self {
            Self::PutAddress(address) => txn.put_record(scope, address)?,
            Self::PutInstance(instance) => txn.put_record(scope, instance.as_ref())?,
            Self::PutInterface(interface) => txn.put_record(scope, interface)?,
            Self::DeleteInterface(id) => drop(txn.delete_record::<NetworkInterface>(scope, id)),
            Self::DeleteInstance(id) => drop(txn.delete_record::<Instance>(scope, id)),
            Self::DeleteNatGateway(id) => drop(txn.delete_record::<NatGateway>(scope, id)),
        }
        Ok(())
    }
}
