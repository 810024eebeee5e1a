//! ECR behind a real door, and images pushed and pulled.

mod cli;
mod images;
mod world;
