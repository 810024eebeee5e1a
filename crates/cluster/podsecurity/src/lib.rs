//! Pod Security admission: what a namespace's labels let its pods ask for.
//!
//! Knows: the labels ([`labels`]), upstream's checks by level and version ([`checks`]), and which writes are judged by them
//! ([`PodSecurity`]). Must not know: HTTP, and how a pod runs. What it decides and how it says so is
//! `k8s.io/pod-security-admission` 0.33's; `tests/oracle` holds it to the real server's answers.
//!
//! Upstream's `audit` mode writes annotations into the audit log only. There is no audit log here, so its labels are
//! validated, and nothing more.

mod admission;
pub mod checks;
mod existing;
pub mod labels;
mod pod;

pub use admission::PodSecurity;
pub use pod::{Pod, Undecodable};
