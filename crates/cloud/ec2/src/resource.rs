//! What EC2's resources have in common: an id with a prefix, tags, and faults of their own.

use eksile_aws::inputs::{Filter, filtered};
use eksile_aws::{Call, Fault, Reads};
use eksile_store::{Record, Scope};

use crate::records::{
    Address, Instance, InternetGateway, NatGateway, NetworkInterface, RouteTable, SecurityGroup, Subnet, Tags, Vpc,
};

/// A record that callers name by id and put tags on.
pub trait Resource: Record {
    /// Its type in tag specifications and ARNs (EC2 API reference, `TagSpecification`).
    const TYPE: &'static str;
    /// What its ids begin with, the hyphen included.
    const PREFIX: &'static str;
    /// Code for an id that is none.
    const MALFORMED: &'static str;
    /// Code for an id that names nothing.
    const NOT_FOUND: &'static str;

    /// Message for an id that names nothing.
    fn not_found(id: &str) -> String;
    /// User tags.
    fn tags(&self) -> &Tags;
    /// User tags.
    fn tags_mut(&mut self) -> &mut Tags;
}

macro_rules! resources {
    ($($record:ty: $kind:literal, $prefix:literal, $malformed:literal, $not_found:literal, $message:literal;)*) => {$(
        impl Resource for $record {
            const TYPE: &'static str = $kind;
            const PREFIX: &'static str = $prefix;
            const MALFORMED: &'static str = $malformed;
            const NOT_FOUND: &'static str = $not_found;

            fn not_found(id: &str) -> String {
                format!($message, id = id)
            }

            fn tags(&self) -> &Tags {
                &self.tags
            }

            fn tags_mut(&mut self) -> &mut Tags {
                &mut self.tags
            }
        }
    )*};
}

// Codes: EC2 API reference, "Error codes".
resources! {
    Vpc: "vpc", "vpc-", "InvalidVpcID.Malformed", "InvalidVpcID.NotFound", "The vpc ID '{id}' does not exist";
    Subnet: "subnet", "subnet-", "InvalidSubnetID.Malformed", "InvalidSubnetID.NotFound",
        "The subnet ID '{id}' does not exist";
    InternetGateway: "internet-gateway", "igw-", "InvalidInternetGatewayId.Malformed",
        "InvalidInternetGatewayID.NotFound", "The internetGateway ID '{id}' does not exist";
    NatGateway: "natgateway", "nat-", "NatGatewayMalformed", "NatGatewayNotFound", "NatGateway {id} was not found";
    Address: "elastic-ip", "eipalloc-", "InvalidAllocationID.Malformed", "InvalidAllocationID.NotFound",
        "The allocation ID '{id}' does not exist";
    RouteTable: "route-table", "rtb-", "InvalidRouteTableId.Malformed", "InvalidRouteTableID.NotFound",
        "The routeTable ID '{id}' does not exist";
    SecurityGroup: "security-group", "sg-", "InvalidGroupId.Malformed", "InvalidGroup.NotFound",
        "The security group '{id}' does not exist";
    Instance: "instance", "i-", "InvalidInstanceID.Malformed", "InvalidInstanceID.NotFound",
        "The instance ID '{id}' does not exist";
    NetworkInterface: "network-interface", "eni-", "InvalidNetworkInterfaceId.Malformed",
        "InvalidNetworkInterfaceID.NotFound", "The networkInterface ID '{id}' does not exist";
}

/// The record that a caller named.
///
/// # Errors
/// The id is malformed, or names nothing in the caller's account and Region.
pub fn find<R: Resource>(reads: Reads<'_>, scope: &Scope, id: &str) -> Result<R, Fault> {
    if !well_formed(R::PREFIX, id) {
        let message = format!("Invalid id: \"{id}\" (expecting \"{}...\")", R::PREFIX);
        return Err(Fault::client(R::MALFORMED, 400, message));
    }
    reads.record::<R>(scope, id)?.ok_or_else(|| Fault::client(R::NOT_FOUND, 400, R::not_found(id)))
}

/// Eight or seventeen hexadecimal digits after the prefix.
pub(crate) fn well_formed(prefix: &str, id: &str) -> bool {
    let hex = |digits: &str| digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    id.strip_prefix(prefix).is_some_and(|digits| matches!(digits.len(), 8 | 17) && hex(digits))
}

/// What a describe call shows: the named records, or all; those that every filter matches.
///
/// `known` names the filters of the kind and `values_of` answers for them; those for tags are answered here.
///
/// # Errors
/// A named record does not exist, or a filter is unknown.
pub fn select<R: Resource>(
    reads: Reads<'_>,
    scope: &Scope,
    ids: &[String],
    filters: &[Filter],
    known: &[&str],
    values_of: impl Fn(&R, &str) -> Option<Vec<String>>,
) -> Result<Vec<R>, Fault> {
    let records = if ids.is_empty() {
        reads.records::<R>(scope)?
    } else {
        let mut named = ids.to_vec();
        named.sort();
        named.dedup();
        named.iter().map(|id| find(reads, scope, id)).collect::<Result<_, _>>()?
    };
    filtered(
        records,
        filters,
        |name| known.contains(&name) || is_of_tags(name),
        |record, name| tag_values(record.tags(), name).or_else(|| values_of(record, name)),
    )
}

/// Whether a filter is `tag:KEY`, `tag-key` or `tag-value`.
pub(crate) fn is_of_tags(name: &str) -> bool {
    tag_values(&Tags::new(), name).is_some()
}

/// Values for the filters `tag:KEY`, `tag-key` and `tag-value`.
pub(crate) fn tag_values(tags: &Tags, name: &str) -> Option<Vec<String>> {
    match name {
        "tag-key" => Some(tags.keys().cloned().collect()),
        "tag-value" => Some(tags.values().cloned().collect()),
        _ => name.strip_prefix("tag:").map(|key| tags.get(key).cloned().into_iter().collect()),
    }
}

/// The ARN of a resource; of all of its type when there is no id yet.
pub(crate) fn arn<R: Resource>(call: &Call<'_>, id: Option<&str>) -> String {
    call.arn("ec2", &format!("{}/{}", R::TYPE, id.unwrap_or("*")))
}

/// Refused because others need it.
pub(crate) fn dependency_violation(noun: &str, id: &str) -> Fault {
    let message = format!("The {noun} '{id}' has dependencies and cannot be deleted.");
    Fault::client("DependencyViolation", 400, message)
}

/// A parameter whose value cannot be.
pub(crate) fn invalid_value(message: impl Into<String>) -> Fault {
    Fault::client("InvalidParameterValue", 400, message)
}

/// A parameter that is not there.
pub(crate) fn missing(parameter: &str) -> Fault {
    Fault::client("MissingParameter", 400, format!("The request must contain the parameter {parameter}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids() {
        assert!(well_formed("vpc-", "vpc-0123456789abcdef0") && well_formed("i-", "i-01234567"));
        for bad in ["", "vpc-", "vpc-0123456789ABCDEF0", "vpc-0123456789abcdef", "subnet-0123456789abcdef0"] {
            assert!(!well_formed("vpc-", bad), "{bad}");
        }
    }

    #[test]
    fn tags() {
        let tags = Tags::from([("Name".to_owned(), "a".to_owned())]);
        assert_eq!(tag_values(&tags, "tag:Name"), Some(vec!["a".to_owned()]));
        assert_eq!(tag_values(&tags, "tag:name"), Some(vec![]));
        assert_eq!(tag_values(&tags, "tag-key"), Some(vec!["Name".to_owned()]));
        assert_eq!(tag_values(&tags, "vpc-id"), None);
    }
}
