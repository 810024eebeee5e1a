//! Outposts: racks, their capacity and instance types.

pub mod records;
