//! EKS: clusters and access entries, as records and operations.

mod access;
mod clusters;
mod fault;
mod logging;
pub mod names;
mod ops;
pub mod reconcile;
pub mod records;
mod role;
pub mod service_block;
mod shown;
pub mod template;
pub mod versions;

use eksile_aws::shape::Case;
use eksile_aws::{Protocol, Service};

/// The service. Source: the API reference of version 2017-11-01.
pub static SERVICE: Service = Service {
    name: "eks",
    protocol: Protocol::RestJson(Case::Camel),
    version: "2017-11-01",
    global: false,
    invalid: "InvalidParameterException",
    operations: ops::OPERATIONS,
};
