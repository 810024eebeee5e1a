//! The oracle: one corpus of requests, sent to the real kube-apiserver and to Eksile, and what differs.
//!
//! Knows: scenarios (`requests/*.yaml`), how to send them, how to mask what must differ, recorded answers
//! (`answers/*.json`), named exceptions (`exceptions.yaml`). Must not know: any crate of Eksile. Whoever runs it hands in
//! an endpoint; the recorder and the comparison use the same masking, so neither side is favoured.

pub mod answer;
pub mod client;
pub mod corpus;
pub mod difference;
pub mod exceptions;
pub mod mask;
pub mod play;
pub mod verdict;
