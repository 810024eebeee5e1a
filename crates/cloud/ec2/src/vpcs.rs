//! A VPC with what comes with it: a main route table and a default security group (VPC user guide, "VPC basics").

use eksile_aws::{Fault, Mint};
use eksile_store::{Scope, Txn};

use crate::block::Block;
use crate::records::{Peer, Route, RouteTable, RouteTarget, Rule, SecurityGroup, Tags, Vpc};

/// Makes a VPC.
///
/// # Errors
/// The store refused.
pub(crate) fn make(
    txn: &mut Txn<'_>,
    scope: &Scope,
    mint: &dyn Mint,
    block: Block,
    is_default: bool,
    tags: Tags,
) -> Result<Vpc, Fault> {
    // An account has one default set of DHCP options per Region.
    let options = txn.records::<Vpc>(scope)?.into_iter().next().map(|vpc| vpc.dhcp_options_id);
    let vpc = Vpc {
        vpc_id: mint.id("vpc"),
        cidr_block: block.to_string(),
        dhcp_options_id: options.unwrap_or_else(|| mint.id("dopt")),
        is_default,
        enable_dns_support: true,
        enable_dns_hostnames: is_default,
        tags,
    };
    txn.put_record(scope, &vpc)?;
    txn.put_record(scope, &main_route_table(&vpc, mint))?;
    txn.put_record(scope, &default_group(&vpc, mint))?;
    Ok(vpc)
}

fn main_route_table(vpc: &Vpc, mint: &dyn Mint) -> RouteTable {
    RouteTable { main_association_id: Some(mint.id("rtbassoc")), ..route_table(vpc, mint) }
}

/// A table with the VPC's local route.
pub(crate) fn route_table(vpc: &Vpc, mint: &dyn Mint) -> RouteTable {
    let local = Route { destination_cidr_block: vpc.cidr_block.clone(), target: RouteTarget::Local };
    RouteTable {
        route_table_id: mint.id("rtb"),
        vpc_id: vpc.vpc_id.clone(),
        main_association_id: None,
        associations: Vec::new(),
        routes: vec![local],
        tags: Tags::new(),
    }
}

fn default_group(vpc: &Vpc, mint: &dyn Mint) -> SecurityGroup {
    let group_id = mint.id("sg");
    SecurityGroup {
        ingress: vec![all_traffic(Peer::Group(group_id.clone()), mint)],
        egress: vec![all_traffic(Peer::Cidr("0.0.0.0/0".to_owned()), mint)],
        group_id,
        group_name: "default".to_owned(),
        description: "default VPC security group".to_owned(),
        vpc_id: vpc.vpc_id.clone(),
        tags: Tags::new(),
    }
}

/// The rule that a new group has for what goes out.
pub(crate) fn all_traffic(peer: Peer, mint: &dyn Mint) -> Rule {
    let rule_id = mint.id("sgr");
    Rule { rule_id, ip_protocol: "-1".to_owned(), from_port: None, to_port: None, peer, description: None }
}
