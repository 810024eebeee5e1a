//! Derive for the structures of the AWS APIs.
