use eksile_aws::{Call, Command, Fault, Reads, Shape};
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

    fn resources(&self, _call: &Call<'_>, _state: Reads<'_>) -> Vec<String> {
        vec![self.resource_arn.clone()]
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Output, Fault> {
        let mut repository = shapes::by_arn(&self.resource_arn, call, Reads::of(txn))?;
        repository.tags.retain(|key, _| !self.tag_keys.contains(key));
        txn.put_record(&call.scope, &repository)?;
        Ok(Output {})
    }
}
