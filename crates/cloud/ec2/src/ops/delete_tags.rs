use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use super::taggable;
use crate::records::Tags;
use crate::resource::missing;
use crate::shown::Done;

/// Without tags: all. With a key: that tag. With a key and a value: that tag, if it has that value.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteTags.html>
#[derive(Shape)]
pub(super) struct DeleteTags {
    #[shape(input = "ResourceId")]
    resources: Vec<String>,
    #[shape(input = "Tag")]
    tags: Vec<Unwanted>,
}

/// A tag to go.
#[derive(Shape)]
pub(super) struct Unwanted {
    key: String,
    value: Option<String>,
}

impl Command for DeleteTags {
    type Output = Done;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        let named: Vec<String> = self.tags.iter().map(|tag| tag.key.clone()).collect();
        let mut asks = Vec::new();
        for id in &self.resources {
            // Without keys, each tag that would go is asked about.
            let keys = if self.tags.is_empty() { taggable::keys(call, state, id)? } else { named.clone() };
            asks.extend(taggable::asks(call, state, std::slice::from_ref(id), &|ask: Ask| ask.naming(&keys))?);
        }
        if asks.is_empty() { taggable::asks(call, state, &[], &|ask: Ask| ask.naming(&named)) } else { Ok(asks) }
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Done, Fault> {
        if self.resources.is_empty() {
            return Err(missing("resourceIdSet"));
        }
        let unwanted = |key: &String, value: &String| {
            let names = |tag: &Unwanted| tag.key == *key && tag.value.as_ref().is_none_or(|wanted| wanted == value);
            self.tags.iter().any(names)
        };
        for id in &self.resources {
            taggable::change(call, txn, id, &|tags: &mut Tags| {
                // Tags of AWS's own are not the user's to remove.
                tags.retain(|key, value| key.starts_with("aws:") || !(self.tags.is_empty() || unwanted(key, value)));
                Ok(())
            })?;
        }
        Ok(Done::TRUE)
    }
}
