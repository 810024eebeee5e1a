//! IAM and STS: principals, policies, keys, credentials.
//!
//! Keeps [`records`] in the scope (account, `global`); [`IamDirectory`] is what the door asks for credentials and
//! policies; [`instance_credentials`] is what the metadata service hands to an instance.

mod asked;
mod compiled;
mod directory;
mod find;
mod managed;
mod names;
mod ops;
pub mod records;
mod seed;
mod sessions;
mod shapes;
mod simulate;
pub mod sts;
mod trust;

pub use asked::{own_role, pass_profile, pass_role};
pub use directory::IamDirectory;
use eksile_aws::{Protocol, Service};
pub use find::{role_by_arn, role_of_profile};
pub use seed::seed;
pub use sessions::{Bearer, Credentials, NoCredentials, instance_credentials};

/// The service. Source: the API reference of version 2010-05-08.
pub static SERVICE: Service = Service {
    name: "iam",
    protocol: Protocol::Query,
    version: "2010-05-08",
    global: true,
    invalid: "ValidationError",
    operations: ops::OPERATIONS,
};
