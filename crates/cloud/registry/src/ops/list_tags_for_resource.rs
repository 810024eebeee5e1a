use eksile_aws::{Call, Fault, Lookup, Reads, Shape};
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

    fn resources(&self, _call: &Call<'_>, _state: Reads<'_>) -> Vec<String> {
        vec![self.resource_arn.clone()]
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let repository = shapes::by_arn(&self.resource_arn, call, Reads::of(view))?;
        Ok(Output { tags: repository.tags.into_iter().map(EcrTag::from).collect() })
    }
}
