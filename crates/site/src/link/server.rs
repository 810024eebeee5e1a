use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use eksile_base::{Clock, ids};
use eksile_store::{Change, Key, Record, RecordError, Revision, Scope, Store, StoreError, View, WatchItem, WriteError};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::{
    io::{AsyncRead, AsyncWrite, WriteHalf},
    sync::mpsc,
    time::{Instant, interval, timeout},
};

use super::{FrameError, Frames, Message, Question, Timing, concerns, read_frame, write_frame};

/// Answers what sites ask.
pub trait Answerer: Send + Sync {
    /// The answer to one question of one site, or why there is none.
    fn answer<'a>(
        &'a self,
        site: &'a str,
        question: Question,
    ) -> Pin<Box<dyn Future<Output = Result<serde_json::Value, String>> + Send + 'a>>;
}

/// The Region's knowledge of a site's link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteLink {
    /// The site.
    pub site: String,
    /// Whether a session stands.
    pub connected: bool,
    /// Seconds since the epoch of the last change of `connected`.
    pub since: i64,
    /// Last report taken.
    pub reported: u64,
}

impl Record for SiteLink {
    const SERVICE: &'static str = "link";
    const KIND: &'static str = "site";

    fn id(&self) -> &str {
        &self.site
    }
}

/// Identity of a store, so that a replica is never continued from another one.
#[derive(Debug, Serialize, Deserialize)]
struct StoreIdentity {
    id: String,
}

impl Record for StoreIdentity {
    const SERVICE: &'static str = "link";
    const KIND: &'static str = "store";

    fn id(&self) -> &'static str {
        "identity"
    }
}

fn link_scope() -> Scope {
    Scope { account: "link".to_owned(), region: "global".to_owned() }
}

/// Every site's link as the Region last knew it.
///
/// # Errors
/// When a record cannot be read.
pub fn site_links(view: &View) -> Result<Vec<SiteLink>, RecordError> {
    view.records(&link_scope())
}

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The stream failed, or what came was no message.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// Nothing came, or nothing could be sent, for [`Timing::silence`].
    #[error("silent for {0:?}")]
    Silent(Duration),
    /// The other end spoke out of turn.
    #[error("{0}")]
    Protocol(String),
    /// The store refused.
    #[error("store: {0}")]
    Store(String),
}

/// The Region's end of every service link.
#[derive(Clone)]
pub struct LinkServer {
    store: Store,
    clock: Clock,
    answerer: Arc<dyn Answerer>,
    timing: Timing,
}

impl LinkServer {
    /// A server that speaks for `store`.
    #[must_use]
    pub fn new(store: Store, clock: Clock, answerer: Arc<dyn Answerer>, timing: Timing) -> Self {
        Self { store, clock, answerer, timing }
    }

    /// Serves one stream until it ends. `peer` is the site that the stream's certificate names.
    ///
    /// # Errors
    /// Always: a session only ends by one.
    pub async fn serve<S>(&self, stream: S, peer: &str) -> Result<(), SessionError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (mut reader, writer) = tokio::io::split(stream);
        let hello = timeout(self.timing.silence, read_frame(&mut reader))
            .await
            .map_err(|_| SessionError::Silent(self.timing.silence))??;
        let Message::Hello { site, store, revision } = hello else {
            return Err(SessionError::Protocol("the first message must be a hello".to_owned()));
        };
        if site != peer {
            return Err(SessionError::Protocol(format!("{peer} calls itself {site}")));
        }
        let frames = Frames::of(reader);
        let reported = self.set_connected(&site, true).await?;
        let (heard, sent) = (Instant::now(), Revision(revision));
        let mut session = Session { server: self, site: site.clone(), writer, heard, sent, complete: sent };
        let end = session.run(&store, Revision(revision), reported, frames).await;
        self.set_connected(&site, false).await?;
        end
    }

    async fn set_connected(&self, site: &str, connected: bool) -> Result<u64, SessionError> {
        let since = self.clock.now_wall().as_second();
        let committed = self
            .store
            .write(|txn| {
                let scope = link_scope();
                let old = txn.record::<SiteLink>(&scope, site)?;
                let reported = old.map_or(0, |link| link.reported);
                txn.put_record(&scope, &SiteLink { site: site.to_owned(), connected, since, reported })?;
                Ok::<_, RecordError>(reported)
            })
            .await
            .map_err(store_error)?;
        Ok(committed.value)
    }

    async fn identity(&self) -> Result<String, SessionError> {
        let committed = self
            .store
            .write(|txn| {
                if let Some(known) = txn.record::<StoreIdentity>(&link_scope(), "identity")? {
                    return Ok::<_, RecordError>(known.id);
                }
                let id = ids::uuid();
                txn.put_record(&link_scope(), &StoreIdentity { id: id.clone() })?;
                Ok(id)
            })
            .await
            .map_err(store_error)?;
        Ok(committed.value)
    }

    /// Takes one report: the observation and the count of reports become durable together.
    async fn take(&self, site: &str, seq: u64, key: &str, value: Option<&RawValue>) -> Result<(), SessionError> {
        let allowed = Key::parse(key).is_ok_and(|key| key.account == "observed" && key.region == site);
        if !allowed {
            return Err(SessionError::Protocol(format!("{site} may not report {key}")));
        }
        self.store
            .write(|txn| {
                let scope = link_scope();
                let Some(mut link) = txn.record::<SiteLink>(&scope, site)? else { return Ok(()) };
                if seq <= link.reported {
                    return Ok(());
                }
                link.reported = seq;
                txn.put_record(&scope, &link)?;
                match value {
                    Some(value) => txn.put(key, value.get().to_owned()),
                    None => {
                        txn.delete(key);
                    }
                }
                Ok::<_, RecordError>(())
            })
            .await
            .map_err(store_error)?;
        Ok(())
    }
}

