//! What policies deny: every operation of EC2, Outposts, EKS, IAM and STS behind a real door.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

/// Under this name `make attack` finds them.
mod attack {
    mod between;
    mod denied;
    mod managed;
    mod members;
    mod regions;
    mod roles;
    mod simulated;
    mod tags;
    mod untold;
}
mod world;
