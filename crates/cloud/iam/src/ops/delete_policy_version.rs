use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::shapes;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicyVersion.html>
#[derive(Shape)]
pub(super) struct DeletePolicyVersion {
    policy_arn: String,
    version_id: String,
}

impl Command for DeletePolicyVersion {
    type Output = shapes::Nothing;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::policy(call, state, &self.policy_arn)?])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<shapes::Nothing, Fault> {
        let mut policy = find::own_policy(Reads::of(txn), &call.scope, &self.policy_arn)?;
        let number = find::version(&policy, &self.policy_arn, &self.version_id)?.number;
        if number == policy.default_version {
            return Err(Fault::client("DeleteConflict", 409, "Cannot delete the default version of a policy."));
        }
        policy.versions.retain(|version| version.number != number);
        policy.updated = call.now.as_second();
        txn.put_record(&call.scope, &policy)?;
        Ok(shapes::Nothing {})
    }
}
