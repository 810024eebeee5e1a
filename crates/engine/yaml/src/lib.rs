//! YAML as Kubernetes reads and writes it.
//!
//! Upstream turns YAML into JSON with `sigs.k8s.io/yaml`, whose parser is a port of libyaml that reads YAML 1.1: `yes`,
//! `on` and `y` are booleans, `010` is eight. The scanner and parser here are another port of libyaml, so syntax errors
//! have the same words and lines; what scalars mean, what merges and aliases do, and how values are written again are
//! this crate's.

mod document;
mod read;
mod scalar;
mod write;

pub use read::{Read, read};
pub use write::write;
