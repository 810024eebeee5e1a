//! EKS's faults (EKS API reference, "Common errors" and each operation's).

use eksile_aws::Fault;

/// A member that cannot be.
pub(crate) fn invalid_parameter(message: impl Into<String>) -> Fault {
    Fault::client("InvalidParameterException", 400, message)
}

/// A call that does not fit the cluster's state.
pub(crate) fn invalid_request(message: impl Into<String>) -> Fault {
    Fault::client("InvalidRequestException", 400, message)
}

/// The name is taken, or the resource busy.
pub(crate) fn in_use(message: impl Into<String>) -> Fault {
    Fault::client("ResourceInUseException", 409, message)
}

/// Nothing of that name.
pub(crate) fn not_found(message: impl Into<String>) -> Fault {
    Fault::client("ResourceNotFoundException", 404, message)
}

/// More than the quota.
pub(crate) fn limit_exceeded(message: impl Into<String>) -> Fault {
    Fault::client("ResourceLimitExceededException", 400, message)
}
