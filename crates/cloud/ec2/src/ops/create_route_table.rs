use eksile_aws::inputs::{TagSpecification, specified_tags};
use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::asked;
use crate::records::{RouteTable, Vpc};
use crate::resource::find;
use crate::shown::RouteTableShown;
use crate::vpcs;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateRouteTable.html>
#[derive(Shape)]
pub(super) struct CreateRouteTable {
    vpc_id: String,
    client_token: Option<String>,
    #[shape(input = "TagSpecification")]
    tag_specifications: Vec<TagSpecification>,
}

/// The table.
#[derive(Shape)]
pub(super) struct Output {
    route_table: RouteTableShown,
    client_token: Option<String>,
}

impl Command for CreateRouteTable {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        let mut asks = asked::made::<RouteTable>(call, "CreateRouteTable", &self.tag_specifications, |ask| {
            ask.key("ec2:Vpc", asked::arn::<Vpc>(call, Some(&self.vpc_id)))
        });
        asks.push(asked::ask::<Vpc>(call, state, Some(&self.vpc_id))?);
        Ok(asks)
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Output, Fault> {
        let vpc: Vpc = find(Reads::of(txn), &call.scope, &self.vpc_id)?;
        let tags = specified_tags(&self.tag_specifications, "route-table")?;
        let table = RouteTable { tags, ..vpcs::route_table(&vpc, call.mint) };
        txn.put_record(&call.scope, &table)?;
        let route_table = RouteTableShown::of(call, &table, |_| true);
        Ok(Output { route_table, client_token: self.client_token })
    }
}
