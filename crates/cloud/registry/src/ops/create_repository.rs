use std::collections::BTreeMap;

use eksile_aws::inputs::{Tag, merge_tags};
use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::names;
use crate::records::Repository;
use crate::shapes::{self, EcrTag, Encryption, Mutability, Scanning, TAG_RULES};

/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html>
#[derive(Shape)]
pub(super) struct CreateRepository {
    registry_id: Option<String>,
    repository_name: String,
    tags: Vec<EcrTag>,
    image_tag_mutability: Option<Mutability>,
    image_scanning_configuration: Option<Scanning>,
    encryption_configuration: Option<Encryption>,
}

#[derive(Shape)]
pub(super) struct Output {
    repository: shapes::Repository,
}

impl Command for CreateRepository {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        let tags: Vec<Tag> = self.tags.iter().map(Tag::from).collect();
        let given = || tags.iter().map(|tag| (&tag.key, &tag.value));
        let ask = || Ask::to(shapes::arn(call, &self.repository_name)).requesting(given());
        Ok(if tags.is_empty() { vec![ask()] } else { vec![ask(), ask().action("ecr:TagResource")] })
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Output, Fault> {
        shapes::own_registry(self.registry_id.as_deref(), call)?;
        self.encryption_configuration.as_ref().map_or(Ok(()), Encryption::is_built)?;
        if !names::is_repository(&self.repository_name) {
            let message = "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular \
                           expression '(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*''";
            return Err(Fault::client("InvalidParameterException", 400, message));
        }
        if txn.record::<Repository>(&call.scope, &self.repository_name)?.is_some() {
            let message = format!(
                "The repository with name '{}' already exists in the registry with id '{}'",
                self.repository_name, call.scope.account
            );
            return Err(Fault::client("RepositoryAlreadyExistsException", 400, message));
        }
        let mut tags = BTreeMap::new();
        merge_tags(&mut tags, self.tags, TAG_RULES)?;
        let repository = Repository {
            name: self.repository_name,
            mutable: self.image_tag_mutability != Some(Mutability::Immutable),
            scan_on_push: self.image_scanning_configuration.is_some_and(|scanning| scanning.scan_on_push),
            created: call.now.as_second(),
            tags,
        };
        txn.put_record(&call.scope, &repository)?;
        Ok(Output { repository: shapes::Repository::of(&repository, call) })
    }
}
