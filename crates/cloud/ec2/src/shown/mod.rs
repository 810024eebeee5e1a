//! Records as describe and create calls show them.

mod address;
mod gateway;
mod instance;
mod interface;
mod metadata;
mod route_table;
mod security_group;
mod subnet;
mod vpc;

pub(crate) use address::AddressShown;
pub(crate) use gateway::{InternetGatewayShown, NatGatewayShown};
pub(crate) use instance::{
    FILTERS as INSTANCE_FILTERS, InstanceShown, InstanceStateShown, ReservationShown, filter_values as instance_values,
};
pub(crate) use interface::{
    AssociationShown, FILTERS as INTERFACE_FILTERS, GroupIdentifier, InterfaceShown, filter_values as interface_values,
};
pub(crate) use metadata::{MetadataDefaultsShown, MetadataOptionsShown};
pub(crate) use route_table::{AssociationState, RouteTableShown};
pub(crate) use security_group::{
    FILTERS as SECURITY_GROUP_FILTERS, RevokedRuleShown, RuleShown, SecurityGroupShown,
    filter_values as security_group_values,
};
pub(crate) use subnet::{FILTERS as SUBNET_FILTERS, SubnetShown, filter_values as subnet_values};
pub(crate) use vpc::{FILTERS as VPC_FILTERS, VpcShown, filter_values as vpc_values};

use eksile_aws::Shape;
use eksile_aws::inputs::Tag;
use jiff::Timestamp;

use crate::records::Tags;

/// `<return>true</return>`: the answer of calls that only do.
#[derive(Debug, Shape)]
pub(crate) struct Done {
    #[shape(name = "return")]
    done: bool,
}

impl Done {
    pub(crate) const TRUE: Self = Self { done: true };
}

/// An attribute's value, in calls that set or show one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Shape)]
pub(crate) struct AttributeBooleanValue {
    pub(crate) value: Option<bool>,
}

pub(crate) fn tag_set(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::from((key.clone(), value.clone()))).collect()
}

/// A stored time; the epoch for one that no clock could have written.
pub(crate) fn time(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH)
}
