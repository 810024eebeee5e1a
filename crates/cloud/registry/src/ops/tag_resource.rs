use eksile_aws::inputs::merge_tags;
use eksile_aws::{Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::shapes::{self, EcrTag, TAG_RULES};

/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_TagResource.html>
#[derive(Shape)]
pub(super) struct TagResource {
    resource_arn: String,
    tags: Vec<EcrTag>,
}

#[derive(Shape)]
pub(super) struct Output {}

impl Command for TagResource {
    type Output = Output;

    fn resources(&self, _call: &Call<'_>, _state: Reads<'_>) -> Vec<String> {
        vec![self.resource_arn.clone()]
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Output, Fault> {
        let mut repository = shapes::by_arn(&self.resource_arn, call, Reads::of(txn))?;
        merge_tags(&mut repository.tags, self.tags, TAG_RULES)?;
        txn.put_record(&call.scope, &repository)?;
        Ok(Output {})
    }
}
