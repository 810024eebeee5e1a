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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{Attachment, InstanceRole, ObservedInstance, Tags};

    fn interface(delete_on_termination: bool) -> NetworkInterface {
        let attachment = Attachment {
            attachment_id: "eni-attach-1".to_owned(),
            instance_id: "i-1".to_owned(),
            device_index: 0,
            delete_on_termination,
            attach_time: 0,
        };
        NetworkInterface {
            network_interface_id: "eni-1".to_owned(),
            subnet_id: "subnet-1".to_owned(),
            vpc_id: "vpc-1".to_owned(),
            private_ip: "10.0.0.4".to_owned(),
            secondary_private_ips: Vec::new(),
            mac_address: NetworkInterface::mac_address_of("eni-1"),
            groups: Vec::new(),
            description: String::new(),
            interface_type: "interface".to_owned(),
            requester_managed: false,
            source_dest_check: true,
            attachment: Some(attachment),
            tags: Tags::new(),
        }
    }

    fn instance(wanted: WantedInstanceState) -> Instance {
        Instance {
            instance_id: "i-1".to_owned(),
            reservation_id: "r-1".to_owned(),
            image_id: "ami-1".to_owned(),
            instance_type: "m5.large".to_owned(),
            site: "op-1".to_owned(),
            subnet_id: "subnet-1".to_owned(),
            vpc_id: "vpc-1".to_owned(),
            private_ip: "10.0.0.4".to_owned(),
            private_dns_name: String::new(),
            network_interface_ids: vec!["eni-1".to_owned()],
            key_name: None,
            instance_profile: None,
            user_data: None,
            role: InstanceRole::Worker,
            wanted,
            launch_time: 0,
            ami_launch_index: 0,
            metadata_options: crate::records::MetadataOptions::default(),
            client_token: None,
            tags: Tags::new(),
        }
    }

    fn seen(wanted: WantedInstanceState, state: InstanceState, delete_on_termination: bool) -> Departures {
        let mut network = Network::default();
        network.instances.insert("i-1".to_owned(), instance(wanted));
        network.interfaces.insert("eni-1".to_owned(), interface(delete_on_termination));
        let observed = ObservedInstance { instance_id: "i-1".to_owned(), state, reason: None, since: 1000 };
        network.observed.insert("i-1".to_owned(), observed);
        let address = Address {
            allocation_id: "eipalloc-1".to_owned(),
            public_ip: "198.19.0.1".to_owned(),
            association_id: Some("eipassoc-1".to_owned()),
            network_interface_id: Some("eni-1".to_owned()),
            tags: Tags::new(),
        };
        Departures { network, addresses: vec![address] }
    }

    use InstanceState::{Running, ShuttingDown, Terminated as Ended};
    use WantedInstanceState::{Running as Wanted, Terminated as Unwanted};

    #[test]
    fn nothing_is_released_before_the_site_saw_the_end() {
        assert_eq!(plan(&seen(Unwanted, Running, true), 1001), []);
        assert_eq!(plan(&seen(Unwanted, ShuttingDown, true), 9999), []);
    }

    #[test]
    fn the_interface_goes_with_its_instance_or_stays_without() {
        let gone = plan(&seen(Unwanted, Ended, true), 1001);
        assert!(matches!(&gone[..], [Action::PutAddress(a), Action::DeleteInterface(id)]
            if a.association_id.is_none() && id == "eni-1"));
        let kept = plan(&seen(Unwanted, Ended, false), 1001);
        assert!(matches!(&kept[..], [Action::PutInterface(i)] if i.attachment.is_none()));
    }

    #[test]
    fn one_that_ended_by_itself_is_not_wanted_any_more() {
        let actions = plan(&seen(Wanted, Ended, true), 1001);
        assert!(matches!(actions.last(), Some(Action::PutInstance(i)) if i.wanted == Unwanted));
    }

    #[test]
    fn forgotten_after_an_hour() {
        let forgets = |now| plan(&seen(Unwanted, Ended, true), now).contains(&Action::DeleteInstance("i-1".to_owned()));
        assert!(!forgets(1000 + 3599) && forgets(1000 + 3600));
        let nat = |now| {
            let mut seen = Departures::default();
            let gateway = NatGateway {
                nat_gateway_id: "nat-1".to_owned(),
                subnet_id: String::new(),
                vpc_id: String::new(),
                allocation_id: String::new(),
                network_interface_id: String::new(),
                state: NatGatewayState::Deleted,
                create_time: 0,
                delete_time: Some(1000),
                tags: Tags::new(),
            };
            seen.network.nat_gateways.insert("nat-1".to_owned(), gateway);
            plan(&seen, now)
        };
        assert_eq!(nat(1000 + 3599), []);
        assert_eq!(nat(1000 + 3600), [Action::DeleteNatGateway("nat-1".to_owned())]);
    }

    #[test]
    fn interface_ids_make_addresses() {
        assert_eq!(NetworkInterface::mac_address_of("eni-0123456789abcdef0"), "02:78:9a:bc:de:f0");
    }
}
