//! The table of built-in kinds, a strategy file per kind with opinions, schema data.

pub mod schemas;
