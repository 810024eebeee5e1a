use eksile_store::Record;
use serde::{Deserialize, Serialize};

use super::Tags;

/// An internet gateway: maps private to public addresses one to one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InternetGateway {
    /// `igw-…`.
    pub internet_gateway_id: String,
    /// The VPC it is attached to.
    pub vpc_id: Option<String>,
    /// User tags.
    pub tags: Tags,
}

impl Record for InternetGateway {
    const SERVICE: &'static str = "ec2";
    const KIND: &'static str = "internet-gateway";

    fn id(&self) -> &str {
        &self.internet_gateway_id
    }
}

/// A public NAT gateway: an interface of its subnet that masquerades.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NatGateway {
    /// `nat-…`.
    pub nat_gateway_id: String,
    /// The (public) subnet it lies in.
    pub subnet_id: String,
    /// That subnet's VPC.
    pub vpc_id: String,
    /// The elastic address it shows to the internet.
    pub allocation_id: String,
    /// Its interface; the record of it holds the private address.
    pub network_interface_id: String,
    /// `available` once its site reports it; `deleted` ones are listed for an hour.
    pub state: NatGatewayState,
    /// Seconds since the epoch.
    pub create_time: i64,
    /// Seconds since the epoch; set with [`NatGatewayState::Deleted`].
    #[serde(default)]
    pub delete_time: Option<i64>,
    /// User tags.
    pub tags: Tags,
}

/// States of a NAT gateway that the Region decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NatGatewayState {
    /// Wanted.
    Available,
    /// Gone.
    Deleted,
}

impl Record for NatGateway {
    const SERVICE: &'static str = "ec2";
    const KIND: &'static str = "nat-gateway";

    fn id(&self) -> &str {
        &self.nat_gateway_id
    }
}
