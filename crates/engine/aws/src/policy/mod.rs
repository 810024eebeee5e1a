//! The IAM policy language: documents, conditions, evaluation.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>
//!
//! A document is compiled once, when it is parsed; deciding reads compiled documents only.

mod condition;
mod context;
mod document;
mod elements;
mod evaluate;
mod json;
pub mod keys;
mod operator;
mod template;
mod trust;

pub use context::Context;
pub use document::{Document, MalformedPolicy, Principals};
pub use elements::is_account;
pub use evaluate::{Decision, Denial, Kind, Question, decide};
pub use trust::{Trust, trusts, trusts_service};
