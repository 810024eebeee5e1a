use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::asked;
use crate::simulate::{self, Asked, ContextEntry, EvaluationResult, Subject};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html>
#[derive(Shape)]
pub(super) struct SimulatePrincipalPolicy {
    policy_source_arn: String,
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

impl Lookup for SimulatePrincipalPolicy {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::principal(call, state, &self.policy_source_arn)?])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let subject = simulate::subject(Reads::of(view), &call.scope, &self.policy_source_arn)?;
        let Subject { mut identity, boundary, mut context } = subject;
        identity.extend(simulate::given(&self.policy_input_list)?);
        simulate::tell(&mut context, &self.context_entries)?;
        let given = simulate::given_boundary(&self.permissions_boundary_policy_input_list)?;
        let (actions, resources) = (&*self.action_names, &*self.resource_arns);
        let asked = Asked { identity, boundary: given.or(boundary), context, actions, resources };
        Ok(Output { evaluation_results: simulate::results(&asked) })
    }
}
