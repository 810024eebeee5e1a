//! EC2: the VPC's objects and instances, as records and operations.

mod asked;
pub mod block;
pub mod images;
pub mod instance_types;
mod launch;
pub mod network;
mod ops;
mod permission;
pub mod private_names;
pub mod reconcile;
pub mod records;
pub mod resource;
mod seed;
mod shown;
pub mod subnet_space;
mod vpcs;
pub mod zones;

pub use seed::seed;

use eksile_aws::{Protocol, Service};

/// The service. Source: the API reference of version 2016-11-15.
pub static SERVICE: Service = Service {
    name: "ec2",
    protocol: Protocol::Ec2,
    version: "2016-11-15",
    global: false,
    invalid: "InvalidParameterValue",
    operations: ops::OPERATIONS,
};
