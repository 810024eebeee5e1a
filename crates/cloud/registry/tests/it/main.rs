//! ECR behind a real door, and images pushed and pulled.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod asks;
mod cli;
mod garbage;
mod images;
mod uploads;
mod world;
