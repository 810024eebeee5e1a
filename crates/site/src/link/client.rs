use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use eksile_store::{Revision, Store, WatchItem};
use tokio::{
    io::{AsyncRead, AsyncWrite, WriteHalf},
    sync::{mpsc, oneshot, watch},
    time::{Instant, interval, timeout},
};

use super::{Frames, Message, Question, SessionError, Timing, write_frame};
use crate::{
    outbox::{self, Outbox},
    replica::{Progress, Replica},
};

/// A stream to the Region, already authenticated both ways.
pub trait Connection: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Connection for T {}

/// One attempt to reach the Region.
pub type Attempt<'a> = Pin<Box<dyn Future<Output = std::io::Result<Box<dyn Connection>>> + Send + 'a>>;

/// Makes streams to the Region.
pub trait Connect: Send + Sync {
    /// One attempt.
    fn connect(&self) -> Attempt<'_>;
}

/// What the site's end of the link knows of it, for people and metrics; nothing decides by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkState {
    /// Whether a session stands.
    pub connected: bool,
    /// Why the last one ended, or the last attempt failed.
    pub reason: Option<String>,
}

/// Pause after the first failure; it grows to [`Timing::retry`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// That a link is still down is said this often.
const REMINDER: Duration = Duration::from_secs(60);

/// A time without a session. Its beginning is news, each failed attempt is not.
#[derive(Default)]
struct Outage {
    said: Option<Instant>,
}

#[derive(Debug, PartialEq, Eq)]
enum News {
    Begins,
    Lasts,
    None,
}

impl Outage {
    fn news(&mut self, now: Instant) -> News {
        let news = match self.said {
            None => News::Begins,
            Some(said) if now - said >= REMINDER => News::Lasts,
            Some(_) => return News::None,
        };
        self.said = Some(now);
        news
    }

    fn tell(&mut self, site: &str, reason: &str) {
        match self.news(Instant::now()) {
            News::Begins => tracing::info!(site, reason, "service link is down"),
            News::Lasts => tracing::info!(site, reason, "service link is still down"),
            News::None => tracing::debug!(site, reason, "service link: another attempt failed"),
        }
    }
}

type Asked = (Question, oneshot::Sender<Result<serde_json::Value, String>>);

/// The site's end of the service link. Cheap to clone.
#[derive(Clone)]
pub struct LinkClient {
    site: String,
    store: Store,
    replica: Replica,
    outbox: Outbox,
    timing: Timing,
    state: Arc<watch::Sender<LinkState>>,
    asks: mpsc::Sender<Asked>,
    next_ask: Arc<AtomicU64>,
}

/// Questions waiting for a session; made with the client, consumed by [`LinkClient::run`].
pub struct Asks(mpsc::Receiver<Asked>);

impl LinkClient {
    /// A client for `site` whose replica and outbox lie in `store`.
    #[must_use]
    pub fn new(site: impl Into<String>, store: Store, timing: Timing) -> (Self, Asks) {
        let (asks, asked) = mpsc::channel(64);
        let site = site.into();
        let client = Self {
            replica: Replica::new(store.clone()),
            outbox: Outbox::new(store.clone(), site.clone()),
            site,
            store,
            timing,
            state: Arc::new(watch::Sender::new(LinkState { connected: false, reason: None })),
            asks,
            next_ask: Arc::new(AtomicU64::new(1)),
        };
        (client, Asks(asked))
    }

    /// The outbox.
    #[must_use]
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// The link's state, to be watched.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<LinkState> {
        self.state.subscribe()
    }

    /// Asks the Region.
    ///
    /// # Errors
    /// The Region's refusal, or that no answer came in time.
    pub async fn ask(&self, question: Question, patience: Duration) -> Result<serde_json::Value, String> {
        let asking = async {
            let (answer, answered) = oneshot::channel();
            self.asks.send((question, answer)).await.map_err(|_| "the link has ended".to_owned())?;
            answered.await.map_err(|_| "the session ended before the answer".to_owned())?
        };
        timeout(patience, asking).await.map_err(|_| format!("no answer from the Region within {patience:?}"))?
    }

    /// Keeps a session standing, for ever.
    pub async fn run(&self, connect: &dyn Connect, mut asks: Asks) {
        let mut pause = FIRST_PAUSE;
        let mut outage = Outage::default();
        loop {
            let reason = match timeout(self.timing.silence, connect.connect()).await {
                Err(_) => format!("no connection within {:?}", self.timing.silence),
                Ok(Err(error)) => error.to_string(),
                Ok(Ok(stream)) => {
                    let (end, stood) = self.session(stream, &mut asks.0).await;
                    if stood {
                        (pause, outage) = (FIRST_PAUSE, Outage::default());
                    }
                    end.to_string()
                }
            };
            outage.tell(&self.site, &reason);
            self.state.send_replace(LinkState { connected: false, reason: Some(reason) });
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(self.timing.retry);
        }
    }

    async fn session(&self, stream: Box<dyn Connection>, asks: &mut mpsc::Receiver<Asked>) -> (SessionError, bool) {
        let (reader, writer) = tokio::io::split(stream);
        let mut session = Session {
            client: self,
            writer,
            frames: Frames::of(reader),
            heard: Instant::now(),
            progress: Progress::default(),
            whole: None,
            pending: HashMap::new(),
            sent: 0,
        };
        match session.greet().await {
            Err(error) => (error, false),
            Ok(()) => {
                tracing::info!(site = self.site, "service link is up");
                self.state.send_replace(LinkState { connected: true, reason: None });
                match session.run(asks).await {
                    Err(error) => (error, true),
                    Ok(()) => (SessionError::Protocol("the session ended".to_owned()), true),
                }
            }
        }
    }
}

