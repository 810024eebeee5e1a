use eksile_aws::inputs::{Tag, TagRules, merge_tags};
use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use super::taggable;
use crate::resource::missing;
use crate::shown::Done;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateTags.html>
#[derive(Shape)]
pub(super) struct CreateTags {
    #[shape(input = "ResourceId")]
    resources: Vec<String>,
    #[shape(input = "Tag")]
    tags: Vec<Tag>,
}

impl Command for CreateTags {
    type Output = Done;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        let tagging = |ask: Ask| ask.requesting(self.tags.iter().map(|tag| (&tag.key, &tag.value)));
        taggable::asks(call, state, &self.resources, &tagging)
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Done, Fault> {
        if self.resources.is_empty() || self.tags.is_empty() {
            return Err(missing(if self.tags.is_empty() { "Tags" } else { "resourceIdSet" }));
        }
        for id in &self.resources {
            taggable::change(call, txn, id, &|tags| merge_tags(tags, self.tags.clone(), TagRules::EC2))?;
        }
        Ok(Done::TRUE)
    }
}
