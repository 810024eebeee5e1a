//! What the door answers, before HTTP.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures::Stream;
use http_body::{Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use crate::status::{Status, StatusError};

/// Content type of nearly everything.
pub const JSON: &str = "application/json";

/// An error of a body that is passed on from elsewhere.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// The bytes of an answer.
pub enum Body {
    /// All at hand.
    Full(Bytes),
    /// All at hand, in pieces.
    Pieces(VecDeque<Bytes>),
    /// As they come.
    Stream(Pin<Box<dyn Stream<Item = Bytes> + Send>>),
    /// Passed on from a node.
    Passed(hyper::body::Incoming),
    /// With its share of what may last.
    Lasting(Box<Body>, OwnedSemaphorePermit),
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Pieces(pieces) => Poll::Ready(pieces.pop_front().map(|piece| Ok(Frame::data(piece)))),
            Self::Stream(stream) => stream.as_mut().poll_next(cx).map(|item| item.map(|bytes| Ok(Frame::data(bytes)))),
            Self::Passed(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            Self::Lasting(body, _) => Pin::new(&mut **body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(bytes) => bytes.is_empty(),
            Self::Pieces(pieces) => pieces.is_empty(),
            Self::Stream(_) => false,
            Self::Passed(body) => body.is_end_stream(),
            Self::Lasting(body, _) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Pieces(pieces) => SizeHint::with_exact(pieces.iter().map(|p| p.len() as u64).sum()),
            Self::Stream(_) => SizeHint::default(),
            Self::Passed(body) => body.size_hint(),
            Self::Lasting(body, _) => body.size_hint(),
        }
    }
}

/// Pieces as one.
pub(crate) fn joined(pieces: VecDeque<Bytes>) -> Bytes {
    let mut all = BytesMut::new();
    for piece in pieces {
        all.extend_from_slice(&piece);
    }
    all.freeze()
}

/// An answer.
pub struct Answer {
    /// HTTP status.
    pub code: u16,
    /// Content type.
    pub content: &'static str,
    /// The bytes.
    pub body: Body,
    /// Texts of `Warning` headers.
    pub warnings: Vec<String>,
    /// Set for documents that clients keep.
    pub etag: Option<String>,
}

impl Answer {
    /// JSON that is already encoded.
    #[must_use]
    pub fn json(code: u16, bytes: Bytes) -> Self {
        Self { code, content: JSON, body: Body::Full(bytes), warnings: Vec::new(), etag: None }
    }

    /// Something to encode as JSON.
    #[must_use]
    pub fn value(code: u16, value: &impl serde::Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(bytes) => Self::json(code, bytes.into()),
            Err(error) => Self::failure(&StatusError::internal(error)),
        }
    }

    /// What upstream says of a request that fails before anybody has looked at its form.
    #[must_use]
    pub fn untold(uri: &http::Uri, why: &str) -> Self {
        let text = format!("Internal Server Error: {}: {why}\n", crate::field::quote(&uri.to_string()));
        Self::text(500, text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"))
    }

    /// Plain text.
    #[must_use]
    pub fn text(code: u16, text: impl Into<String>) -> Self {
        Self {
            code,
            content: "text/plain; charset=utf-8",
            body: Body::Full(text.into().into()),
            warnings: Vec::new(),
            etag: None,
        }
    }

    /// No body at all.
    #[must_use]
    pub fn nothing(code: u16) -> Self {
        Self { code, content: "", body: Body::Full(Bytes::new()), warnings: Vec::new(), etag: None }
    }

    /// A success without an object.
    #[must_use]
    pub fn status(code: u16, status: &Status) -> Self {
        Self::value(code, status)
    }

    /// The same in YAML, where it is JSON and all at hand.
    ///
    /// # Errors
    /// 500 when it cannot be written.
    pub fn in_yaml(mut self) -> Result<Self, StatusError> {
        let json = match (self.content, &mut self.body) {
            (JSON, Body::Full(bytes)) => std::mem::take(bytes),
            (JSON, Body::Pieces(pieces)) => joined(std::mem::take(pieces)),
            _ => return Ok(self),
        };
        let value = serde_json::from_slice(&json).map_err(StatusError::internal)?;
        self.body = Body::Full(eksile_yaml::write(&value).map_err(StatusError::internal)?.into());
        self.content = "application/yaml";
        Ok(self)
    }

    /// A failure.
    #[must_use]
    pub fn failure(error: &StatusError) -> Self {
        let bytes = serde_json::to_vec(&*error.0).unwrap_or_default();
        Self::json(error.code(), bytes.into())
    }

    /// The same with warnings.
    #[must_use]
    pub fn warned(mut self, warnings: Vec<String>) -> Self {
        self.warnings.extend(warnings);
        self
    }
}
