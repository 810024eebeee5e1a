//! Errors of the distribution API.
//! <https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#error-codes>

use ::http::{HeaderValue, Response, StatusCode, header};
use eksile_store::{RecordError, StoreError, WriteError};
use serde_json::json;

use super::Body;

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error("Not Authorized")]
    Unauthorized,
    #[error("{0}")]
    Denied(String),
    #[error("The repository with name '{repository}' does not exist in the registry with id '{account}'")]
    NameUnknown { repository: String, account: String },
    #[error("invalid repository name")]
    NameInvalid,
    #[error("Requested image not found")]
    ManifestUnknown,
    #[error("{0}")]
    ManifestInvalid(String),
    #[error("manifest references a manifest or blob unknown to the registry: {0}")]
    ManifestBlobUnknown(String),
    #[error("blob unknown to registry")]
    BlobUnknown,
    #[error("blob upload unknown to registry")]
    UploadUnknown,
    #[error("{0}")]
    UploadInvalid(String),
    #[error("the chunk does not begin where the upload ends")]
    RangeInvalid,
    #[error("provided digest did not match uploaded content")]
    DigestInvalid,
    #[error("The image tag '{0}' already exists and cannot be overwritten because the repository is immutable.")]
    TagImmutable(String),
    #[error("{0} is not a valid tag")]
    TagInvalid(String),
    #[error("the request body is too large")]
    TooLarge,
    #[error("page not found")]
    NotFound,
    #[error("The operation is unsupported.")]
    Unsupported,
    #[error("internal failure")]
    Internal,
}

impl Problem {
    fn code(&self) -> (&'static str, StatusCode) {
        match self {
            Self::Unauthorized => ("UNAUTHORIZED", StatusCode::UNAUTHORIZED),
            Self::Denied(_) => ("DENIED", StatusCode::FORBIDDEN),
            Self::NameUnknown { .. } => ("NAME_UNKNOWN", StatusCode::NOT_FOUND),
            Self::NameInvalid => ("NAME_INVALID", StatusCode::BAD_REQUEST),
            Self::ManifestUnknown => ("MANIFEST_UNKNOWN", StatusCode::NOT_FOUND),
            Self::ManifestInvalid(_) => ("MANIFEST_INVALID", StatusCode::BAD_REQUEST),
            Self::ManifestBlobUnknown(_) => ("MANIFEST_BLOB_UNKNOWN", StatusCode::NOT_FOUND),
            Self::BlobUnknown => ("BLOB_UNKNOWN", StatusCode::NOT_FOUND),
            Self::UploadUnknown => ("BLOB_UPLOAD_UNKNOWN", StatusCode::NOT_FOUND),
            Self::UploadInvalid(_) => ("BLOB_UPLOAD_INVALID", StatusCode::BAD_REQUEST),
            Self::RangeInvalid => ("BLOB_UPLOAD_INVALID", StatusCode::RANGE_NOT_SATISFIABLE),
            Self::DigestInvalid => ("DIGEST_INVALID", StatusCode::BAD_REQUEST),
            Self::TagImmutable(_) | Self::TagInvalid(_) => ("TAG_INVALID", StatusCode::BAD_REQUEST),
            Self::TooLarge => ("SIZE_INVALID", StatusCode::PAYLOAD_TOO_LARGE),
            Self::NotFound => ("NOT_FOUND", StatusCode::NOT_FOUND),
            Self::Unsupported => ("UNSUPPORTED", StatusCode::METHOD_NOT_ALLOWED),
            Self::Internal => ("INTERNAL_FAILURE", StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    /// The HTTP answer.
    pub(crate) fn response(&self) -> Response<Body> {
        let (code, status) = self.code();
        let mut response = super::json(&json!({ "errors": [{ "code": code, "message": self.to_string() }] }));
        *response.status_mut() = status;
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static(r#"Basic realm="ecr",service="ecr.amazonaws.com""#);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }

    fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(%cause, "internal failure");
        Self::Internal
    }
}

impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Self {
        Self::internal(&error)
    }
}

impl From<RecordError> for Problem {
    fn from(error: RecordError) -> Self {
        Self::internal(&error)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::internal(&error)
    }
}

impl From<WriteError<Problem>> for Problem {
    fn from(error: WriteError<Problem>) -> Self {
        match error {
            WriteError::Refused(problem) => problem,
            WriteError::Failed(error) => error.into(),
        }
    }
}
