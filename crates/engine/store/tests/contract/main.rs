//! What every store promises, on SQLite and on the double alike; and what the durable one promises beyond.

mod contract;
mod crash;
mod durable;
mod model;
mod world;
