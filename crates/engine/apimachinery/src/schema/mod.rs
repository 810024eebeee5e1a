//! The types behind the kinds, as a table of facts, and what follows from it: decoding, pruning, strictness, defaults.
//!
//! The table is generated from upstream's release (`xtask/schema/generate`) and lives with the kinds.

mod decode;
mod default;
mod leaf;
mod path;
mod protobuf;
mod quantity;
mod scan;
mod table;
mod types;
mod untyped;

#[cfg(test)]
pub(crate) mod tests;

pub use decode::{DecodeError, Decoded};
pub use protobuf::ProtobufError;
pub use quantity::{Quantity, QuantityError};
pub use scan::MAX_DEPTH;
pub use table::TableError;
pub use types::{Field, Kind, ListType, Node, PatchRule, Schema, Schemas, Struct, StructId};
pub use untyped::Untyped;
pub use untyped::shape;
