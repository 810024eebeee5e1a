use eksile_aws::inputs::Tag;
use eksile_aws::{Call, Shape, filters};

use super::tag_set;
use crate::records::Vpc;

/// `Vpc` of the EC2 API.
#[derive(Debug, Shape)]
pub(crate) struct VpcShown {
    vpc_id: String,
    state: String,
    cidr_block: String,
    dhcp_options_id: String,
    instance_tenancy: String,
    is_default: bool,
    owner_id: String,
    cidr_block_association_set: Vec<CidrBlockAssociation>,
    tag_set: Vec<Tag>,
}

#[derive(Debug, Shape)]
struct CidrBlockAssociation {
    association_id: String,
    cidr_block: String,
    cidr_block_state: CidrBlockState,
}

#[derive(Debug, Shape)]
struct CidrBlockState {
    state: String,
}

impl VpcShown {
    pub(crate) fn of(call: &Call<'_>, vpc: &Vpc) -> Self {
        let primary = CidrBlockAssociation {
            association_id: association_id(vpc),
            cidr_block: vpc.cidr_block.clone(),
            cidr_block_state: CidrBlockState { state: "associated".to_owned() },
        };
        Self {
            vpc_id: vpc.vpc_id.clone(),
            state: "available".to_owned(),
            cidr_block: vpc.cidr_block.clone(),
            dhcp_options_id: vpc.dhcp_options_id.clone(),
            instance_tenancy: "default".to_owned(),
            is_default: vpc.is_default,
            owner_id: call.scope.account.clone(),
            cidr_block_association_set: vec![primary],
            tag_set: tag_set(&vpc.tags),
        }
    }
}

/// Derived from the VPC's id: there is one per VPC, and it never changes.
pub(crate) fn association_id(vpc: &Vpc) -> String {
    vpc.vpc_id.replacen("vpc-", "vpc-cidr-assoc-", 1)
}

filters! {
    /// Values for the filters of `DescribeVpcs`.
    pub(crate) const FILTERS, fn filter_values(call: &Call<'_>, vpc: &Vpc) {
        "vpc-id" => vpc.vpc_id.clone(),
        "cidr" | "cidr-block" | "cidrBlock" | "cidr-block-association.cidr-block" => vpc.cidr_block.clone(),
        "cidr-block-association.association-id" => association_id(vpc),
        "cidr-block-association.state" => "associated".to_owned(),
        "dhcp-options-id" => vpc.dhcp_options_id.clone(),
        "is-default" | "isDefault" => vpc.is_default.to_string(),
        "owner-id" => call.scope.account.clone(),
        "state" => "available".to_owned(),
    }
}