struct Session<'a> {
    client: &'a LinkClient,
    writer: WriteHalf<Box<dyn Connection>>,
    frames: Frames,
    heard: Instant,
    progress: Progress,
    /// Records of a snapshot under way.
    whole: Option<Vec<(String, Bytes)>>,
    pending: HashMap<u64, oneshot::Sender<Result<serde_json::Value, String>>>,
    /// Last report sent in this session.
    sent: u64,
}

impl Session<'_> {
    async fn greet(&mut self) -> Result<(), SessionError> {
        let progress = self.client.replica.progress().map_err(stored)?;
        let hello = Message::Hello {
            site: self.client.site.clone(),
            store: progress.store.clone(),
            revision: progress.revision,
        };
        self.send(&hello).await?;
        let silence = self.client.timing.silence;
        match timeout(silence, self.frames.next()).await.map_err(|_| SessionError::Silent(silence))?? {
            Message::Welcome { store, reported, snapshot } => {
                self.client.outbox.taken(reported).await.map_err(stored)?;
                self.sent = reported;
                self.progress = Progress { store, revision: progress.revision };
                self.whole = snapshot.then(Vec::new);
                self.heard = Instant::now();
                Ok(())
            }
            other => Err(SessionError::Protocol(format!("expected a welcome, got {other:?}"))),
        }
    }

    async fn run(&mut self, asks: &mut mpsc::Receiver<Asked>) -> Result<(), SessionError> {
        let from = self.client.store.revision();
        self.send_reports().await?;
        let mut reports = self.client.store.watch(outbox::PREFIX, Revision(from.0)).map_err(stored)?;
        let mut ping = interval(self.client.timing.ping);
        loop {
            tokio::select! {
                frame = self.frames.next() => {
                    let frame = frame?;
                    self.heard = Instant::now();
                    self.receive(frame).await?;
                }
                item = reports.next() => {
                    if let WatchItem::Change(change) = item.map_err(stored)? && change.value.is_some() {
                        self.send_reports().await?;
                    }
                }
                Some((question, answer)) = asks.recv() => {
                    let id = self.client.next_ask.fetch_add(1, Ordering::Relaxed);
                    self.pending.insert(id, answer);
                    self.send(&Message::Ask { id, question }).await?;
                }
                _ = ping.tick() => {
                    if self.heard.elapsed() > self.client.timing.silence {
                        return Err(SessionError::Silent(self.client.timing.silence));
                    }
                    self.send(&Message::Ping).await?;
                }
            }
        }
    }

    async fn send(&mut self, message: &Message) -> Result<(), SessionError> {
        let silence = self.client.timing.silence;
        timeout(silence, write_frame(&mut self.writer, message)).await.map_err(|_| SessionError::Silent(silence))??;
        Ok(())
    }

    async fn send_reports(&mut self) -> Result<(), SessionError> {
        loop {
            let entries = self.client.outbox.after(self.sent, 64).map_err(stored)?;
            if entries.is_empty() {
                return Ok(());
            }
            for entry in entries {
                self.sent = entry.seq;
                self.send(&Message::Report { seq: entry.seq, key: entry.key, value: entry.value }).await?;
            }
        }
    }

    async fn receive(&mut self, message: Message) -> Result<(), SessionError> {
        match message {
            Message::Ping => Ok(()),
            Message::Taken { seq } => self.client.outbox.taken(seq).await.map_err(stored),
            Message::Change { key, value, .. } => {
                let value = value.map(|raw| Bytes::from(raw.get().to_owned()));
                match (&mut self.whole, value) {
                    (Some(whole), Some(value)) => {
                        whole.push((key, value));
                        Ok(())
                    }
                    (Some(_), None) => Err(SessionError::Protocol("a deletion inside a snapshot".to_owned())),
                    (None, value) => self.client.replica.apply(&key, value).await.map_err(stored),
                }
            }
            Message::Progress { revision } => {
                self.progress.revision = revision;
                match self.whole.take() {
                    Some(records) => self.client.replica.replace(records, &self.progress).await.map_err(stored),
                    None => self.client.replica.complete(&self.progress).await.map_err(stored),
                }
            }
            Message::Answer { id, result } => {
                let asker = self.pending.remove(&id);
                if asker.is_none_or(|asker| asker.send(result).is_err()) {
                    tracing::debug!(id, "nobody waits for this answer any more");
                }
                Ok(())
            }
            other => Err(SessionError::Protocol(format!("the Region does not send {other:?}"))),
        }
    }
}

fn stored(error: impl std::fmt::Display) -> SessionError {
    SessionError::Store(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_news_once_and_a_reminder_a_minute() {
        let mut outage = Outage::default();
        let begun = Instant::now();
        let news: Vec<_> = (0..62).map(|attempt| outage.news(begun + Duration::from_secs(2 * attempt))).collect();
        let told: Vec<_> = (0..).zip(&news).filter(|(_, news)| **news != News::None).collect();
        assert_eq!(told, [(0, &News::Begins), (30, &News::Lasts), (60, &News::Lasts)]);
    }
}
