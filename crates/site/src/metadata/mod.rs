//! The instance metadata service at 169.254.169.254, both versions.
//!
//! Who asks is known by the VPC whose router the request came to and the address it came from, as only the owner of
//! an address can send from it there (the router's source check). How far a token travels is the time to live of the
//! packets that carry it: a pod's namespace is a hop further than its instance's. Facts: EC2 user guide, "Instance metadata categories" and "Use IMDSv2".

mod answer;
mod given;
mod serve;
mod tokens;
mod tree;

use std::pin::Pin;

pub use serve::serve;
pub use tree::Tree;

/// Where the service answers.
pub const ADDRESS: std::net::SocketAddr =
    std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(169, 254, 169, 254)), 80);

/// Where an instance role's temporary credentials come from.
pub trait Credentials: Send + Sync {
    /// The credentials document of an instance, asked for by the service's version `delivery` (`1.0`, `2.0`), or why
    /// there is none.
    fn of<'a>(
        &'a self,
        instance_id: &'a str,
        delivery: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<serde_json::Value, String>> + Send + 'a>>;
}
