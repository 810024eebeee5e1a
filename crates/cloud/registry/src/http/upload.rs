//! Pushing blobs: in one request, or begun, continued and finished.
//!
//! An upload lives in this process only: a restart ends it, and the client begins anew.

use std::sync::Arc;

use ::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use eksile_base::ids;
use http_body::Body as HttpBody;
use http_body_util::BodyExt as _;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::access::Access;
use super::places::Place;
use super::{Answer, Problem, Registry, empty};
use crate::blobs::Incoming;
use crate::names;
use crate::records::{Blob, Repository, held};

/// Seconds after which an upload whose client went away is dropped.
const IDLE: i64 = 3600;

const INITIATE: &str = "ecr:InitiateLayerUpload";
const UPLOAD: &str = "ecr:UploadLayerPart";
const COMPLETE: &str = "ecr:CompleteLayerUpload";

/// A blob on its way into a repository.
#[derive(Debug)]
pub(crate) struct Upload {
    /// `ACCOUNT/REGION/REPOSITORY`: nobody else continues it.
    owner: String,
    incoming: Incoming,
    /// When a chunk last came, wall time in seconds.
    touched: i64,
    /// Given back when it is a blob, or given up.
    _place: Place,
}

/// An upload, held alone while a chunk comes in.
type Held = OwnedMutexGuard<Option<Upload>>;

impl Registry {
    /// `POST /v2/NAME/blobs/uploads/`: begins; mounts with `mount`, or is all with `digest`.
    pub(super) async fn begin_upload<B>(
        &self,
        access: &Access,
        repository: &str,
        query: Option<&str>,
        body: B,
    ) -> Answer
    where
        B: HttpBody<Data = Bytes> + Unpin,
        B::Error: std::fmt::Display,
    {
        self.allow(access, INITIATE, repository)?;
        if let (Some(digest), Some(from)) = (parameter(query, "mount"), parameter(query, "from"))
            && self.mounted(access, repository, &digest, &from).await?
        {
            return created(repository, &digest);
        }
        let digest = parameter(query, "digest");
        if digest.is_some() {
            // All three at once.
            self.allow(access, UPLOAD, repository)?;
            self.allow(access, COMPLETE, repository)?;
        }
        let (id, touched) = (ids::uuid(), self.clock.now_wall().as_second());
        self.drop_idle(touched)?;
        let (owner, place) = (owner(access, repository), self.places.take(&access.scope.account)?);
        let upload = Upload { owner, incoming: self.blobs.begin(&id).await?, touched, _place: place };
        if let Some(digest) = digest {
            return self.complete(access, repository, upload, body, &digest).await;
        }
        let held = Arc::new(Mutex::new(Some(upload)));
        self.uploads.lock().map_err(|_| Problem::Internal)?.insert(id.clone(), held);
        progress(StatusCode::ACCEPTED, repository, &id, 0)
    }

    /// Gives up the uploads of which no chunk came for long; one that a chunk comes in for just now goes on.
    fn drop_idle(&self, now: i64) -> Result<(), Problem> {
        let mut uploads = self.uploads.lock().map_err(|_| Problem::Internal)?;
        let idle = |held: &Option<Upload>| held.as_ref().is_none_or(|held| now - held.touched > IDLE);
        uploads.retain(|_, held| held.try_lock().map_or(true, |held| !idle(&held)));
        Ok(())
    }

