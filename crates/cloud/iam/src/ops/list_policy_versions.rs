use eksile_aws::{Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::find;
use crate::managed::Managed;
use crate::shapes;

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

    fn resources(&self, _call: &Call<'_>, _state: Reads<'_>) -> Vec<String> {
        vec![self.policy_arn.clone()]
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
