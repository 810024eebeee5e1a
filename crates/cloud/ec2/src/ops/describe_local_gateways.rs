use eksile_aws::{Call, Fault, Lookup, Shape};
use eksile_outposts::records::Outpost;
use eksile_store::View;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeLocalGateways.html>
#[derive(Shape)]
pub(super) struct DescribeLocalGateways {
    #[shape(input = "LocalGatewayId")]
    local_gateway_ids: Vec<String>,
}

/// Gateways by id.
#[derive(Shape)]
pub(super) struct Output {
    local_gateway_set: Vec<LocalGatewayShown>,
}

/// An Outpost's way to the network beside it.
#[derive(Shape)]
pub(super) struct LocalGatewayShown {
    local_gateway_id: String,
    outpost_arn: String,
    owner_id: String,
    state: String,
}

impl Lookup for DescribeLocalGateways {
    type Output = Output;

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let outposts: Vec<Outpost> = view.records(&call.scope)?;
        for id in &self.local_gateway_ids {
            if !outposts.iter().any(|outpost| outpost.local_gateway_id == *id) {
                let message = format!("The local gateway ID '{id}' does not exist");
                return Err(Fault::client("InvalidLocalGatewayID.NotFound", 400, message));
            }
        }
        let asked = |outpost: &Outpost| {
            self.local_gateway_ids.is_empty() || self.local_gateway_ids.contains(&outpost.local_gateway_id)
        };
        let shown = outposts.into_iter().filter(asked).map(|outpost| LocalGatewayShown {
            local_gateway_id: outpost.local_gateway_id,
            outpost_arn: outpost.outpost_arn,
            owner_id: outpost.owner_id,
            state: "available".to_owned(),
        });
        Ok(Output { local_gateway_set: shown.collect() })
    }
}
