use eksile_aws::inputs::Tag;
use eksile_aws::{Call, Shape, filters};

use super::tag_set;
use crate::records::{NetworkInterface, Subnet};
use crate::resource;
use crate::subnet_space::SubnetSpace;

/// `Subnet` of the EC2 API.
#[derive(Debug, Shape)]
pub(crate) struct SubnetShown {
    subnet_id: String,
    subnet_arn: String,
    state: String,
    vpc_id: String,
    cidr_block: String,
    available_ip_address_count: i64,
    availability_zone: String,
    availability_zone_id: String,
    default_for_az: bool,
    map_public_ip_on_launch: bool,
    map_customer_owned_ip_on_launch: bool,
    assign_ipv6_address_on_creation: bool,
    ipv6_native: bool,
    enable_dns64: bool,
    outpost_arn: Option<String>,
    owner_id: String,
    private_dns_name_options_on_launch: PrivateDnsNameOptions,
    tag_set: Vec<Tag>,
}

#[derive(Debug, Shape)]
struct PrivateDnsNameOptions {
    hostname_type: String,
    enable_resource_name_dns_a_record: bool,
    #[shape(name = "enableResourceNameDnsAAAARecord")]
    enable_resource_name_dns_aaaa_record: bool,
}

impl SubnetShown {
    /// `interfaces`: those of the scope, of any subnet.
    pub(crate) fn of(call: &Call<'_>, subnet: &Subnet, interfaces: &[NetworkInterface]) -> Self {
        Self {
            subnet_id: subnet.subnet_id.clone(),
            subnet_arn: resource::arn::<Subnet>(call, Some(&subnet.subnet_id)),
            state: "available".to_owned(),
            vpc_id: subnet.vpc_id.clone(),
            cidr_block: subnet.cidr_block.clone(),
            available_ip_address_count: free_addresses(subnet, interfaces),
            availability_zone: subnet.availability_zone.clone(),
            availability_zone_id: subnet.availability_zone_id.clone(),
            default_for_az: subnet.default_for_az,
            map_public_ip_on_launch: subnet.map_public_ip_on_launch,
            map_customer_owned_ip_on_launch: false,
            assign_ipv6_address_on_creation: false,
            ipv6_native: false,
            enable_dns64: false,
            outpost_arn: subnet.outpost_arn.clone(),
            owner_id: call.scope.account.clone(),
            private_dns_name_options_on_launch: PrivateDnsNameOptions {
                hostname_type: "ip-name".to_owned(),
                enable_resource_name_dns_a_record: false,
                enable_resource_name_dns_aaaa_record: false,
            },
            tag_set: tag_set(&subnet.tags),
        }
    }
}

fn free_addresses(subnet: &Subnet, interfaces: &[NetworkInterface]) -> i64 {
    let own = interfaces.iter().filter(|interface| interface.subnet_id == subnet.subnet_id);
    let free = subnet.cidr_block.parse().map_or(0, |block| SubnetSpace::new(block, own).free());
    i64::try_from(free).unwrap_or(i64::MAX)
}

filters! {
    /// Values for the filters of `DescribeSubnets`.
    pub(crate) const FILTERS, fn filter_values(call: &Call<'_>, subnet: &Subnet, interfaces: &[NetworkInterface]) {
        "subnet-id" => subnet.subnet_id.clone(),
        "subnet-arn" => resource::arn::<Subnet>(call, Some(&subnet.subnet_id)),
        "vpc-id" => subnet.vpc_id.clone(),
        "availability-zone" | "availabilityZone" => subnet.availability_zone.clone(),
        "availability-zone-id" | "availabilityZoneId" => subnet.availability_zone_id.clone(),
        "available-ip-address-count" => free_addresses(subnet, interfaces).to_string(),
        "cidr" | "cidr-block" | "cidrBlock" => subnet.cidr_block.clone(),
        "default-for-az" | "defaultForAz" => subnet.default_for_az.to_string(),
        "map-public-ip-on-launch" => subnet.map_public_ip_on_launch.to_string(),
        "owner-id" => call.scope.account.clone(),
        "state" => "available".to_owned(),
        "outpost-arn" => subnet.outpost_arn.clone(),
    }
}
