use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::managed::Managed;
use crate::shapes;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListPolicyVersions.html>
#[derive(Shape)]
pub(super) struct ListPolicyVersions {
    policy_arn: String,
}

#[derive(Shape)]
pub(super) struct Output {
    versions: Vec<shapes::PolicyVersion>,
}

impl Lookup for ListPolicyVersions {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::policy(call, state, &self.policy_arn)?])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let versions = match Managed::by_arn(&self.policy_arn) {
            Some(managed) => vec![shapes::PolicyVersion::managed(managed, false)],
            None => {
                let policy = find::policy(Reads::of(view), &call.scope, &self.policy_arn)?;
                let newest_first = policy.versions.iter().rev();
                newest_first.map(|version| shapes::PolicyVersion::of(version, &policy, false)).collect()
            }
        };
        Ok(Output { versions })
    }
}
