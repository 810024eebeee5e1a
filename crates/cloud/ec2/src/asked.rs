//! What EC2's operations ask the policies: which resource, with which keys.
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html>

use eksile_aws::inputs::TagSpecification;
use eksile_aws::{Ask, Call, Fault, Reads};
use eksile_store::{Record, RecordError};

use crate::records::{
    Address, Instance, InternetGateway, MetadataOptions, NatGateway, NetworkInterface, RouteTable, SecurityGroup,
    Subnet, Vpc,
};
pub(crate) use crate::resource::arn;
use crate::resource::{Resource, well_formed};

/// A resource whose records tell the condition keys of its type.
pub(crate) trait Keyed: Resource {
    /// Adds the keys of the type, those of tags and the Region apart.
    fn keys(&self, call: &Call<'_>, ask: Ask) -> Ask;
}

impl Keyed for Vpc {
    fn keys(&self, _call: &Call<'_>, ask: Ask) -> Ask {
        ask.key("ec2:VpcID", &*self.vpc_id).key("ec2:Tenancy", "default")
    }
}

impl Keyed for Subnet {
    fn keys(&self, call: &Call<'_>, ask: Ask) -> Ask {
        let ask = ask.key("ec2:SubnetID", &*self.subnet_id).key("ec2:AvailabilityZone", &*self.availability_zone);
        ask.key("ec2:AvailabilityZoneId", &*self.availability_zone_id)
            .key("ec2:Vpc", arn::<Vpc>(call, Some(&self.vpc_id)))
    }
}

impl Keyed for SecurityGroup {
    fn keys(&self, call: &Call<'_>, ask: Ask) -> Ask {
        ask.key("ec2:SecurityGroupID", &*self.group_id).key("ec2:Vpc", arn::<Vpc>(call, Some(&self.vpc_id)))
    }
}

impl Keyed for RouteTable {
    fn keys(&self, call: &Call<'_>, ask: Ask) -> Ask {
        ask.key("ec2:RouteTableID", &*self.route_table_id).key("ec2:Vpc", arn::<Vpc>(call, Some(&self.vpc_id)))
    }
}

impl Keyed for InternetGateway {
    fn keys(&self, _call: &Call<'_>, ask: Ask) -> Ask {
        ask.key("ec2:InternetGatewayID", &*self.internet_gateway_id)
    }
}

impl Keyed for NatGateway {
    fn keys(&self, _call: &Call<'_>, ask: Ask) -> Ask {
        ask
    }
}

impl Keyed for Address {
    fn keys(&self, _call: &Call<'_>, ask: Ask) -> Ask {
        let ask = ask.key("ec2:AllocationId", &*self.allocation_id).key("ec2:Domain", "vpc");
        ask.key("ec2:PublicIpAddress", &*self.public_ip)
    }
}

impl Keyed for Instance {
    fn keys(&self, _call: &Call<'_>, ask: Ask) -> Ask {
        let ask = ask.key("ec2:InstanceID", &*self.instance_id).key("ec2:InstanceType", &*self.instance_type);
        let ask = ask.maybe("ec2:InstanceProfile", self.instance_profile.as_ref().map(|profile| &*profile.arn));
        let ask = metadata(ask, self.metadata_options);
        ask.key("ec2:Tenancy", "default").key("ec2:RootDeviceType", "ebs").key("ec2:EbsOptimized", "false")
    }
}

/// The keys of a metadata service's options, as they are or will be.
pub(crate) fn metadata(ask: Ask, options: MetadataOptions) -> Ask {
    ask.key("ec2:MetadataHttpTokens", if options.tokens_required { "required" } else { "optional" })
        .key("ec2:MetadataHttpEndpoint", if options.enabled { "enabled" } else { "disabled" })
        .key("ec2:MetadataHttpPutResponseHopLimit", options.hop_limit.to_string())
}

impl Keyed for NetworkInterface {
    fn keys(&self, call: &Call<'_>, ask: Ask) -> Ask {
        let ask = ask.key("ec2:NetworkInterfaceID", &*self.network_interface_id);
        let ask = ask.key("ec2:Subnet", arn::<Subnet>(call, Some(&self.subnet_id)));
        ask.key("ec2:Vpc", arn::<Vpc>(call, Some(&self.vpc_id)))
    }
}

/// About the resource of an id; about what its ARN would be, where there is none. Without an id, about all of the type: the
/// call itself says what is missing.
pub(crate) fn ask<R: Keyed>(call: &Call<'_>, state: Reads<'_>, id: Option<&str>) -> Result<Ask, Fault> {
    let blank = Ask::to(arn::<R>(call, id)).key("ec2:Region", call.region);
    let found = match id.filter(|id| well_formed(R::PREFIX, id)) {
        Some(id) => state.record::<R>(&call.scope, id)?,
        None => None,
    };
    Ok(match found {
        Some(record) => of(call, &record),
        None => blank,
    })
}

/// About a resource that is at hand.
pub(crate) fn of<R: Keyed>(call: &Call<'_>, record: &R) -> Ask {
    let ask = Ask::to(arn::<R>(call, Some(Record::id(record)))).key("ec2:Region", call.region);
    record.keys(call, ask.tagged_as("ec2:ResourceTag", record.tags()))
}

/// About all of the resources whose ids are given.
pub(crate) fn each<R: Keyed>(call: &Call<'_>, state: Reads<'_>, ids: &[String]) -> Result<Vec<Ask>, Fault> {
    // A call without any acts on nothing, and says so.
    let all = || ask::<R>(call, state, None).map(|ask| vec![ask]);
    if ids.is_empty() { all() } else { ids.iter().map(|id| ask::<R>(call, state, Some(id))).collect() }
}

/// About a resource that the call makes, and about putting tags on it. `action` is the operation's name.
pub(crate) fn made<R: Resource>(
    call: &Call<'_>,
    action: &'static str,
    specifications: &[TagSpecification],
    keys: impl Fn(Ask) -> Ask,
) -> Vec<Ask> {
    made_of(call, R::TYPE, action, specifications, keys)
}

/// The same of a type that has no records here.
pub(crate) fn made_of(
    call: &Call<'_>,
    kind: &str,
    action: &'static str,
    specifications: &[TagSpecification],
    keys: impl Fn(Ask) -> Ask,
) -> Vec<Ask> {
    let own = specifications.iter().filter(|one| one.resource_type.as_deref() == Some(kind));
    let tags: Vec<_> = own.flat_map(|one| &one.tags).map(|tag| (&tag.key, &tag.value)).collect();
    let ask = || {
        let ask = Ask::to(call.arn("ec2", &format!("{kind}/*"))).key("ec2:Region", call.region);
        keys(ask.requesting(tags.iter().copied()))
    };
    let tagging = || ask().action("ec2:CreateTags").key("ec2:CreateAction", action);
    if tags.is_empty() { vec![ask()] } else { vec![ask(), tagging()] }
}

/// About the group named by id, or by name in the default VPC.
pub(crate) fn group(call: &Call<'_>, state: Reads<'_>, id: Option<&str>, name: Option<&str>) -> Result<Ask, Fault> {
    let (None, Some(name)) = (id, name) else { return ask::<SecurityGroup>(call, state, id) };
    match named_group(call, state, name)? {
        Some(group) => Ok(of(call, &group)),
        None => ask::<SecurityGroup>(call, state, None),
    }
}

/// The group of that name in the default VPC.
pub(crate) fn named_group(call: &Call<'_>, state: Reads<'_>, name: &str) -> Result<Option<SecurityGroup>, RecordError> {
    let default = state.records::<Vpc>(&call.scope)?.into_iter().find(|vpc| vpc.is_default).map(|vpc| vpc.vpc_id);
    let mut groups = state.records::<SecurityGroup>(&call.scope)?.into_iter();
    Ok(groups.find(|group| group.group_name == name && Some(&group.vpc_id) == default.as_ref()))
}
