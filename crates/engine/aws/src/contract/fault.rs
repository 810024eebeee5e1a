//! An AWS error: code, status, message. The protocol decides how it is written.

use std::borrow::Cow;

use eksile_store::{RecordError, StoreError};

use crate::shape::Value;

/// What went wrong, in AWS's words.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Fault {
    /// Such as `InvalidVpcID.NotFound`.
    pub code: Cow<'static, str>,
    /// The HTTP status.
    pub status: u16,
    /// For people; empty when AWS sends none.
    pub message: String,
    /// Further members of the error in JSON protocols, such as `clusterName`.
    pub members: Vec<(&'static str, Value)>,
}

impl Fault {
    /// The caller's mistake; `status` is in 400..500.
    pub fn client(code: impl Into<Cow<'static, str>>, status: u16, message: impl Into<String>) -> Self {
        debug_assert!((400..500).contains(&status));
        Self { code: code.into(), status, message: message.into(), members: Vec::new() }
    }

    /// Our own; `status` is in 500..600.
    pub fn server(code: impl Into<Cow<'static, str>>, status: u16, message: impl Into<String>) -> Self {
        debug_assert!((500..600).contains(&status));
        Self { code: code.into(), status, message: message.into(), members: Vec::new() }
    }

    /// The operation, or this part of it, exists in AWS but not here.
    #[must_use]
    pub fn not_implemented(what: &str) -> Self {
        Self::server("NotImplemented", 501, format!("{what} is not implemented"))
    }

    /// Something failed inside; the cause is logged and not told.
    pub fn internal(cause: &(impl std::error::Error + ?Sized)) -> Self {
        tracing::error!(cause = %cause, "internal failure");
        Self::server("InternalFailure", 500, "The request processing has failed because of an unknown error.")
    }

    /// With a further member, for JSON protocols.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.members.push((name, value.into()));
        self
    }

    /// Whether the caller is to blame.
    #[must_use]
    pub fn is_client(&self) -> bool {
        self.status < 500
    }
}

impl From<RecordError> for Fault {
    fn from(error: RecordError) -> Self {
        Self::internal(&error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        if let StoreError::Unwritten(cause) = &error {
            let message =
                format!("The request cannot be served now, nothing was changed. This installation's disk: {cause}");
            return Self::server("ServiceUnavailable", 503, message);
        }
        Self::internal(&error)
    }
}
