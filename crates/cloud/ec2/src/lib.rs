//! EC2: the VPC's objects and instances, as records and operations.

pub mod records;
