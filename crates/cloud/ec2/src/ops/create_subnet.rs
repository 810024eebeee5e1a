use eksile_aws::inputs::{TagSpecification, specified_tags};
use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_outposts::records::Outpost;
use eksile_store::Txn;

use super::create_vpc::network_block;
use crate::asked;
use crate::block::Block;
use crate::records::{Subnet, Vpc};
use crate::resource::{find, invalid_value, missing};
use crate::shown::SubnetShown;
use crate::zones::{Zone, zones};

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSubnet.html>
#[derive(Shape)]
pub(super) struct CreateSubnet {
    vpc_id: String,
    cidr_block: Option<String>,
    availability_zone: Option<String>,
    availability_zone_id: Option<String>,
    outpost_arn: Option<String>,
    #[shape(input = "TagSpecification")]
    tag_specifications: Vec<TagSpecification>,
}

/// The subnet.
#[derive(Shape)]
pub(super) struct Output {
    subnet: SubnetShown,
}

impl Command for CreateSubnet {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        let keys = |ask: Ask| {
            let ask = ask.key("ec2:Vpc", asked::arn::<Vpc>(call, Some(&self.vpc_id)));
            ask.maybe("ec2:AvailabilityZone", self.availability_zone.as_deref())
        };
        let mut asks = asked::made::<Subnet>(call, "CreateSubnet", &self.tag_specifications, keys);
        asks.push(asked::ask::<Vpc>(call, state, Some(&self.vpc_id))?);
        Ok(asks)
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Output, Fault> {
        let vpc: Vpc = find(Reads::of(txn), &call.scope, &self.vpc_id)?;
        let text = self.cidr_block.as_deref().ok_or_else(|| missing("cidrBlock"))?;
        let block = self.free_block(call, txn, &vpc, text)?;
        let zone = self.zone(call, txn)?;
        let subnet = Subnet {
            subnet_id: call.id("subnet"),
            vpc_id: vpc.vpc_id,
            cidr_block: block.to_string(),
            availability_zone: zone.name,
            availability_zone_id: zone.id,
            outpost_arn: self.outpost_arn,
            map_public_ip_on_launch: false,
            default_for_az: false,
            tags: specified_tags(&self.tag_specifications, "subnet")?,
        };
        txn.put_record(&call.scope, &subnet)?;
        Ok(Output { subnet: SubnetShown::of(call, &subnet, &[]) })
    }
}

impl CreateSubnet {
    /// Inside of the VPC's block, and sharing no address with another subnet.
    fn free_block(&self, call: &Call<'_>, txn: &Txn<'_>, vpc: &Vpc, text: &str) -> Result<Block, Fault> {
        let block = network_block(text, "InvalidSubnet.Range")?;
        if !vpc.cidr_block.parse::<Block>().is_ok_and(|whole| whole.contains(block)) {
            return Err(Fault::client("InvalidSubnet.Range", 400, format!("The CIDR '{text}' is invalid.")));
        }
        let subnets = txn.records::<Subnet>(&call.scope)?;
        let mut others = subnets.iter().filter(|subnet| subnet.vpc_id == vpc.vpc_id);
        if others.any(|other| other.cidr_block.parse::<Block>().is_ok_and(|other| other.overlaps(block))) {
            let message = format!("The CIDR '{text}' conflicts with another subnet");
            return Err(Fault::client("InvalidSubnet.Conflict", 400, message));
        }
        Ok(block)
    }

    /// The Zone asked for, or the Region's first; for an Outpost its parent Zone, which must be named.
    fn zone(&self, call: &Call<'_>, txn: &Txn<'_>) -> Result<Zone, Fault> {
        let zones = zones(call.region);
        let (name, id) = (self.availability_zone.as_ref(), self.availability_zone_id.as_ref());
        let fits = |zone: &&Zone| name.is_none_or(|name| *name == zone.name) && id.is_none_or(|id| *id == zone.id);
        let zone = zones.iter().find(fits).cloned().ok_or_else(|| unknown_zone(name.or(id), &zones))?;
        let Some(arn) = &self.outpost_arn else { return Ok(zone) };
        if name.is_none() && id.is_none() {
            return Err(missing("availabilityZone"));
        }
        let outposts = txn.records::<Outpost>(&call.scope)?;
        let Some(outpost) = outposts.iter().find(|outpost| outpost.outpost_arn == *arn) else {
            let message = format!("Value ({arn}) for parameter outpostArn is invalid. The Outpost does not exist.");
            return Err(invalid_value(message));
        };
        if outpost.availability_zone != zone.name {
            let home = &outpost.availability_zone;
            let message =
                format!("Value ({}) for parameter availabilityZone is invalid. The Outpost is in {home}.", zone.name);
            return Err(invalid_value(message));
        }
        Ok(zone)
    }
}

fn unknown_zone(asked: Option<&String>, zones: &[Zone]) -> Fault {
    let names = zones.iter().map(|zone| zone.name.as_str()).collect::<Vec<_>>().join(", ");
    invalid_value(format!(
        "Value ({}) for parameter availabilityZone is invalid. Subnets can currently only be created in the following \
         availability zones: {names}.",
        asked.map_or("", String::as_str)
    ))
}
