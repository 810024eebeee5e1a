use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::asked;
use crate::records::Subnet;
use crate::resource::{find, missing};
use crate::shown::{AttributeBooleanValue, Done};

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifySubnetAttribute.html>
#[derive(Shape)]
pub(super) struct ModifySubnetAttribute {
    subnet_id: String,
    map_public_ip_on_launch: Option<AttributeBooleanValue>,
    assign_ipv6_address_on_creation: Option<AttributeBooleanValue>,
    map_customer_owned_ip_on_launch: Option<AttributeBooleanValue>,
    enable_dns64: Option<AttributeBooleanValue>,
    private_dns_hostname_type_on_launch: Option<String>,
    enable_resource_name_dns_a_record_on_launch: Option<AttributeBooleanValue>,
}

impl Command for ModifySubnetAttribute {
    type Output = Done;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::ask::<Subnet>(call, state, Some(&self.subnet_id))?])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Done, Fault> {
        let mut subnet: Subnet = find(Reads::of(txn), &call.scope, &self.subnet_id)?;
        let mut given = self.stays_off()?;
        if let Some(attribute) = self.map_public_ip_on_launch {
            subnet.map_public_ip_on_launch = attribute.value.ok_or_else(|| missing("value"))?;
            given = true;
        }
        if !given {
            return Err(missing("attribute"));
        }
        txn.put_record(&call.scope, &subnet)?;
        Ok(Done::TRUE)
    }
}

impl ModifySubnetAttribute {
    /// Whether attributes were given that can only be what they are: switching them on is not built.
    fn stays_off(&self) -> Result<bool, Fault> {
        let attributes = [
            ("AssignIpv6AddressOnCreation", self.assign_ipv6_address_on_creation),
            ("MapCustomerOwnedIpOnLaunch", self.map_customer_owned_ip_on_launch),
            ("EnableDns64", self.enable_dns64),
            ("EnableResourceNameDnsARecordOnLaunch", self.enable_resource_name_dns_a_record_on_launch),
        ];
        if let Some((name, _)) = attributes.iter().find(|(_, a)| a.is_some_and(|a| a.value == Some(true))) {
            return Err(Fault::not_implemented(name));
        }
        let hostname = self.private_dns_hostname_type_on_launch.as_deref();
        if hostname.is_some_and(|kind| kind != "ip-name") {
            return Err(Fault::not_implemented("PrivateDnsHostnameTypeOnLaunch other than ip-name"));
        }
        Ok(hostname.is_some() || attributes.iter().any(|(_, a)| a.is_some()))
    }
}
