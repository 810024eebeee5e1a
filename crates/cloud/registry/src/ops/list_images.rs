use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::records::{Manifest, Repository, Tag};
use crate::shapes;

/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ListImages.html>
#[derive(Shape)]
pub(super) struct ListImages {
    registry_id: Option<String>,
    repository_name: String,
    filter: Option<Filter>,
}

#[derive(Shape)]
struct Filter {
    tag_status: Option<TagStatus>,
}

#[derive(Shape, PartialEq, Clone, Copy)]
enum TagStatus {
    #[shape(name = "TAGGED")]
    Tagged,
    #[shape(name = "UNTAGGED")]
    Untagged,
    #[shape(name = "ANY")]
    Any,
}

#[derive(Shape)]
pub(super) struct Output {
    image_ids: Vec<Image>,
}

#[derive(Shape)]
struct Image {
    image_digest: String,
    image_tag: Option<String>,
}

impl Lookup for ListImages {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![shapes::ask(call, state, &self.repository_name)?])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        shapes::own_registry(self.registry_id.as_deref(), call)?;
        let (scope, name) = (&call.scope, &self.repository_name);
        if view.record::<Repository>(scope, name)?.is_none() {
            return Err(shapes::unknown(name, call));
        }
        let wanted = self.filter.and_then(|filter| filter.tag_status).unwrap_or(TagStatus::Any);
        let tags: Vec<Tag> = view.records::<Tag>(scope)?.into_iter().filter(|tag| tag.repository == *name).collect();
        let mut image_ids = Vec::new();
        for manifest in view.records::<Manifest>(scope)?.into_iter().filter(|image| image.repository == *name) {
            let mut tagged = tags.iter().filter(|tag| tag.digest == manifest.digest).peekable();
            if tagged.peek().is_none() && wanted != TagStatus::Tagged {
                image_ids.push(Image { image_digest: manifest.digest.clone(), image_tag: None });
            }
            if wanted != TagStatus::Untagged {
                image_ids.extend(
                    tagged.map(|tag| Image { image_digest: manifest.digest.clone(), image_tag: Some(tag.tag.clone()) }),
                );
            }
        }
        Ok(Output { image_ids })
    }
}
