use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::mpsc,
    task::JoinHandle,
};

use super::Message;

/// Longest frame either end accepts, in bytes.
pub const MAX_FRAME: usize = 8 << 20;

/// Why a frame could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The other end is gone: it closed the stream, or its process ended.
    #[error("the peer ended the connection")]
    Ended,
    /// The stream failed.
    #[error("stream: {0}")]
    Stream(std::io::Error),
    /// The other end announced more than [`MAX_FRAME`] bytes.
    #[error("frame of {0} bytes is longer than {MAX_FRAME}")]
    TooLong(usize),
    /// The bytes are not a message.
    #[error("not a message: {0}")]
    Malformed(#[from] serde_json::Error),
}

impl From<std::io::Error> for FrameError {
    fn from(error: std::io::Error) -> Self {
        // TLS tells an end without its farewell apart (a killed process says none), with advice for programmers.
        if error.kind() == std::io::ErrorKind::UnexpectedEof { Self::Ended } else { Self::Stream(error) }
    }
}

/// Reads one message: four bytes of length, big-endian, then JSON.
///
/// # Errors
/// When the stream ends or fails, or what came is no message.
pub async fn read_frame(stream: &mut (impl AsyncRead + Unpin)) -> Result<Message, FrameError> {
    let length = stream.read_u32().await? as usize;
    if length > MAX_FRAME {
        return Err(FrameError::TooLong(length));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(serde_json::from_slice(&body)?)
}

/// What comes over a stream, up to and with the first failure. Reading a frame must not be given up in its midst, so a
/// task of its own does it, which ends with this value.
pub(super) struct Frames {
    received: mpsc::Receiver<Result<Message, FrameError>>,
    reading: JoinHandle<()>,
}

impl Frames {
    pub(super) fn of(mut stream: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let (sender, received) = mpsc::channel(64);
        let reading = tokio::spawn(async move {
            loop {
                let frame = read_frame(&mut stream).await;
                let failed = frame.is_err();
                if sender.send(frame).await.is_err() || failed {
                    return;
                }
            }
        });
        Self { received, reading }
    }

    /// The next message. May be given up and called again.
    pub(super) async fn next(&mut self) -> Result<Message, FrameError> {
        self.received.recv().await.unwrap_or(Err(FrameError::Ended))
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// Writes one message and flushes it.
///
/// # Errors
/// When the stream fails or the message is too long.
pub async fn write_frame(stream: &mut (impl AsyncWrite + Unpin), message: &Message) -> Result<(), FrameError> {
    let body = serde_json::to_vec(message)?;
    if body.len() > MAX_FRAME {
        return Err(FrameError::TooLong(body.len()));
    }
    let mut frame = Vec::with_capacity(body.len() + 4);
    // The check above keeps the length within 32 bits.
    frame.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes());
    frame.extend_from_slice(&body);
    stream.write_all(&frame).await?;
    stream.flush().await?;
    Ok(())
}
