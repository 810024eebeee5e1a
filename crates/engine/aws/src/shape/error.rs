//! Why a request's members did not fit.

use std::fmt;

/// A member that is missing or does not fit; each protocol words it in its own way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct DecodeError {
    /// Wire names from the outside in; list positions count from 1.
    pub path: Vec<String>,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// It is required and not there.
    Missing,
    /// It is not of the expected type.
    Type {
        /// Such as `integer`.
        expected: &'static str,
        /// What was sent, where it is a scalar.
        found: String,
    },
    /// It is outside of a closed set.
    Invalid(String),
}

impl DecodeError {
    /// A required member is not there.
    #[must_use]
    pub fn missing(name: &str) -> Self {
        Self { path: vec![name.to_owned()], problem: Problem::Missing }
    }

    /// A value of the wrong type.
    #[must_use]
    pub fn wrong_type(expected: &'static str, found: impl Into<String>) -> Self {
        Self { path: Vec::new(), problem: Problem::Type { expected, found: found.into() } }
    }

    /// A text outside of a closed set.
    #[must_use]
    pub fn invalid(found: &str) -> Self {
        Self { path: Vec::new(), problem: Problem::Invalid(found.to_owned()) }
    }

    /// The same error, seen from one level further out.
    #[must_use]
    pub fn within(mut self, name: &str) -> Self {
        self.path.insert(0, name.to_owned());
        self
    }

    /// `TagSpecification.1.ResourceType`.
    #[must_use]
    pub fn dotted(&self) -> String {
        self.path.join(".")
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.dotted();
        match &self.problem {
            Problem::Missing => write!(f, "{at} is missing"),
            Problem::Type { expected, found } => write!(f, "{at}: {found:?} is not a valid {expected}"),
            Problem::Invalid(found) => write!(f, "{at}: {found:?} is not one of the allowed values"),
        }
    }
}
