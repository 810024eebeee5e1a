//! IAM and STS: principals, policies, keys, credentials.
