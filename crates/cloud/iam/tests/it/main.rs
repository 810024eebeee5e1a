//! IAM and STS behind a real door, called by the real `aws` command line and by botocore.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod cli;
mod compiled;
mod garbage;
mod goldens;
mod instances;
mod signatures;
mod world;
