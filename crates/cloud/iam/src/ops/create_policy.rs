use eksile_aws::inputs::{Tag, TagRules, merge_tags};
use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::names;
use crate::records::{Policy, PolicyVersion, Tags};
use crate::shapes;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicy.html>
#[derive(Shape)]
pub(super) struct CreatePolicy {
    policy_name: String,
    path: Option<String>,
    policy_document: String,
    description: Option<String>,
    tags: Vec<Tag>,
}

#[derive(Shape)]
pub(super) struct Output {
    policy: shapes::Policy,
}

impl Command for CreatePolicy {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        let path = self.path.as_deref().unwrap_or("/");
        let arn = format!("arn:aws:iam::{}:policy{path}{}", call.scope.account, self.policy_name);
        Ok(asked::made(&arn, None, &self.tags, "iam:TagPolicy"))
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Output, Fault> {
        names::name("policyName", &self.policy_name, 128)?;
        let path = names::path(self.path)?;
        find::unused::<Policy>(Reads::of(txn), &call.scope, "A policy called", &self.policy_name)?;
        find::document(&self.policy_document, find::Place::Managed)?;
        let mut tags = Tags::new();
        merge_tags(&mut tags, self.tags, TagRules::IAM_OTHERS)?;
        let now = call.now.as_second();
        let policy = Policy {
            name: self.policy_name,
            path,
            policy_id: call.mint.principal("ANPA"),
            description: self.description,
            versions: vec![PolicyVersion { number: 1, document: self.policy_document, created: now }],
            default_version: 1,
            last_version: 1,
            created: now,
            updated: now,
            tags,
        };
        txn.put_record(&call.scope, &policy)?;
        Ok(Output { policy: shapes::Policy::of(&policy, call, Reads::of(txn))? })
    }
}
