//! The plan against goldens, and the plan made true, probed packet by packet.

mod goldens;
mod packets;
mod probe;
mod topology;
