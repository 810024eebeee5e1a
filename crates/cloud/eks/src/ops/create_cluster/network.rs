//! What a request says of the network, in the light of the subnets that exist by now.

use eksile_aws::{Fault, Reads};
use eksile_ec2::block::Block;
use eksile_ec2::records::{Subnet, Vpc};
use eksile_store::Scope;

use super::CreateCluster;
use crate::fault::invalid_parameter;
use crate::service_block;

/// The VPC and the service block.
#[derive(Debug)]
pub(super) struct Networking {
    /// Of the first subnet that exists: a missing one shows as health later.
    pub(super) vpc_id: Option<String>,
    pub(super) service_block: Block,
}

/// Finds both.
pub(super) fn networking(reads: Reads<'_>, scope: &Scope, request: &CreateCluster) -> Result<Networking, Fault> {
    let mut vpc = None;
    for id in &request.resources_vpc_config.subnet_ids {
        if let Some(subnet) = reads.record::<Subnet>(scope, id)? {
            vpc = reads.record::<Vpc>(scope, &subnet.vpc_id)?;
            break;
        }
    }
    let block = vpc.as_ref().and_then(|vpc| vpc.cidr_block.parse().ok());
    let asked = request.kubernetes_network_config.as_ref().and_then(|config| config.service_ipv4_cidr.as_deref());
    let service_block = match asked {
        Some(text) => service_block::chosen(text, block).map_err(|unfit| invalid_parameter(unfit.to_string()))?,
        None => service_block::default_for(block),
    };
    Ok(Networking { vpc_id: vpc.map(|vpc| vpc.vpc_id), service_block })
}
