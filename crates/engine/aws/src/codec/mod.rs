//! The protocols' syntax: forms in, XML out, JSON both ways.

pub(crate) mod form;
pub(crate) mod json;
pub(crate) mod xml;

/// How deep a request may nest.
const DEPTH: usize = 32;

/// Structures that a request may have: a few bytes each as they come, hundreds in memory.
const PARTS: usize = 50_000;

/// A body or query string that is not what the protocol says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SyntaxError {
    /// Not UTF-8.
    #[error("the request is not valid UTF-8")]
    Encoding,
    /// A name given twice, or both as a value and as a structure.
    #[error("the parameter {0} is given more than once")]
    Repeated(String),
    /// A name with an empty part.
    #[error("the parameter name {0:?} is not valid")]
    Name(String),
    /// Nested too deep.
    #[error("the request nests too deep")]
    Depth,
    /// Very many structures.
    #[error("the request has more than {PARTS} parts")]
    Parts,
    /// Not JSON.
    #[error("the request body is not valid JSON: {0}")]
    Json(String),
}
