//! A place that hosts: replica, link, outbox, fabric, instances, control planes.
//!
//! Knows: the records of EC2, EKS and Outposts, and how to make them true on this machine.
//! Must not know: the AWS door, IAM, the insides of a control plane.

pub mod beneath;
pub mod control_plane;
pub mod fabric;
pub mod host;
pub mod ids;
pub mod instance;
pub mod instances;
pub mod link;
pub mod logs;
pub mod metadata;
pub mod names;
pub mod outbox;
mod pace;
pub mod removals;
pub mod replica;
pub mod seats;
pub mod services;
pub mod troubles;

/// What a pass over a kind of things found.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Processes whose end calls for another pass.
    pub running: Vec<eksile_linux::process::Identity>,
    /// Something has been started and is not there yet: look again soon.
    pub waiting: bool,
    /// An item failed; what is known of it says how.
    pub failed: bool,
    /// When what failed is tried again, the first of it.
    pub again: Option<std::time::Instant>,
}

impl Outcome {
    /// Notes that an item failed, and when it is tried again.
    pub fn rests(&mut self, again: Option<std::time::Instant>) {
        self.failed = true;
        self.again = self.again.into_iter().chain(again).min();
    }
}
