//! Outposts as records.

use std::collections::BTreeMap;

use eksile_store::Record;
use serde::{Deserialize, Serialize};

/// A logical Outpost: one or several racks under one ARN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outpost {
    /// `op-` and 17 hexadecimal digits; also the name of its site.
    pub outpost_id: String,
    /// `arn:aws:outposts:R:A:outpost/op-…`.
    pub outpost_arn: String,
    /// The account.
    pub owner_id: String,
    /// `os-…`.
    pub site_id: String,
    /// Free text.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Parent Zone's name.
    pub availability_zone: String,
    /// Parent Zone's id.
    pub availability_zone_id: String,
    /// `RACK`.
    pub supported_hardware_type: String,
    /// Slots by instance type.
    pub capacity: BTreeMap<String, u32>,
    /// `lgw-…`.
    pub local_gateway_id: String,
    /// User tags.
    pub tags: BTreeMap<String, String>,
}

impl Record for Outpost {
    const SERVICE: &'static str = "outposts";
    const KIND: &'static str = "outpost";

    fn id(&self) -> &str {
        &self.outpost_id
    }
}
