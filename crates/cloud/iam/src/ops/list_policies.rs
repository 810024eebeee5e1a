use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::managed::Managed;
use crate::records::Policy;
use crate::shapes::{self, Usage};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListPolicies.html>
#[derive(Shape)]
pub(super) struct ListPolicies {
    scope: Option<Owner>,
    only_attached: Option<bool>,
    path_prefix: Option<String>,
    policy_usage_filter: Option<Usage>,
}

#[derive(Shape, PartialEq)]
enum Owner {
    All,
    #[shape(name = "AWS")]
    Aws,
    Local,
}

#[derive(Shape)]
pub(super) struct Output {
    policies: Vec<shapes::Policy>,
}

impl Lookup for ListPolicies {
    type Output = Output;

    /// Policies are listed by their paths, not by their ARNs.
    fn asks(&self, _call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![Ask::any()])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let state = Reads::of(view);
        let owner = self.scope.unwrap_or(Owner::All);
        let mut policies = Vec::new();
        if owner != Owner::Aws {
            for policy in state.records::<Policy>(&call.scope)? {
                policies.push(shapes::Policy::of(&policy, call, state)?);
            }
        }
        if owner != Owner::Local {
            for managed in Managed::all() {
                policies.push(shapes::Policy::managed(managed, call, state)?);
            }
        }
        let prefix = self.path_prefix.unwrap_or_default();
        let attached = self.only_attached.unwrap_or_default();
        policies.retain(|policy| policy.is_listed(&prefix, attached) && policy.is_used_as(self.policy_usage_filter));
        Ok(Output { policies })
    }
}
