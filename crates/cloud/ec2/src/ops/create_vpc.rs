use eksile_aws::inputs::{TagSpecification, specified_tags};
use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::asked;
use crate::block::Block;
use crate::records::Vpc;
use crate::resource::{invalid_value, missing};
use crate::shown::VpcShown;
use crate::vpcs;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpc.html>
#[derive(Shape)]
pub(super) struct CreateVpc {
    cidr_block: Option<String>,
    instance_tenancy: Option<String>,
    #[shape(input = "TagSpecification")]
    tag_specifications: Vec<TagSpecification>,
}

/// The VPC.
#[derive(Shape)]
pub(super) struct Output {
    vpc: VpcShown,
}

/// A block of a VPC or subnet: /16 to /28.
pub(super) fn network_block(text: &str, out_of_range: &'static str) -> Result<Block, Fault> {
    let message = || format!("Value ({text}) for parameter cidrBlock is invalid. This is not a valid CIDR block.");
    let block: Block = text.parse().map_err(|_| invalid_value(message()))?;
    if (16..=28).contains(&block.prefix()) {
        return Ok(block);
    }
    Err(Fault::client(out_of_range, 400, format!("The CIDR '{text}' is invalid.")))
}

/// This host's own addresses, loopback, link-local and multicast are no VPC's.
/// <https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html>
fn refuse_reserved(block: Block) -> Result<(), Fault> {
    let reserved = [([0, 0, 0, 0], 8), ([127, 0, 0, 0], 8), ([169, 254, 0, 0], 16), ([224, 0, 0, 0], 4)];
    if reserved.iter().any(|(first, prefix)| Block::around((*first).into(), *prefix).overlaps(block)) {
        return Err(Fault::client("InvalidVpc.Range", 400, format!("The CIDR '{block}' is invalid.")));
    }
    Ok(())
}

impl Command for CreateVpc {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(asked::made::<Vpc>(call, "CreateVpc", &self.tag_specifications, |ask| {
            ask.key("ec2:Tenancy", self.instance_tenancy.as_deref().unwrap_or("default"))
        }))
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Output, Fault> {
        match self.instance_tenancy.as_deref() {
            None | Some("default") => {}
            Some("dedicated") => return Err(Fault::not_implemented("InstanceTenancy=dedicated")),
            Some(other) => return Err(invalid_value(format!("Invalid value '{other}' for instanceTenancy"))),
        }
        let text = self.cidr_block.ok_or_else(|| missing("cidrBlock"))?;
        let block = network_block(&text, "InvalidVpc.Range")?;
        refuse_reserved(block)?;
        let tags = specified_tags(&self.tag_specifications, "vpc")?;
        let vpc = vpcs::make(txn, &call.scope, call.mint, block, false, tags)?;
        Ok(Output { vpc: VpcShown::of(call, &vpc) })
    }
}
