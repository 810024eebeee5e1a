use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::records::{Blob, Manifest, Repository, Tag};
use crate::shapes;

/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DeleteRepository.html>
#[derive(Shape)]
pub(super) struct DeleteRepository {
    registry_id: Option<String>,
    repository_name: String,
    force: Option<bool>,
}

#[derive(Shape)]
pub(super) struct Output {
    repository: shapes::Repository,
}

impl Command for DeleteRepository {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![shapes::ask(call, state, &self.repository_name)?])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Output, Fault> {
        shapes::own_registry(self.registry_id.as_deref(), call)?;
        let (scope, name) = (&call.scope, &self.repository_name);
        let found: Option<Repository> = txn.record(scope, name)?;
        let repository = found.ok_or_else(|| shapes::unknown(name, call))?;
        let held = |other: &str| other == name;
        let manifests: Vec<Manifest> =
            txn.records::<Manifest>(scope)?.into_iter().filter(|manifest| held(&manifest.repository)).collect();
        if !manifests.is_empty() && !self.force.unwrap_or_default() {
            let message = format!(
                "The repository with name '{name}' in registry with id '{}' cannot be deleted because it still contains \
                 images",
                scope.account
            );
            return Err(Fault::client("RepositoryNotEmptyException", 400, message));
        }
        for manifest in &manifests {
            txn.delete_record::<Manifest>(scope, &manifest.id);
        }
        for tag in txn.records::<Tag>(scope)?.iter().filter(|tag| held(&tag.repository)) {
            txn.delete_record::<Tag>(scope, &tag.id);
        }
        // Files that no repository holds any more go at the next start.
        for blob in txn.records::<Blob>(scope)?.iter().filter(|blob| held(&blob.repository)) {
            txn.delete_record::<Blob>(scope, &blob.id);
        }
        txn.delete_record::<Repository>(scope, name);
        Ok(Output { repository: shapes::Repository::of(&repository, call) })
    }
}
