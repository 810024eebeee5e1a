//! What IAM keeps, in the scope (account, `global`).

mod access_key;
mod grants;
mod instance_profile;
mod policy;
mod role;
mod session;
mod user;

pub use access_key::{AccessKey, KeyOwner};
pub use grants::Grants;
pub use instance_profile::InstanceProfile;
pub use policy::{Policy, PolicyVersion};
pub use role::Role;
pub use session::Session;
pub use user::User;

/// Tags, sorted by key.
pub type Tags = std::collections::BTreeMap<String, String>;
