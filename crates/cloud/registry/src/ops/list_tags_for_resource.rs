use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::shapes::{self, EcrTag};

/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ListTagsForResource.html>
#[derive(Shape)]
pub(super) struct ListTagsForResource {
    resource_arn: String,
}

#[derive(Shape)]
pub(super) struct Output {
    tags: Vec<EcrTag>,
}

impl Lookup for ListTagsForResource {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![shapes::ask_arn(call, state, &self.resource_arn)?])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let repository = shapes::by_arn(&self.resource_arn, call, Reads::of(view))?;
        Ok(Output { tags: repository.tags.into_iter().map(EcrTag::from).collect() })
    }
}
