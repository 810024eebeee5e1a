//! Pulling blobs.

use std::io::SeekFrom;

use ::http::request::Parts;
use ::http::{HeaderValue, Method, Response, StatusCode, header};
use tokio::io::AsyncSeekExt as _;

use super::access::Access;
use super::{Answer, Body, Problem, Registry};
use crate::names;
use crate::records::{Blob, held};

impl Registry {
    /// `GET` and `HEAD /v2/NAME/blobs/DIGEST`, whole or one range.
    pub(super) async fn blob(&self, access: &Access, repository: &str, digest: &str, parts: &Parts) -> Answer {
        let head = parts.method == Method::HEAD;
        let action = if head { "ecr:BatchCheckLayerAvailability" } else { "ecr:GetDownloadUrlForLayer" };
        self.allow(access, action, repository)?;
        if !names::is_digest(digest) {
            return Err(Problem::DigestInvalid);
        }
        let blob: Option<Blob> = self.store.view().record(&access.scope, &held(repository, digest))?;
        let blob = blob.ok_or(Problem::BlobUnknown)?;
        let range = parts.headers.get(header::RANGE).and_then(|range| range.to_str().ok());
        let (start, end) = range.and_then(|range| one_range(range, blob.size)).unwrap_or((0, blob.size));
        let mut response = Response::new(Body::default());
        if !head {
            let mut file = self.blobs.read(digest).await?;
            file.seek(SeekFrom::Start(start)).await?;
            *response.body_mut() = Body::file(file, end - start);
        }
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(end - start));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        if let Ok(digest) = HeaderValue::from_str(digest) {
            headers.insert("docker-content-digest", digest);
        }
        if (start, end) != (0, blob.size) {
            if let Ok(range) = HeaderValue::from_str(&format!("bytes {start}-{}/{}", end - 1, blob.size)) {
                headers.insert(header::CONTENT_RANGE, range);
            }
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        Ok(response)
    }
}

/// Start and end (exclusive) of `bytes=A-B` or `bytes=A-`; any other range is ignored, as RFC 9110 allows.
fn one_range(range: &str, size: u64) -> Option<(u64, u64)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let start: u64 = first.parse().ok()?;
    let end = if last.is_empty() { size } else { last.parse::<u64>().ok()?.checked_add(1)?.min(size) };
    (start < end).then_some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        assert_eq!(one_range("bytes=2-", 10), Some((2, 10)));
        assert_eq!(one_range("bytes=2-3", 10), Some((2, 4)));
        assert_eq!(one_range("bytes=2-99", 10), Some((2, 10)));
        for ignored in
            ["bytes=-5", "bytes=9-2", "bytes=10-", "bytes=0-1,3-4", "lines=1-2", "bytes=0-18446744073709551615"]
        {
            assert_eq!(one_range(ignored, 10), None, "{ignored}");
        }
    }
}
