//! The Outpost that an installation starts with.

use std::collections::BTreeMap;

use eksile_aws::{Fault, Mint, SystemMint};
use eksile_store::{Scope, Txn};

use crate::records::Outpost;

/// Slots per instance type: three for a control plane and several nodes beside it, in each of the usual sizes.
const SLOTS: &[(&str, u32)] = &[
    ("c5.2xlarge", 6),
    ("c5.4xlarge", 4),
    ("c5.large", 12),
    ("c5.xlarge", 8),
    ("m5.2xlarge", 6),
    ("m5.4xlarge", 4),
    ("m5.large", 16),
    ("m5.xlarge", 12),
    ("r5.2xlarge", 6),
    ("r5.4xlarge", 4),
    ("r5.large", 12),
    ("r5.xlarge", 8),
];

/// Makes the Outpost of that id, with this parent Zone (name and id). Does nothing where it is already.
///
/// # Errors
/// The store refused.
pub fn seed(txn: &mut Txn<'_>, scope: &Scope, outpost_id: &str, zone: (&str, &str)) -> Result<(), Fault> {
    if txn.record::<Outpost>(scope, outpost_id)?.is_some() {
        return Ok(());
    }
    let Scope { account, region } = scope;
    let outpost = Outpost {
        outpost_arn: format!("arn:aws:outposts:{region}:{account}:outpost/{outpost_id}"),
        outpost_id: outpost_id.to_owned(),
        owner_id: account.clone(),
        site_id: SystemMint.id("os"),
        name: "outpost-1".to_owned(),
        description: "Racks on the premises".to_owned(),
        availability_zone: zone.0.to_owned(),
        availability_zone_id: zone.1.to_owned(),
        supported_hardware_type: "RACK".to_owned(),
        capacity: SLOTS.iter().map(|(name, slots)| ((*name).to_owned(), *slots)).collect(),
        local_gateway_id: SystemMint.id("lgw"),
        tags: BTreeMap::new(),
    };
    txn.put_record(scope, &outpost)?;
    Ok(())
}
