//! ECR and the OCI distribution API in front of it.
//!
//! ECR's own operations are behind the AWS door; images travel through [`Registry`], which speaks the OCI distribution
//! API (<https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md>) to callers with a token of
//! `GetAuthorizationToken`, under the same policies. Blobs are files named by their digest; who may see which is in the
//! store.

mod blobs;
mod http;
mod names;
mod ops;
mod records;
mod shapes;

use eksile_aws::shape::Case;
use eksile_aws::{Protocol, Service};

pub use blobs::OpenError;
pub use http::{Body, Registry};

/// The service. Source: the API reference of version 2015-09-21.
pub static SERVICE: Service = Service {
    name: "ecr",
    protocol: Protocol::Json { target: "AmazonEC2ContainerRegistry_V20150921", case: Case::Camel },
    version: "2015-09-21",
    global: false,
    invalid: "InvalidParameterException",
    operations: ops::OPERATIONS,
};
