//! The parts of an order, each with EC2's fault for what it may not be.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use eksile_aws::{Call, Fault};

use crate::images;
use crate::instance_types::{self, InstanceType};
use crate::network::Network;
use crate::records::Subnet;
use crate::resource::{Resource, invalid_value, missing};

/// Longest user data, before base64 (EC2 user guide, "Instance user data").
const USER_DATA_LIMIT: usize = 16 * 1024;

pub(crate) fn image(call: &Call<'_>, asked: Option<&str>) -> Result<String, Fault> {
    let id = asked.ok_or_else(|| missing("ImageId"))?;
    if !id.starts_with("ami-") {
        let message = format!("Invalid id: \"{id}\" (expecting \"ami-...\")");
        return Err(Fault::client("InvalidAMIID.Malformed", 400, message));
    }
    let image = images::find(call.region, id);
    let message = || format!("The image id '[{id}]' does not exist");
    image.map(|image| image.image_id).ok_or_else(|| Fault::client("InvalidAMIID.NotFound", 400, message()))
}

/// AWS would take `m1.small` where none is asked for, which is not among the types here.
pub(crate) fn instance_type(asked: Option<&str>) -> Result<&'static InstanceType, Fault> {
    let name = asked.ok_or_else(|| missing("InstanceType"))?;
    instance_types::find(name).ok_or_else(|| invalid_value(format!("Invalid value '{name}' for InstanceType.")))
}

/// The subnet named, or the default one (of a Zone, where one is asked for).
pub(crate) fn subnet(network: &Network, asked: Option<&str>, zone: Option<&str>) -> Result<Subnet, Fault> {
    let in_zone = |subnet: &&Subnet| zone.is_none_or(|zone| subnet.availability_zone == zone);
    let Some(id) = asked else {
        let default = network.subnets.values().filter(|subnet| subnet.default_for_az).find(in_zone);
        let message = "No subnets found for the default VPC. Please specify a subnet.";
        return default.cloned().ok_or_else(|| Fault::client("MissingInput", 400, message));
    };
    let found = network.subnets.get(id);
    let subnet = found.ok_or_else(|| Fault::client(Subnet::NOT_FOUND, 400, <Subnet as Resource>::not_found(id)))?;
    if !in_zone(&subnet) {
        let message = format!("The subnet {id} is not in the Availability Zone {}", zone.unwrap_or_default());
        return Err(invalid_value(message));
    }
    Ok(subnet.clone())
}

/// The groups named, or the VPC's default one.
pub(crate) fn groups(network: &Network, subnet: &Subnet, asked: &[String]) -> Result<Vec<String>, Fault> {
    if asked.is_empty() {
        let mut groups = network.security_groups.values();
        let default = groups.find(|group| group.vpc_id == subnet.vpc_id && group.group_name == "default");
        return Ok(default.map(|group| group.group_id.clone()).into_iter().collect());
    }
    for id in asked {
        let Some(group) = network.security_groups.get(id) else {
            let message = format!("The security group '{id}' does not exist");
            return Err(Fault::client("InvalidGroup.NotFound", 400, message));
        };
        if group.vpc_id != subnet.vpc_id {
            let message = format!("Security group {id} and subnet {} belong to different networks.", subnet.subnet_id);
            return Err(Fault::client("InvalidParameter", 400, message));
        }
    }
    Ok(asked.to_vec())
}

pub(crate) fn counts((least, most): (i32, i32), one_address: bool) -> Result<(u32, u32), Fault> {
    let bounds = u32::try_from(least).ok().zip(u32::try_from(most).ok());
    let Some((least, most)) = bounds.filter(|(least, most)| *least >= 1 && least <= most) else {
        let message = format!(
            "Value ({least}) for parameter minCount is invalid. Must be at least 1 and at most maxCount ({most})."
        );
        return Err(invalid_value(message));
    };
    if one_address && most > 1 {
        let message = "A private address may be specified for one instance only";
        return Err(Fault::client("InvalidParameterCombination", 400, message));
    }
    Ok((least, most))
}

/// Besides the primary address; as many as the type's interface holds.
pub(crate) fn secondary_addresses(kind: &InstanceType, asked: i32) -> Result<usize, Fault> {
    let most = kind.ipv4_per_interface.saturating_sub(1) as usize;
    let asked =
        usize::try_from(asked).map_err(|_| invalid_value("SecondaryPrivateIpAddressCount may not be negative"))?;
    if asked > most {
        let message = format!(
            "Number of private addresses will exceed limit: {} holds {most} besides the primary one.",
            kind.name
        );
        return Err(Fault::client("PrivateIpAddressLimitExceeded", 400, message));
    }
    Ok(asked)
}

pub(crate) fn user_data(encoded: &str) -> Result<Vec<u8>, Fault> {
    let lines: String = encoded.split_whitespace().collect();
    let bytes = STANDARD.decode(lines).map_err(|_| invalid_value("Invalid BASE64 encoding of user data."))?;
    if bytes.len() > USER_DATA_LIMIT {
        return Err(invalid_value(format!("User data is limited to {USER_DATA_LIMIT} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_bounds() {
        assert_eq!(counts((1, 3), false), Ok((1, 3)));
        for (bad, code) in
            [((0, 1), "InvalidParameterValue"), ((2, 1), "InvalidParameterValue"), ((-1, 1), "InvalidParameterValue")]
        {
            assert_eq!(counts(bad, false).unwrap_err().code, code);
        }
        assert_eq!(counts((1, 2), true).unwrap_err().code, "InvalidParameterCombination");
    }

    #[test]
    fn user_data_is_base64_and_bounded() {
        assert_eq!(user_data("aGVs\nbG8=").unwrap(), b"hello");
        assert_eq!(user_data("!").unwrap_err().code, "InvalidParameterValue");
        assert!(user_data(&STANDARD.encode(vec![0; USER_DATA_LIMIT])).is_ok());
        assert!(user_data(&STANDARD.encode(vec![0; USER_DATA_LIMIT + 1])).is_err());
    }
}
