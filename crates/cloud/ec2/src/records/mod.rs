//! What the Region wants of networks and instances, and what sites saw of them.
//!
//! The Region writes everything here except [`ObservedInstance`], which only the site that
//! hosts the instance writes. A describe call merges the two.

mod address;
mod gateway;
mod instance;
mod interface;
mod metadata;
mod route_table;
mod security_group;
mod subnet;
mod vpc;

pub use address::Address;
pub use gateway::{InternetGateway, NatGateway, NatGatewayState};
pub use instance::{Instance, InstanceProfileRef, InstanceRole, InstanceState, ObservedInstance, WantedInstanceState};
pub use interface::{Attachment, NetworkInterface};
pub use metadata::{MetadataDefaults, MetadataOptions};
pub use route_table::{Association, Route, RouteTable, RouteTarget};
pub use security_group::{Peer, Rule, SecurityGroup};
pub use subnet::Subnet;
pub use vpc::Vpc;

/// Tags, kept sorted by key so that describe calls answer in a stable order.
pub type Tags = std::collections::BTreeMap<String, String>;
