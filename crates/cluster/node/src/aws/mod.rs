//! What a node needs of AWS: the metadata service, signatures, and the cluster token.

mod metadata;
mod sign;

pub use metadata::{Metadata, MetadataError};
pub use sign::{Credentials, cluster_token, sign};
