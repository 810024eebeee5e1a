use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::managed::Managed;
use crate::shapes;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetPolicyVersion.html>
#[derive(Shape)]
pub(super) struct GetPolicyVersion {
    policy_arn: String,
    version_id: String,
}

#[derive(Shape)]
pub(super) struct Output {
    policy_version: shapes::PolicyVersion,
}

impl Lookup for GetPolicyVersion {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::policy(call, state, &self.policy_arn)?])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let policy_version = match Managed::by_arn(&self.policy_arn) {
            Some(managed) if self.version_id == "v1" => shapes::PolicyVersion::managed(managed, true),
            Some(_) => return Err(find::no_version(&self.policy_arn, &self.version_id)),
            None => {
                let policy = find::policy(Reads::of(view), &call.scope, &self.policy_arn)?;
                let version = find::version(&policy, &self.policy_arn, &self.version_id)?;
                shapes::PolicyVersion::of(version, &policy, true)
            }
        };
        Ok(Output { policy_version })
    }
}
