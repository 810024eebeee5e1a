//! The plan against goldens, and the plan made true, probed packet by packet.

mod goldens;
mod metadata;
mod packets;
mod probe;
mod spoof;
mod topology;
