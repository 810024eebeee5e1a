use std::collections::BTreeMap;

use eksile_aws::inputs::Filter;
use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape, filters};
use eksile_store::View;

use crate::records::{Address, NetworkInterface};
use crate::resource::select;
use crate::shown::AddressShown;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeAddresses.html>
#[derive(Shape)]
pub(super) struct DescribeAddresses {
    #[shape(input = "AllocationId")]
    allocation_ids: Vec<String>,
    #[shape(input = "PublicIp")]
    public_ips: Vec<String>,
    #[shape(input = "Filter")]
    filters: Vec<Filter>,
}

/// Addresses by allocation id.
#[derive(Shape)]
pub(super) struct Output {
    addresses_set: Vec<AddressShown>,
}

filters! {
    const NAMES, fn values(address: &Address, interface: Option<&NetworkInterface>) {
        "allocation-id" => address.allocation_id.clone(),
        "public-ip" => address.public_ip.clone(),
        "domain" => "vpc",
        "association-id" => address.association_id.clone(),
        "network-interface-id" => address.network_interface_id.clone(),
        "private-ip-address" => interface.map(|interface| interface.private_ip.clone()),
        "instance-id" => interface.and_then(|i| i.attachment.as_ref()).map(|attachment| attachment.instance_id.clone()),
    }
}

impl Lookup for DescribeAddresses {
    type Output = Output;

    fn asks(&self, _call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![Ask::any()])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let interfaces = view.records::<NetworkInterface>(&call.scope)?;
        let interfaces: BTreeMap<_, _> = interfaces.iter().map(|i| (&i.network_interface_id, i)).collect();
        let held = |address: &Address| address.network_interface_id.as_ref().and_then(|id| interfaces.get(id).copied());
        let Self { allocation_ids, public_ips, filters } = self;
        let mut addresses =
            select(Reads::of(view), &call.scope, &allocation_ids, &filters, NAMES, |address: &Address, name| {
                values(address, held(address), name)
            })?;
        // Among all of them: an address that a filter leaves out is there nonetheless.
        let known = view.records::<Address>(&call.scope)?;
        if let Some(missing) = public_ips.iter().find(|ip| !known.iter().any(|a| a.public_ip == **ip)) {
            return Err(Fault::client("InvalidAddress.NotFound", 400, format!("Address '{missing}' not found.")));
        }
        addresses.retain(|address| public_ips.is_empty() || public_ips.contains(&address.public_ip));
        Ok(Output { addresses_set: addresses.iter().map(|a| AddressShown::of(call, a, held(a))).collect() })
    }
}
