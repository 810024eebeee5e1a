use eksile_aws::inputs::{Filter, filtered};
use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape, filters};
use eksile_store::View;

use super::taggable;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeTags.html>
#[derive(Shape)]
pub(super) struct DescribeTags {
    #[shape(input = "Filter")]
    filters: Vec<Filter>,
}

/// Tags by kind of resource, id and key.
#[derive(Shape)]
pub(super) struct Output {
    tag_set: Vec<TagDescription>,
}

/// `TagDescription` of the EC2 API.
#[derive(Shape)]
pub(super) struct TagDescription {
    key: String,
    resource_id: String,
    resource_type: String,
    value: String,
}

filters! {
    const NAMES, fn own_values(tag: &TagDescription) {
        "key" => tag.key.clone(),
        "value" => tag.value.clone(),
        "resource-id" => tag.resource_id.clone(),
        "resource-type" => tag.resource_type.clone(),
    }
}

/// `tag:KEY` stands for a key and its values.
fn values(tag: &TagDescription, name: &str) -> Option<Vec<String>> {
    let of_key = |key| (tag.key == key).then(|| tag.value.clone()).into_iter().collect();
    own_values(tag, name).or_else(|| name.strip_prefix("tag:").map(of_key))
}

impl Lookup for DescribeTags {
    type Output = Output;

    fn asks(&self, _call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![Ask::any()])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let known = |name: &str| NAMES.contains(&name) || name.starts_with("tag:");
        let mut tags = Vec::new();
        for tagged in taggable::all(Reads::of(view), &call.scope)? {
            tags.extend(tagged.tags.into_iter().map(|(key, value)| TagDescription {
                key,
                resource_id: tagged.id.clone(),
                resource_type: tagged.kind.to_owned(),
                value,
            }));
        }
        Ok(Output { tag_set: filtered(tags, &self.filters, known, values)? })
    }
}
