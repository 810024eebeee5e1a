//! What an account finds in a Region on first use: the default VPC.

use std::net::Ipv4Addr;

use eksile_aws::{Fault, Mint, SystemMint};
use eksile_store::{Scope, Txn};

use crate::block::Block;
use crate::records::{InternetGateway, Route, RouteTable, RouteTarget, Subnet, Tags, Vpc};
use crate::{vpcs, zones};

/// Makes the default VPC of a scope: 172.31.0.0/16, a /20 subnet per Zone, and a way to the internet
/// (VPC user guide, "Default VPC components"). Does nothing where there is one already.
///
/// # Errors
/// The store refused.
pub fn seed(txn: &mut Txn<'_>, scope: &Scope) -> Result<(), Fault> {
    let mint = &SystemMint;
    if txn.records::<Vpc>(scope)?.iter().any(|vpc| vpc.is_default) {
        return Ok(());
    }
    let block = Block::around(Ipv4Addr::new(172, 31, 0, 0), 16);
    let vpc = vpcs::make(txn, scope, mint, block, true, Tags::new())?;
    for (zone, index) in zones::zones(&scope.region).into_iter().zip(0..) {
        let Some(part) = block.part(20, index) else { break };
        let subnet = Subnet {
            subnet_id: mint.id("subnet"),
            vpc_id: vpc.vpc_id.clone(),
            cidr_block: part.to_string(),
            availability_zone: zone.name,
            availability_zone_id: zone.id,
            outpost_arn: None,
            map_public_ip_on_launch: true,
            default_for_az: true,
            tags: Tags::new(),
        };
        txn.put_record(scope, &subnet)?;
    }
    let gateway =
        InternetGateway { internet_gateway_id: mint.id("igw"), vpc_id: Some(vpc.vpc_id.clone()), tags: Tags::new() };
    txn.put_record(scope, &gateway)?;
    let main = txn.records::<RouteTable>(scope)?.into_iter().find(|table| table.vpc_id == vpc.vpc_id);
    if let Some(mut main) = main {
        let target = RouteTarget::InternetGateway(gateway.internet_gateway_id);
        main.routes.push(Route { destination_cidr_block: Block::ALL.to_string(), target });
        txn.put_record(scope, &main)?;
    }
    Ok(())
}
