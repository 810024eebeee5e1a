//! Input structures that many operations share.

mod filter;
mod tags;

pub use filter::{Filter, Values, filtered};
pub use tags::{Tag, TagRules, TagSpecification, merge_tags, specified_tags, specified_tags_among};
