use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::shapes;

/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_UntagResource.html>
#[derive(Shape)]
pub(super) struct UntagResource {
    resource_arn: String,
    tag_keys: Vec<String>,
}

#[derive(Shape)]
pub(super) struct Output {}

impl Command for UntagResource {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![shapes::ask_arn(call, state, &self.resource_arn)?.naming(&self.tag_keys)])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Output, Fault> {
        let mut repository = shapes::by_arn(&self.resource_arn, call, Reads::of(txn))?;
        repository.tags.retain(|key, _| !self.tag_keys.contains(key));
        txn.put_record(&call.scope, &repository)?;
        Ok(Output {})
    }
}
