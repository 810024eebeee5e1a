//! The IAM policy language: documents, conditions, evaluation.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>

mod condition;
mod context;
mod document;
mod evaluate;
mod operator;
mod variable;

pub use context::Context;
pub use document::{Document, MalformedPolicy, Principals};
pub use evaluate::{Decision, Denial, Trust, decide, trusts};
