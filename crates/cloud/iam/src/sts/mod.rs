//! STS: who am I, and who may I become.

mod ops;
mod tags;

use eksile_aws::{Protocol, Service};

/// The service. Source: the API reference of version 2011-06-15.
pub static SERVICE: Service = Service {
    name: "sts",
    protocol: Protocol::Query,
    version: "2011-06-15",
    global: true,
    invalid: "ValidationError",
    operations: ops::OPERATIONS,
};
