//! IAM and STS behind a real door, called by the real `aws` command line and by botocore.

mod cli;
mod signatures;
mod world;
