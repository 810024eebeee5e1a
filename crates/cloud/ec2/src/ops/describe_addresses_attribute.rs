use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::asked;
use crate::records::Address;
use crate::resource::{invalid_value, select};

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeAddressesAttribute.html>
#[derive(Shape)]
pub(super) struct DescribeAddressesAttribute {
    #[shape(input = "AllocationId")]
    allocation_ids: Vec<String>,
    attribute: Option<String>,
}

/// Addresses by allocation id.
#[derive(Shape)]
pub(super) struct Output {
    address_set: Vec<AttributeShown>,
}

/// `AddressAttribute` of the EC2 API, without the members of a reverse DNS name: no address has one, as
/// `ModifyAddressAttribute` is not built.
#[derive(Shape)]
pub(super) struct AttributeShown {
    public_ip: String,
    allocation_id: String,
}

impl Lookup for DescribeAddressesAttribute {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        asked::each::<Address>(call, state, &self.allocation_ids)
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        if let Some(other) = self.attribute.filter(|attribute| attribute != "domain-name") {
            let message = format!("Value ({other}) for parameter attribute is invalid. It can be domain-name.");
            return Err(invalid_value(message));
        }
        let none = |_: &Address, _: &str| None;
        let addresses = select(Reads::of(view), &call.scope, &self.allocation_ids, &[], &[], none)?;
        let shown =
            |address: Address| AttributeShown { public_ip: address.public_ip, allocation_id: address.allocation_id };
        Ok(Output { address_set: addresses.into_iter().map(shown).collect() })
    }
}
