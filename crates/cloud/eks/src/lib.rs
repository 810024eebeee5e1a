//! EKS: clusters and access entries, as records and operations.

pub mod records;
