//! Bodies in and out.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::fs::File;
use tokio::io::{AsyncRead as _, ReadBuf};

use super::Problem;

/// Manifests beyond this many bytes are refused; the spec asks for at least four megabytes.
const WHOLE: usize = 4 << 20;
const CHUNK: usize = 64 << 10;

/// The body of an answer: bytes at hand, or a file's.
#[derive(Debug, Default)]
pub struct Body {
    ready: Option<Bytes>,
    file: Option<File>,
    left: u64,
}

impl Body {
    /// `length` bytes of a file, from where it stands.
    pub(super) fn file(file: File, length: u64) -> Self {
        Self { ready: None, file: Some(file), left: length }
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self { left: text.len() as u64, ready: Some(Bytes::from(text)), file: None }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(bytes) = self.ready.take() {
            self.left = 0;
            return Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))));
        }
        let most = usize::try_from(self.left).unwrap_or(CHUNK).min(CHUNK);
        let Some(file) = self.file.as_mut().filter(|_| most > 0) else { return Poll::Ready(None) };
        let mut chunk = vec![0; most];
        let mut buffer = ReadBuf::new(&mut chunk);
        if let Err(error) = ready!(Pin::new(file).poll_read(context, &mut buffer)) {
            return Poll::Ready(Some(Err(error)));
        }
        let length = buffer.filled().len();
        if length == 0 {
            return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
        }
        self.left -= length as u64;
        chunk.truncate(length);
        Poll::Ready(Some(Ok(Frame::data(chunk.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// A small body, whole.
pub(super) async fn whole<B>(body: B) -> Result<Bytes, Problem>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let mut body = body;
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Problem::UploadInvalid(error.to_string()))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > WHOLE {
            return Err(Problem::TooLarge);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.into())
}
