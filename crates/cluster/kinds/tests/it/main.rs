//! The built-in kinds behind a whole door, in memory.

mod confined;
mod given;
mod world;
