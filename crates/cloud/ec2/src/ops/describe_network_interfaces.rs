use eksile_aws::inputs::Filter;
use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::network::Network;
use crate::records::{Address, NetworkInterface};
use crate::resource::select;
use crate::shown::{INTERFACE_FILTERS, InterfaceShown, interface_values};

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNetworkInterfaces.html>
#[derive(Shape)]
pub(super) struct DescribeNetworkInterfaces {
    #[shape(input = "NetworkInterfaceId")]
    network_interface_ids: Vec<String>,
    #[shape(input = "Filter")]
    filters: Vec<Filter>,
    /// Changes nothing: no AWS service here keeps any out of lists.
    include_managed_resources: Option<bool>,
}

/// Interfaces by id.
#[derive(Shape)]
pub(super) struct Output {
    network_interface_set: Vec<InterfaceShown>,
}

impl Lookup for DescribeNetworkInterfaces {
    type Output = Output;

    fn asks(&self, _call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![Ask::any()])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let network = Network::read(Reads::of(view), &call.scope)?;
        let addresses = view.records::<Address>(&call.scope)?;
        let public = |interface: &NetworkInterface| {
            addresses.iter().find(|a| a.network_interface_id.as_ref() == Some(&interface.network_interface_id))
        };
        let values = |interface: &NetworkInterface, name: &str| {
            interface_values(call, interface, &network, public(interface), name)
        };
        let Self { network_interface_ids: ids, filters, .. } = self;
        let interfaces = select(Reads::of(view), &call.scope, &ids, &filters, INTERFACE_FILTERS, values)?;
        let shown = interfaces.iter().map(|i| InterfaceShown::of(call, i, &network, public(i)));
        Ok(Output { network_interface_set: shown.collect() })
    }
}
