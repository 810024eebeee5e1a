use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::records::PolicyVersion;
use crate::shapes;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicyVersion.html>
#[derive(Shape)]
pub(super) struct CreatePolicyVersion {
    policy_arn: String,
    policy_document: String,
    set_as_default: Option<bool>,
}

const LIMIT: usize = 5;

#[derive(Shape)]
pub(super) struct Output {
    policy_version: shapes::PolicyVersion,
}

impl Command for CreatePolicyVersion {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::policy(call, state, &self.policy_arn)?])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Output, Fault> {
        let mut policy = find::own_policy(Reads::of(txn), &call.scope, &self.policy_arn)?;
        find::document(&self.policy_document, find::Place::Managed)?;
        if policy.versions.len() >= LIMIT {
            let message = format!(
                "A managed policy can have up to {LIMIT} versions. Before you create a new version, you must delete an \
                 existing version."
            );
            return Err(Fault::client("LimitExceeded", 409, message));
        }
        policy.last_version += 1;
        let version = PolicyVersion {
            number: policy.last_version,
            document: self.policy_document,
            created: call.now.as_second(),
        };
        policy.versions.push(version.clone());
        if self.set_as_default.unwrap_or_default() {
            policy.default_version = version.number;
        }
        policy.updated = call.now.as_second();
        txn.put_record(&call.scope, &policy)?;
        Ok(Output { policy_version: shapes::PolicyVersion::of(&version, &policy, false) })
    }
}