    /// A blob of another repository of the same registry, if the caller may read it there: who holds it may pull it.
    async fn mounted(&self, access: &Access, repository: &str, digest: &str, from: &str) -> Result<bool, Problem> {
        for action in ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer"] {
            match self.allow(access, action, from) {
                Err(Problem::Denied(_) | Problem::NameUnknown { .. } | Problem::NameInvalid) => return Ok(false),
                other => other?,
            };
        }
        let found: Option<Blob> = self.store.view().record(&access.scope, &held(from, digest))?;
        let Some(blob) = found else { return Ok(false) };
        self.allow(access, COMPLETE, repository)?;
        self.hold(access, &Blob::new(repository, digest, blob.size)).await?;
        Ok(true)
    }

    /// `GET`: how far it came.
    pub(super) async fn upload_status(&self, access: &Access, repository: &str, id: &str) -> Answer {
        self.allow(access, UPLOAD, repository)?;
        let held = self.held(access, repository, id).await?;
        let size = held.as_ref().ok_or(Problem::UploadUnknown)?.incoming.size;
        progress(StatusCode::NO_CONTENT, repository, id, size)
    }

    /// `PATCH`: one more chunk.
    pub(super) async fn continue_upload<B>(
        &self,
        access: &Access,
        repository: &str,
        id: &str,
        headers: &HeaderMap,
        body: B,
    ) -> Answer
    where
        B: HttpBody<Data = Bytes> + Unpin,
        B::Error: std::fmt::Display,
    {
        self.allow(access, UPLOAD, repository)?;
        let mut held = self.held(access, repository, id).await?;
        let upload = held.as_mut().ok_or(Problem::UploadUnknown)?;
        if let Some(range) = headers.get(header::CONTENT_RANGE) {
            let start = range.to_str().ok().and_then(|range| range.split('-').next()?.parse::<u64>().ok());
            if start != Some(upload.incoming.size) {
                return Err(Problem::RangeInvalid);
            }
        }
        let received = receive(&mut upload.incoming, body).await;
        upload.touched = self.clock.now_wall().as_second();
        let size = upload.incoming.size;
        if let Err(problem) = received {
            // What came of a broken chunk is in the file already: the upload cannot go on.
            self.forget(id)?;
            held.take();
            return Err(problem);
        }
        progress(StatusCode::ACCEPTED, repository, id, size)
    }

    /// `PUT`: the last chunk, and what it all is.
    pub(super) async fn finish_upload<B>(
        &self,
        access: &Access,
        repository: &str,
        id: &str,
        query: Option<&str>,
        mut body: B,
    ) -> Answer
    where
        B: HttpBody<Data = Bytes> + Unpin,
        B::Error: std::fmt::Display,
    {
        self.allow(access, COMPLETE, repository)?;
        let digest = parameter(query, "digest").ok_or(Problem::DigestInvalid)?;
        let first = data(&mut body).await?;
        if first.is_some() {
            self.allow(access, UPLOAD, repository)?;
        }
        let mut upload = self.held(access, repository, id).await?.take().ok_or(Problem::UploadUnknown)?;
        self.forget(id)?;
        if let Some(first) = first {
            upload.incoming.write(&first).await?;
        }
        self.complete(access, repository, upload, body, &digest).await
    }

    /// `DELETE`.
    pub(super) async fn abandon_upload(&self, access: &Access, repository: &str, id: &str) -> Answer {
        self.allow(access, UPLOAD, repository)?;
        self.held(access, repository, id).await?.take().ok_or(Problem::UploadUnknown)?;
        self.forget(id)?;
        empty(StatusCode::NO_CONTENT, [])
    }

    async fn complete<B>(&self, access: &Access, repository: &str, mut upload: Upload, body: B, digest: &str) -> Answer
    where
        B: HttpBody<Data = Bytes> + Unpin,
        B::Error: std::fmt::Display,
    {
        receive(&mut upload.incoming, body).await?;
        if !names::is_digest(digest) {
            return Err(Problem::DigestInvalid);
        }
        let size = self.blobs.finish(upload.incoming, digest).await?.ok_or(Problem::DigestInvalid)?;
        self.hold(access, &Blob::new(repository, digest, size)).await?;
        created(repository, digest)
    }

    /// Records that a repository holds a blob whose file is durable.
    async fn hold(&self, access: &Access, blob: &Blob) -> Result<(), Problem> {
        let scope = &access.scope;
        let written = self.store.write(|txn| {
            // The repository may have gone while the blob came in.
            if txn.record::<Repository>(scope, &blob.repository)?.is_none() {
                let (repository, account) = (blob.repository.clone(), scope.account.clone());
                return Err(Problem::NameUnknown { repository, account });
            }
            Ok(txn.put_record(scope, blob)?)
        });
        written.await?;
        Ok(())
    }

    /// The upload, if it is this repository's; waits for the chunk that is coming in.
    async fn held(&self, access: &Access, repository: &str, id: &str) -> Result<Held, Problem> {
        let upload = self.uploads.lock().map_err(|_| Problem::Internal)?.get(id).cloned();
        let held = upload.ok_or(Problem::UploadUnknown)?.lock_owned().await;
        let own = held.as_ref().is_some_and(|upload| upload.owner == owner(access, repository));
        if own { Ok(held) } else { Err(Problem::UploadUnknown) }
    }

    fn forget(&self, id: &str) -> Result<(), Problem> {
        self.uploads.lock().map_err(|_| Problem::Internal)?.remove(id);
        Ok(())
    }
}

async fn receive<B>(incoming: &mut Incoming, mut body: B) -> Result<(), Problem>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    while let Some(data) = data(&mut body).await? {
        incoming.write(&data).await?;
    }
    Ok(())
}

/// The next bytes of a body; `None` at its end.
async fn data<B>(body: &mut B) -> Result<Option<Bytes>, Problem>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Problem::UploadInvalid(error.to_string()))?;
        if let Ok(data) = frame.into_data()
            && !data.is_empty()
        {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

fn owner(access: &Access, repository: &str) -> String {
    format!("{}/{}/{repository}", access.scope.account, access.scope.region)
}

fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn created(repository: &str, digest: &str) -> Answer {
    let location = format!("/v2/{repository}/blobs/{digest}");
    empty(StatusCode::CREATED, [("location", &location), ("docker-content-digest", digest)])
}

fn progress(status: StatusCode, repository: &str, id: &str, size: u64) -> Answer {
    let location = format!("/v2/{repository}/blobs/uploads/{id}");
    let range = format!("0-{}", size.saturating_sub(1));
    empty(status, [("location", &location), ("docker-upload-uuid", id), ("range", &range)])
}
