//! Bodies that come in time.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

use crate::pass::Waiting;

/// Longest time for a body that is read whole before it is looked at.
pub const WHOLE: Duration = Duration::from_secs(60);
/// A body that is passed on as it comes must bring [`LEAST`] bytes in each such time, or end.
pub const WINDOW: Duration = Duration::from_secs(30);
/// Bytes.
pub const LEAST: u64 = 16 * 1024;

/// Why a paced body broke off.
#[derive(Debug)]
pub enum PaceError<E> {
    /// It came too slowly.
    Slow,
    /// Its own error.
    Body(E),
}

impl<E: std::fmt::Display> std::fmt::Display for PaceError<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Slow => write!(f, "fewer than {LEAST} bytes of the body came within {WINDOW:?}"),
            Self::Body(error) => error.fmt(f),
        }
    }
}

impl<E: std::fmt::Display + std::fmt::Debug> std::error::Error for PaceError<E> {}

/// A body of any length that must keep a pace.
#[derive(Debug)]
pub struct Paced<B> {
    body: B,
    window: Pin<Box<Sleep>>,
    length: Duration,
    came: u64,
}

impl<B> Paced<B> {
    /// Holds `body` to [`LEAST`] bytes in each [`WINDOW`].
    #[must_use]
    pub fn new(body: B) -> Self {
        Self::within(body, WINDOW)
    }

    /// The same with windows of another length.
    #[must_use]
    pub fn within(body: B, length: Duration) -> Self {
        Self { body, window: Box::pin(tokio::time::sleep(length)), length, came: 0 }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Paced<B> {
    type Data = Bytes;
    type Error = PaceError<B::Error>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, PaceError<B::Error>>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()).and_then(Frame::data_ref);
            self.came += data.map_or(0, |data| data.len() as u64);
            if self.came >= LEAST {
                self.came = 0;
                let next = Instant::now() + self.length;
                self.window.as_mut().reset(next);
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(PaceError::Body)));
        }
        match self.window.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Some(Err(PaceError::Slow))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The step in which the bytes of larger bodies are counted; what is smaller is not.
const STEP: usize = 64 * 1024;
/// How long a body may wait for others to go.
const WAIT: Duration = Duration::from_secs(10);

/// Memory for the bodies of one door, which are held until their requests are answered.
#[derive(Debug, Clone)]
pub struct Room(Arc<Semaphore>);

/// The memory that one body has.
pub type Taken = Option<OwnedSemaphorePermit>;

/// There is no room, and none was left in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRoom;

impl Default for Room {
    /// 64 MiB.
    fn default() -> Self {
        Self::of(64 * 1024 * 1024)
    }
}

impl Room {
    /// Room for so many bytes.
    #[must_use]
    pub fn of(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes / STEP)))
    }

    /// Makes room for a body that has `length` bytes by now; `taken` is the room that it has.
    ///
    /// # Errors
    /// When others do not go in time.
    pub async fn hold(&self, length: usize, taken: &mut Taken) -> Result<(), NoRoom> {
        let has = taken.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = (length / STEP).saturating_sub(has);
        let Some(more) = u32::try_from(more).ok().filter(|more| *more > 0) else { return Ok(()) };
        let waited = tokio::time::timeout(WAIT, Arc::clone(&self.0).acquire_many_owned(more)).await;
        let room = waited.map_err(|_| NoRoom)?.map_err(|_| NoRoom)?;
        match taken {
            Some(taken) => taken.merge(room),
            None => *taken = Some(room),
        }
        Ok(())
    }
}

/// Why a body was not read whole.
#[derive(Debug)]
pub enum Unread {
    /// It broke off.
    Broken,
    /// It is longer than it may be.
    Long,
    /// It took longer than [`WHOLE`].
    Slow,
    /// There is no room for it.
    NoRoom,
}

/// Reads a body of at most `limit` bytes, in [`WHOLE`] at most. Meanwhile the connection of its request is idle.
///
/// # Errors
/// See [`Unread`].
pub async fn whole<B>(parts: &Parts, body: B, limit: usize, room: &Room, taken: &mut Taken) -> Result<Bytes, Unread>
where
    B: Body<Data = Bytes> + Unpin,
{
    let _waiting = Waiting::of(&parts.extensions);
    tokio::time::timeout(WHOLE, read(body, limit, room, taken)).await.map_err(|_| Unread::Slow)?
}

async fn read<B>(mut body: B, limit: usize, room: &Room, taken: &mut Taken) -> Result<Bytes, Unread>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut all = Vec::new();
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(|_| Unread::Broken)?;
        let Some(data) = frame.data_ref() else { continue };
        let length = all.len() + data.len();
        if length > limit {
            return Err(Unread::Long);
        }
        room.hold(length, taken).await.map_err(|NoRoom| Unread::NoRoom)?;
        all.extend_from_slice(data);
    }
    Ok(all.into())
}
