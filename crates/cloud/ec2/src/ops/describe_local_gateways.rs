use eksile_aws::inputs::{Filter, Tag, filtered};
use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape, filters};
use eksile_outposts::records::Outpost;
use eksile_store::View;

/// Every Outpost has one.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeLocalGateways.html>
#[derive(Shape)]
pub(super) struct DescribeLocalGateways {
    #[shape(input = "LocalGatewayId")]
    local_gateway_ids: Vec<String>,
    #[shape(input = "Filter")]
    filters: Vec<Filter>,
}

/// Gateways in the order of their Outposts' ids.
#[derive(Shape)]
pub(super) struct Output {
    local_gateway_set: Vec<LocalGatewayShown>,
}

/// `LocalGateway` of the EC2 API.
#[derive(Shape)]
pub(super) struct LocalGatewayShown {
    local_gateway_id: String,
    outpost_arn: String,
    owner_id: String,
    state: String,
    tag_set: Vec<Tag>,
}

impl From<Outpost> for LocalGatewayShown {
    fn from(outpost: Outpost) -> Self {
        Self {
            local_gateway_id: outpost.local_gateway_id,
            outpost_arn: outpost.outpost_arn,
            owner_id: outpost.owner_id,
            state: "available".to_owned(),
            tag_set: Vec::new(),
        }
    }
}

filters! {
    const NAMES, fn values(gateway: &LocalGatewayShown) {
        "local-gateway-id" => gateway.local_gateway_id.clone(),
        "outpost-arn" => gateway.outpost_arn.clone(),
        "owner-id" => gateway.owner_id.clone(),
        "state" => gateway.state.clone(),
    }
}

impl Lookup for DescribeLocalGateways {
    type Output = Output;

    fn asks(&self, _call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![Ask::any()])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let ids = &self.local_gateway_ids;
        let outposts = view.records::<Outpost>(&call.scope)?;
        if let Some(missing) = ids.iter().find(|id| !outposts.iter().any(|outpost| outpost.local_gateway_id == **id)) {
            let message = format!("The localGateway ID '{missing}' does not exist");
            return Err(Fault::client("InvalidLocalGatewayID.NotFound", 400, message));
        }
        let wanted = outposts.into_iter().filter(|outpost| ids.is_empty() || ids.contains(&outpost.local_gateway_id));
        let shown = wanted.map(LocalGatewayShown::from).collect();
        Ok(Output { local_gateway_set: filtered(shown, &self.filters, |name| NAMES.contains(&name), values)? })
    }
}
