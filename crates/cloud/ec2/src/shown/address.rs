use eksile_aws::inputs::Tag;
use eksile_aws::{Call, Shape};

use super::tag_set;
use crate::records::{Address, NetworkInterface};

/// `Address` of the EC2 API.
#[derive(Debug, Shape)]
pub(crate) struct AddressShown {
    public_ip: String,
    allocation_id: String,
    association_id: Option<String>,
    domain: String,
    network_interface_id: Option<String>,
    network_interface_owner_id: Option<String>,
    private_ip_address: Option<String>,
    instance_id: Option<String>,
    public_ipv4_pool: String,
    network_border_group: String,
    tag_set: Vec<Tag>,
}

impl AddressShown {
    /// `interface`: the one it is associated with.
    pub(crate) fn of(call: &Call<'_>, address: &Address, interface: Option<&NetworkInterface>) -> Self {
        let attachment = interface.and_then(|interface| interface.attachment.as_ref());
        Self {
            public_ip: address.public_ip.clone(),
            allocation_id: address.allocation_id.clone(),
            association_id: address.association_id.clone(),
            domain: "vpc".to_owned(),
            network_interface_id: address.network_interface_id.clone(),
            network_interface_owner_id: interface.map(|_| call.scope.account.clone()),
            private_ip_address: interface.map(|interface| interface.private_ip.clone()),
            instance_id: attachment.map(|attachment| attachment.instance_id.clone()),
            public_ipv4_pool: "amazon".to_owned(),
            network_border_group: call.region.to_owned(),
            tag_set: tag_set(&address.tags),
        }
    }
}
