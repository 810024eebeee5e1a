use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::asked;
use crate::records::{NetworkInterface, RouteTable, Subnet};
use crate::resource::{dependency_violation, find};
use crate::shown::Done;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSubnet.html>
#[derive(Shape)]
pub(super) struct DeleteSubnet {
    subnet_id: String,
}

impl Command for DeleteSubnet {
    type Output = Done;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::ask::<Subnet>(call, state, Some(&self.subnet_id))?])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Done, Fault> {
        let subnet: Subnet = find(Reads::of(txn), &call.scope, &self.subnet_id)?;
        let interfaces = txn.records::<NetworkInterface>(&call.scope)?;
        if interfaces.iter().any(|interface| interface.subnet_id == subnet.subnet_id) {
            return Err(dependency_violation("subnet", &subnet.subnet_id));
        }
        for mut table in txn.records::<RouteTable>(&call.scope)? {
            let before = table.associations.len();
            table.associations.retain(|association| association.subnet_id != subnet.subnet_id);
            if table.associations.len() != before {
                txn.put_record(&call.scope, &table)?;
            }
        }
        txn.delete_record::<Subnet>(&call.scope, &subnet.subnet_id);
        Ok(Done::TRUE)
    }
}
