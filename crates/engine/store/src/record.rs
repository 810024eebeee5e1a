use serde::{Serialize, de::DeserializeOwned};

/// A typed value of the store.
///
/// Its key is `/ACCOUNT/REGION/SERVICE/KIND/ID` (see [`Scope`]); its stored form carries
/// [`Record::VERSION`], and an older form passes through [`Record::migrate`] when it is read.
pub trait Record: Serialize + DeserializeOwned {
    /// The service that owns it, as in an ARN; `observed` for what sites report.
    const SERVICE: &'static str;
    /// The kind, in kebab-case.
    const KIND: &'static str;
    /// Version of the stored form.
    const VERSION: u32 = 1;

    /// Unique within scope, service and kind. May contain `/`.
    fn id(&self) -> &str;

    /// Brings a stored form of version `from` to [`Record::VERSION`].
    ///
    /// # Errors
    /// A message when there is no way from that version.
    fn migrate(from: u32, _value: serde_json::Value) -> Result<serde_json::Value, String> {
        Err(format!("{}/{}: no migration from version {from}", Self::SERVICE, Self::KIND))
    }
}

/// Whose records: an account and a Region (`global` for services without Regions, such as IAM).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// Twelve digits.
    pub account: String,
    /// Such as `us-west-2`, or `global`.
    pub region: String,
}