fn store_error(error: WriteError<RecordError>) -> SessionError {
    match error {
        WriteError::Refused(error) => SessionError::Store(error.to_string()),
        WriteError::Failed(error) => SessionError::Store(StoreError::to_string(&error)),
    }
}

struct Session<'a, S> {
    server: &'a LinkServer,
    site: String,
    writer: WriteHalf<S>,
    heard: Instant,
    /// Last revision that the site was told is complete.
    sent: Revision,
    /// Last revision of which every change has been sent.
    complete: Revision,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Session<'_, S> {
    async fn run(
        &mut self,
        replica_of: &str,
        after: Revision,
        reported: u64,
        mut frames: Frames,
    ) -> Result<(), SessionError> {
        let store = self.server.store.clone();
        let identity = self.server.identity().await?;
        let continued = (identity == replica_of).then(|| store.watch("", after)).and_then(Result::ok);
        let snapshot = continued.is_none();
        self.send(&Message::Welcome { store: identity, reported, snapshot }).await?;
        let mut watch = match continued {
            Some(watch) => watch,
            None => {
                let view = store.view();
                self.send_snapshot(&view).await?;
                store.watch("", view.revision()).map_err(|error| SessionError::Store(error.to_string()))?
            }
        };
        let (answers, mut answered) = mpsc::channel(16);
        let mut ping = interval(self.server.timing.ping);
        loop {
            tokio::select! {
                item = watch.next() => match item.map_err(|error| SessionError::Store(error.to_string()))? {
                    WatchItem::Change(change) => self.send_change(&change).await?,
                    WatchItem::Progress(revision) => self.complete = self.complete.max(revision),
                },
                frame = frames.next() => {
                    let frame = frame?;
                    self.heard = Instant::now();
                    self.receive(frame, &answers).await?;
                }
                Some(answer) = answered.recv() => self.send(&answer).await?,
                _ = ping.tick() => {
                    if self.heard.elapsed() > self.server.timing.silence {
                        return Err(SessionError::Silent(self.server.timing.silence));
                    }
                    // In place of every other ping, so that a busy Region costs its sites one write a tick.
                    if self.complete > self.sent { self.send_progress(self.complete).await? }
                    else { self.send(&Message::Ping).await? }
                }
            }
        }
    }

    async fn send(&mut self, message: &Message) -> Result<(), SessionError> {
        let silence = self.server.timing.silence;
        timeout(silence, write_frame(&mut self.writer, message)).await.map_err(|_| SessionError::Silent(silence))??;
        Ok(())
    }

    async fn send_snapshot(&mut self, view: &View) -> Result<(), SessionError> {
        for entry in view.scan("", None, usize::MAX) {
            if concerns(&self.site, &entry.key, &entry.value, view) {
                self.send_record(view.revision(), &entry.key, Some(&entry.value)).await?;
            }
        }
        self.send_progress(view.revision()).await
    }

    async fn send_change(&mut self, change: &Change) -> Result<(), SessionError> {
        // Changes of one revision belong together: what came before is complete once a later one comes.
        self.complete = self.complete.max(Revision(change.revision.0.saturating_sub(1)));
        let view = self.server.store.view();
        let now = change.value.as_ref().filter(|value| concerns(&self.site, &change.key, value, &view));
        let before = change.previous.as_ref().filter(|entry| concerns(&self.site, &change.key, &entry.value, &view));
        match (now, before) {
            (Some(value), _) => self.send_record(change.revision, &change.key, Some(value)).await,
            (None, Some(_)) => self.send_record(change.revision, &change.key, None).await,
            (None, None) => Ok(()),
        }
    }

    async fn send_record(&mut self, revision: Revision, key: &str, value: Option<&[u8]>) -> Result<(), SessionError> {
        let value = value.map(serde_json::from_slice::<Box<RawValue>>).transpose().map_err(FrameError::Malformed)?;
        self.send(&Message::Change { revision: revision.0, key: key.to_owned(), value }).await
    }

    async fn send_progress(&mut self, revision: Revision) -> Result<(), SessionError> {
        (self.sent, self.complete) = (revision, self.complete.max(revision));
        self.send(&Message::Progress { revision: revision.0 }).await
    }

    async fn receive(&mut self, message: Message, answers: &mpsc::Sender<Message>) -> Result<(), SessionError> {
        match message {
            Message::Ping => Ok(()),
            Message::Report { seq, key, value } => {
                self.server.take(&self.site, seq, &key, value.as_deref()).await?;
                self.send(&Message::Taken { seq }).await
            }
            Message::Ask { id, question } => {
                let (answerer, site, answers) = (Arc::clone(&self.server.answerer), self.site.clone(), answers.clone());
                tokio::spawn(async move {
                    let result = answerer.answer(&site, question).await;
                    if answers.send(Message::Answer { id, result }).await.is_err() {
                        tracing::debug!(site, id, "the session ended before the answer");
                    }
                });
                Ok(())
            }
            other => Err(SessionError::Protocol(format!("a site does not send {other:?}"))),
        }
    }
}
