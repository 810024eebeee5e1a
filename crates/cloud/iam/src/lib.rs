//! IAM and STS: principals, policies, keys, credentials.

pub mod sts;
