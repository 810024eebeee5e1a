//! Manifests.

use ::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use bytes::Bytes;
use eksile_aws::Reads;
use eksile_base::ids;
use eksile_store::{Scope, Txn};
use serde::Deserialize;

use super::access::Access;
use super::{Answer, Body, Problem, Registry, empty};
use crate::names;
use crate::records::{Blob, Manifest, Repository, Tag, held, tagged};

/// What a manifest must tell the registry; the rest is the clients' matter.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Parsed {
    schema_version: u32,
    media_type: Option<String>,
    config: Option<Descriptor>,
    layers: Vec<Descriptor>,
    manifests: Vec<Descriptor>,
}

#[derive(Debug, Deserialize)]
struct Descriptor {
    digest: String,
    /// Layers that are fetched elsewhere.
    #[serde(default)]
    urls: Vec<String>,
}

impl Registry {
    /// `GET` and `HEAD`, by tag or digest.
    pub(super) async fn manifest(&self, access: &Access, repository: &str, reference: &str, method: &Method) -> Answer {
        self.allow(access, "ecr:BatchGetImage", repository)?;
        let view = self.store.view();
        let manifest = found(Reads::of(&view), &access.scope, repository, reference)?;
        let body = if method == Method::HEAD {
            Body::default()
        } else {
            Body::file(self.blobs.read(&manifest.digest).await?, manifest.size)
        };
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(manifest.size));
        for (name, value) in [("content-type", &manifest.media_type), ("docker-content-digest", &manifest.digest)] {
            headers.insert(name, HeaderValue::from_str(value).map_err(|_| Problem::Internal)?);
        }
        Ok(response)
    }

    /// `PUT`: all that it refers to must be there.
    pub(super) async fn put_manifest(
        &self,
        access: &Access,
        repository: &str,
        reference: &str,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Answer {
        let kept = self.allow(access, "ecr:PutImage", repository)?;
        let digest = names::digest_of(&body);
        let by_digest = names::is_digest(reference);
        if by_digest && reference != digest {
            return Err(Problem::DigestInvalid);
        }
        if !by_digest && !names::is_tag(reference) {
            return Err(Problem::TagInvalid(reference.to_owned()));
        }
        let (parsed, media_type) = parsed(&body, headers)?;
        self.blobs.keep(&ids::uuid(), &body, &digest).await?;
        let manifest = Manifest {
            id: held(repository, &digest),
            repository: repository.to_owned(),
            digest: digest.clone(),
            media_type,
            size: body.len() as u64,
            pushed: self.clock.now().as_second(),
        };
        let tag = (!by_digest).then(|| Tag::new(repository, reference, &digest));
        let write = |txn: &mut Txn<'_>| put(txn, &access.scope, &kept, &parsed, &manifest, tag.as_ref());
        self.store.write(write).await?;
        let location = format!("/v2/{repository}/manifests/{digest}");
        empty(StatusCode::CREATED, [("location", &location), ("docker-content-digest", &digest)])
    }

    /// `DELETE`: a tag alone, or a manifest with its tags.
    pub(super) async fn delete_manifest(&self, access: &Access, repository: &str, reference: &str) -> Answer {
        self.allow(access, "ecr:BatchDeleteImage", repository)?;
        let scope = &access.scope;
        let written = self.store.write(|txn| {
            let manifest = found(Reads::of(txn), scope, repository, reference)?;
            if !names::is_digest(reference) {
                txn.delete_record::<Tag>(scope, &tagged(repository, reference));
                return Ok(());
            }
            txn.delete_record::<Manifest>(scope, &manifest.id);
            for tag in txn.records::<Tag>(scope)? {
                if tag.repository == repository && tag.digest == manifest.digest {
                    txn.delete_record::<Tag>(scope, &tag.id);
                }
            }
            Ok::<_, Problem>(())
        });
        written.await?;
        empty(StatusCode::ACCEPTED, [])
    }
}

fn found(state: Reads<'_>, scope: &Scope, repository: &str, reference: &str) -> Result<Manifest, Problem> {
    let digest = if names::is_digest(reference) {
        reference.to_owned()
    } else {
        let tag: Option<Tag> = state.record(scope, &tagged(repository, reference))?;
        tag.ok_or(Problem::ManifestUnknown)?.digest
    };
    state.record(scope, &held(repository, &digest))?.ok_or(Problem::ManifestUnknown)
}

fn parsed(body: &[u8], headers: &HeaderMap) -> Result<(Parsed, String), Problem> {
    let parsed: Parsed =
        serde_json::from_slice(body).map_err(|error| Problem::ManifestInvalid(format!("manifest invalid: {error}")))?;
    if parsed.schema_version != 2 {
        return Err(Problem::ManifestInvalid("schemaVersion must be 2".to_owned()));
    }
    let sent = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let media_type = match (sent, parsed.media_type.as_deref()) {
        (Some(sent), Some(inside)) if sent != inside => {
            return Err(Problem::ManifestInvalid(format!("the media type is {sent} outside, {inside} inside")));
        }
        (Some(media_type), _) | (None, Some(media_type)) => media_type.to_owned(),
        (None, None) => return Err(Problem::ManifestInvalid("no media type".to_owned())),
    };
    Ok((parsed, media_type))
}

fn put(
    txn: &mut Txn<'_>,
    scope: &Scope,
    repository: &Repository,
    parsed: &Parsed,
    manifest: &Manifest,
    tag: Option<&Tag>,
) -> Result<(), Problem> {
    if txn.record::<Repository>(scope, &repository.name)?.is_none() {
        let (repository, account) = (repository.name.clone(), scope.account.clone());
        return Err(Problem::NameUnknown { repository, account });
    }
    for layer in parsed.config.iter().chain(&parsed.layers).filter(|layer| layer.urls.is_empty()) {
        if txn.record::<Blob>(scope, &held(&repository.name, &layer.digest))?.is_none() {
            return Err(Problem::ManifestBlobUnknown(layer.digest.clone()));
        }
    }
    for image in &parsed.manifests {
        if txn.record::<Manifest>(scope, &held(&repository.name, &image.digest))?.is_none() {
            return Err(Problem::ManifestBlobUnknown(image.digest.clone()));
        }
    }
    if let Some(tag) = tag {
        let before: Option<Tag> = txn.record(scope, &tag.id)?;
        if !repository.mutable && before.is_some_and(|before| before.digest != tag.digest) {
            return Err(Problem::TagImmutable(tag.tag.clone()));
        }
        txn.put_record(scope, tag)?;
    }
    Ok(txn.put_record(scope, manifest)?)
}
