use eksile_store::Record;
use serde::{Deserialize, Serialize};

use super::Tags;

/// An elastic network interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkInterface {
    /// `eni-…`.
    pub network_interface_id: String,
    /// The subnet it lies in.
    pub subnet_id: String,
    /// That subnet's VPC.
    pub vpc_id: String,
    /// Primary private IPv4 address.
    pub private_ip: String,
    /// Secondary private IPv4 addresses (pods, with the VPC CNI).
    pub secondary_private_ips: Vec<String>,
    /// `02:…`, locally administered.
    pub mac_address: String,
    /// Security groups.
    pub groups: Vec<String>,
    /// Free text.
    pub description: String,
    /// `interface`, `nat_gateway`, …
    pub interface_type: String,
    /// Made and owned by a service on the account's behalf.
    pub requester_managed: bool,
    /// Whether only its own addresses may leave through it.
    pub source_dest_check: bool,
    /// The instance it is attached to.
    pub attachment: Option<Attachment>,
    /// User tags.
    pub tags: Tags,
}

/// An interface bound to an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// `eni-attach-…`.
    pub attachment_id: String,
    /// The instance.
    pub instance_id: String,
    /// 0 is the primary interface, `eth0` in the instance.
    pub device_index: u32,
    /// Whether it goes with the instance.
    pub delete_on_termination: bool,
    /// Seconds since the epoch.
    pub attach_time: i64,
}

impl NetworkInterface {
    /// A locally administered MAC address made of the interface id's last ten digits.
    #[must_use]
    pub fn mac_address_of(network_interface_id: &str) -> String {
        let digits = network_interface_id.trim_start_matches("eni-");
        let last = digits.get(digits.len().saturating_sub(10)..).unwrap_or_default();
        let pairs = last.as_bytes().chunks(2).map(String::from_utf8_lossy);
        pairs.fold("02".to_owned(), |mac, pair| mac + ":" + &pair)
    }
}

impl Record for NetworkInterface {
    const SERVICE: &'static str = "ec2";
    const KIND: &'static str = "network-interface";

    fn id(&self) -> &str {
        &self.network_interface_id
    }
}
