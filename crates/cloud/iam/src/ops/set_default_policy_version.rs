use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::shapes;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_SetDefaultPolicyVersion.html>
#[derive(Shape)]
pub(super) struct SetDefaultPolicyVersion {
    policy_arn: String,
    version_id: String,
}

impl Command for SetDefaultPolicyVersion {
    type Output = shapes::Nothing;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::policy(call, state, &self.policy_arn)?])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<shapes::Nothing, Fault> {
        let mut policy = find::own_policy(Reads::of(txn), &call.scope, &self.policy_arn)?;
        policy.default_version = find::version(&policy, &self.policy_arn, &self.version_id)?.number;
        policy.updated = call.now.as_second();
        txn.put_record(&call.scope, &policy)?;
        Ok(shapes::Nothing {})
    }
}
