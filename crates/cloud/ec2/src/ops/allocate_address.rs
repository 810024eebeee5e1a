use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use eksile_aws::inputs::{TagSpecification, specified_tags};
use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use super::release_address::border_group;
use crate::asked;
use crate::block::Block;
use crate::records::Address;
use crate::resource::invalid_value;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AllocateAddress.html>
#[derive(Shape)]
pub(super) struct AllocateAddress {
    domain: Option<String>,
    #[shape(input = "TagSpecification")]
    tag_specifications: Vec<TagSpecification>,
    network_border_group: Option<String>,
}

/// The address.
#[derive(Shape)]
pub(super) struct Output {
    public_ip: String,
    allocation_id: String,
    public_ipv4_pool: String,
    network_border_group: String,
    domain: String,
}

/// The fabric's public range: one pool for all accounts and Regions, as the internet is one.
fn pool() -> Block {
    Block::around(Ipv4Addr::new(198, 19, 0, 0), 16)
}

fn lowest_free(txn: &Txn<'_>) -> Result<Ipv4Addr, Fault> {
    let taken: BTreeSet<String> = txn.all_records::<Address>()?.into_iter().map(|(_, a)| a.public_ip).collect();
    let mut candidates = (1..65_535).filter_map(|n| pool().nth(n));
    let free = candidates.find(|address| !taken.contains(&address.to_string()));
    free.ok_or_else(|| Fault::client("AddressLimitExceeded", 400, "The maximum number of addresses has been reached."))
}

impl Command for AllocateAddress {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(asked::made::<Address>(call, "AllocateAddress", &self.tag_specifications, |ask| {
            ask.key("ec2:Domain", "vpc")
        }))
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Output, Fault> {
        if let Some(other) = self.domain.filter(|domain| domain != "vpc") {
            return Err(invalid_value(format!("Invalid value '{other}' for domain.")));
        }
        border_group(call, self.network_border_group.as_deref())?;
        let address = Address {
            allocation_id: call.id("eipalloc"),
            public_ip: lowest_free(txn)?.to_string(),
            association_id: None,
            network_interface_id: None,
            tags: specified_tags(&self.tag_specifications, "elastic-ip")?,
        };
        txn.put_record(&call.scope, &address)?;
        Ok(Output {
            public_ip: address.public_ip,
            allocation_id: address.allocation_id,
            public_ipv4_pool: "amazon".to_owned(),
            network_border_group: call.region.to_owned(),
            domain: "vpc".to_owned(),
        })
    }
}
