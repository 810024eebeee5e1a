use eksile_aws::policy::Context;
use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::simulate::{self, Asked, ContextEntry, EvaluationResult};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulateCustomPolicy.html>
#[derive(Shape)]
pub(super) struct SimulateCustomPolicy {
    policy_input_list: Vec<String>,
    permissions_boundary_policy_input_list: Vec<String>,
    action_names: Vec<String>,
    resource_arns: Vec<String>,
    context_entries: Vec<ContextEntry>,
}

#[derive(Shape)]
pub(super) struct Output {
    evaluation_results: Vec<EvaluationResult>,
}

impl Lookup for SimulateCustomPolicy {
    type Output = Output;

    fn asks(&self, _call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![Ask::any()])
    }

    fn run(self, _call: &Call<'_>, _view: &View) -> Result<Output, Fault> {
        let mut context = Context::default();
        simulate::tell(&mut context, &self.context_entries)?;
        let asked = Asked {
            identity: simulate::given(&self.policy_input_list)?,
            boundary: simulate::given_boundary(&self.permissions_boundary_policy_input_list)?,
            context,
            actions: &self.action_names,
            resources: &self.resource_arns,
        };
        Ok(Output { evaluation_results: simulate::results(&asked) })
    }
}
