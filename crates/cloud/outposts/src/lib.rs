//! Outposts: racks, their capacity and instance types.

mod ops;
pub mod records;
mod seed;

pub use seed::seed;

use eksile_aws::shape::Case;
use eksile_aws::{Protocol, Service};

/// The service. Source: the API reference of version 2019-12-03.
pub static SERVICE: Service = Service {
    name: "outposts",
    protocol: Protocol::RestJson(Case::Pascal),
    version: "2019-12-03",
    global: false,
    invalid: "ValidationException",
    operations: ops::OPERATIONS,
};
