//! What holds for every Kubernetes object, whatever its kind: the types and how bodies of them are decoded ([`schema`]),
//! the patch types ([`patch`]), and who set which field ([`managed`]), with server-side apply.
//!
//! Nothing here knows of requests, stores or kinds: values go in, values come out.

pub mod managed;
pub mod patch;
pub mod schema;
