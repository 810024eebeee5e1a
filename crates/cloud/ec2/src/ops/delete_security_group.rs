use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use super::group_rules::group;
use crate::asked;
use crate::records::{NetworkInterface, Peer, SecurityGroup};

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSecurityGroup.html>
#[derive(Shape)]
pub(super) struct DeleteSecurityGroup {
    group_id: Option<String>,
    group_name: Option<String>,
}

/// Which.
#[derive(Shape)]
pub(super) struct Output {
    #[shape(name = "return")]
    done: bool,
    group_id: String,
}

impl Command for DeleteSecurityGroup {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::group(call, state, self.group_id.as_deref(), self.group_name.as_deref())?])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Output, Fault> {
        let group = group(call, txn, self.group_id.as_deref(), self.group_name.as_deref())?;
        let id = group.group_id;
        if group.group_name == "default" {
            let message = format!("the specified group: \"{id}\" name: \"default\" cannot be deleted by a user");
            return Err(Fault::client("CannotDelete", 400, message));
        }
        if is_used(call, txn, &id)? {
            let message = format!("resource {id} has a dependent object");
            return Err(Fault::client("DependencyViolation", 400, message));
        }
        txn.delete_record::<SecurityGroup>(&call.scope, &id);
        Ok(Output { done: true, group_id: id })
    }
}

/// By an interface, or by another group's rule.
fn is_used(call: &Call<'_>, txn: &Txn<'_>, id: &String) -> Result<bool, Fault> {
    let names = |group: &SecurityGroup| {
        let peer = Peer::Group(id.clone());
        group.group_id != *id && group.ingress.iter().chain(&group.egress).any(|rule| rule.peer == peer)
    };
    Ok(txn.records::<NetworkInterface>(&call.scope)?.iter().any(|interface| interface.groups.contains(id))
        || txn.records::<SecurityGroup>(&call.scope)?.iter().any(names))
}
