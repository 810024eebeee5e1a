use eksile_store::Record;
use serde::{Deserialize, Serialize};

use super::Tags;

/// An elastic address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// `eipalloc-…`.
    pub allocation_id: String,
    /// An address out of the fabric's public range, 198.19.0.0/16.
    pub public_ip: String,
    /// `eipassoc-…`, while associated.
    pub association_id: Option<String>,
    /// The interface it maps to, while associated.
    pub network_interface_id: Option<String>,
    /// User tags.
    pub tags: Tags,
}

impl Record for Address {
    const SERVICE: &'static str = "ec2";
    const KIND: &'static str = "address";

    fn id(&self) -> &str {
        &self.allocation_id
    }
}
