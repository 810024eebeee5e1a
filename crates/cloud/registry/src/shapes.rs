//! ECR's structures, as responses show them.

use eksile_aws::inputs::{Tag, TagRules};
use eksile_aws::{Ask, Call, Fault, Reads, Shape};
use jiff::Timestamp;

use crate::{names, records};

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

/// ECR alone spells a tag's members with capitals.
#[derive(Shape)]
pub(crate) struct EcrTag {
    #[shape(name = "Key")]
    key: String,
    #[shape(name = "Value")]
    value: String,
}

impl From<&EcrTag> for Tag {
    fn from(tag: &EcrTag) -> Self {
        Self { key: tag.key.clone(), value: tag.value.clone() }
    }
}

impl From<EcrTag> for Tag {
    fn from(tag: EcrTag) -> Self {
        Self { key: tag.key, value: tag.value }
    }
}

impl From<(String, String)> for EcrTag {
    fn from((key, value): (String, String)) -> Self {
        Self { key, value }
    }
}

pub(crate) const TAG_RULES: TagRules =
    TagRules { invalid: "InvalidTagParameterException", too_many: "TooManyTagsException", limit: 50, folds: false };

/// The repository that an ARN names, for the operations on tags.
pub(crate) fn by_arn(resource_arn: &str, call: &Call<'_>, state: Reads<'_>) -> Result<records::Repository, Fault> {
    let parts: Vec<&str> = resource_arn.splitn(6, ':').collect();
    let ["arn", "aws", "ecr", region, account, resource] = parts[..] else { return Err(no_repository_arn()) };
    let name = resource.strip_prefix("repository/").ok_or_else(no_repository_arn)?;
    if region != call.region {
        return Err(no_repository_arn());
    }
    own_registry(Some(account), call)?;
    state.record(&call.scope, name)?.ok_or_else(|| unknown(name, call))
}

fn no_repository_arn() -> Fault {
    let message = "Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN'";
    Fault::client("InvalidParameterException", 400, message)
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

/// About a repository of the caller's registry.
pub(crate) fn ask(call: &Call<'_>, state: Reads<'_>, name: &str) -> Result<Ask, Fault> {
    ask_arn(call, state, &arn(call, name))
}

/// About the repository of an ARN.
pub(crate) fn ask_arn(call: &Call<'_>, state: Reads<'_>, resource_arn: &str) -> Result<Ask, Fault> {
    let found = match resource_arn.strip_prefix(&arn(call, "")) {
        Some(name) if names::is_repository(name) => state.record::<records::Repository>(&call.scope, name)?,
        _ => None,
    };
    Ok(ask_about(resource_arn, found.as_ref()))
}

/// About a repository of this ARN, which may be there.
pub(crate) fn ask_about(arn: &str, found: Option<&records::Repository>) -> Ask {
    let ask = Ask::to(arn);
    match found {
        Some(repository) => ask.tagged_as("ecr:ResourceTag", &repository.tags),
        None => ask,
    }
}

/// For policies.
pub(crate) fn arn(call: &Call<'_>, name: &str) -> String {
    call.arn("ecr", &format!("repository/{name}"))
}
