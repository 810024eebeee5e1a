use std::collections::BTreeMap;

use eksile_aws::inputs::Filter;
use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape, filters};
use eksile_store::View;

use crate::records::{Address, NatGateway, NetworkInterface};
use crate::resource::select;
use crate::shown::NatGatewayShown;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNatGateways.html>
#[derive(Shape)]
pub(super) struct DescribeNatGateways {
    #[shape(input = "NatGatewayId")]
    nat_gateway_ids: Vec<String>,
    filter: Vec<Filter>,
}

/// Gateways by id.
#[derive(Shape)]
pub(super) struct Output {
    nat_gateway_set: Vec<NatGatewayShown>,
}

filters! {
    const NAMES, fn values(gateway: &NatGateway) {
        "nat-gateway-id" => gateway.nat_gateway_id.clone(),
        "subnet-id" => gateway.subnet_id.clone(),
        "vpc-id" => gateway.vpc_id.clone(),
        "state" => gateway.state.name().to_owned(),
    }
}

impl Lookup for DescribeNatGateways {
    type Output = Output;

    fn asks(&self, _call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![Ask::any()])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let gateways = select(Reads::of(view), &call.scope, &self.nat_gateway_ids, &self.filter, NAMES, values)?;
        let interfaces = view.records::<NetworkInterface>(&call.scope)?;
        let interfaces: BTreeMap<_, _> = interfaces.iter().map(|i| (&i.network_interface_id, i)).collect();
        let addresses = view.records::<Address>(&call.scope)?;
        let shown = gateways.iter().map(|gateway| {
            let id = &gateway.network_interface_id;
            let address = addresses.iter().find(|address| address.network_interface_id.as_ref() == Some(id));
            NatGatewayShown::of(gateway, interfaces.get(id).copied(), address)
        });
        Ok(Output { nat_gateway_set: shown.collect() })
    }
}
