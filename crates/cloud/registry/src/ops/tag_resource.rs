use eksile_aws::inputs::{Tag, merge_tags};
use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
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

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        let tags: Vec<Tag> = self.tags.iter().map(Tag::from).collect();
        let ask = shapes::ask_arn(call, state, &self.resource_arn)?;
        Ok(vec![ask.requesting(tags.iter().map(|tag| (&tag.key, &tag.value)))])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Output, Fault> {
        let mut repository = shapes::by_arn(&self.resource_arn, call, Reads::of(txn))?;
        merge_tags(&mut repository.tags, self.tags, TAG_RULES)?;
        txn.put_record(&call.scope, &repository)?;
        Ok(Output {})
    }
}
