//! ECR's structures, as responses show them.

use eksile_aws::{Call, Fault, Shape};
use jiff::Timestamp;

use crate::records;

#[derive(Shape)]
pub(crate) struct Repository {
    repository_arn: String,
    registry_id: String,
    repository_name: String,
    repository_uri: String,
    created_at: Timestamp,
    image_tag_mutability: Mutability,
    image_scanning_configuration: Scanning,
    encryption_configuration: Encryption,
}

#[derive(Shape, PartialEq)]
pub(crate) enum Mutability {
    #[shape(name = "MUTABLE")]
    Mutable,
    #[shape(name = "IMMUTABLE")]
    Immutable,
}

#[derive(Shape)]
pub(crate) struct Scanning {
    #[shape(default)]
    pub(crate) scan_on_push: bool,
}

#[derive(Shape)]
pub(crate) struct Encryption {
    encryption_type: EncryptionType,
}

#[derive(Shape, PartialEq)]
enum EncryptionType {
    #[shape(name = "AES256")]
    Aes256,
    #[shape(name = "KMS")]
    Kms,
    #[shape(name = "KMS_DSSE")]
    KmsDouble,
}

impl Encryption {
    /// Keys of KMS are not built.
    pub(crate) fn is_built(&self) -> Result<(), Fault> {
        match self.encryption_type {
            EncryptionType::Aes256 => Ok(()),
            EncryptionType::Kms | EncryptionType::KmsDouble => {
                Err(Fault::not_implemented("Encryption of a repository by KMS"))
            }
        }
    }
}

impl Repository {
    pub(crate) fn of(repository: &records::Repository, call: &Call<'_>) -> Self {
        Self {
            repository_arn: repository.arn(&call.scope),
            registry_id: call.scope.account.clone(),
            repository_name: repository.name.clone(),
            repository_uri: repository.uri(&call.scope),
            created_at: Timestamp::from_second(repository.created).unwrap_or(Timestamp::UNIX_EPOCH),
            image_tag_mutability: if repository.mutable { Mutability::Mutable } else { Mutability::Immutable },
            image_scanning_configuration: Scanning { scan_on_push: repository.scan_on_push },
            encryption_configuration: Encryption { encryption_type: EncryptionType::Aes256 },
        }
    }
}

/// Registries of other accounts need repository policies, which are not built.
pub(crate) fn own_registry(registry_id: Option<&str>, call: &Call<'_>) -> Result<(), Fault> {
    match registry_id {
        Some(id) if id != call.scope.account => Err(Fault::not_implemented("a repository policy for another account")),
        _ => Ok(()),
    }
}

/// `RepositoryNotFoundException`.
pub(crate) fn unknown(name: &str, call: &Call<'_>) -> Fault {
    let account = &call.scope.account;
    let message = format!("The repository with name '{name}' does not exist in the registry with id '{account}'");
    Fault::client("RepositoryNotFoundException", 400, message)
}

/// For policies.
pub(crate) fn arn(call: &Call<'_>, name: &str) -> String {
    call.arn("ecr", &format!("repository/{name}"))
}
