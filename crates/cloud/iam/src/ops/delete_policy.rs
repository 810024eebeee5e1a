use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::records::Policy;
use crate::shapes;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicy.html>
#[derive(Shape)]
pub(super) struct DeletePolicy {
    policy_arn: String,
}

impl Command for DeletePolicy {
    type Output = shapes::Nothing;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::policy(call, state, &self.policy_arn)?])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<shapes::Nothing, Fault> {
        let state = Reads::of(txn);
        let policy = find::own_policy(state, &call.scope, &self.policy_arn)?;
        if shapes::uses(&self.policy_arn, call, state)? != (0, 0) {
            return Err(Fault::client("DeleteConflict", 409, "Cannot delete a policy attached to entities."));
        }
        if policy.versions.len() > 1 {
            let message = "This policy has more than one version. Before you delete a policy, you must delete the \
                           policy's versions. The default version is deleted with the policy.";
            return Err(Fault::client("DeleteConflict", 409, message));
        }
        txn.delete_record::<Policy>(&call.scope, &policy.name);
        Ok(shapes::Nothing {})
    }
}
