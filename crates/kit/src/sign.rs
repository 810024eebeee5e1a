//! Signature Version 4, from the caller's side, written apart from the door's.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use bytes::Bytes;
use http::Request;
use jiff::Timestamp;

/// A key to sign with.
#[derive(Debug, Clone, Copy)]
pub struct Signer<'a> {
    /// Access key id.
    pub access_key_id: &'a str,
    /// Secret access key.
    pub secret: &'a str,
    /// Signing name.
    pub service: &'a str,
    /// Region.
    pub region: &'a str,
}

impl Signer<'_> {
    /// A signed `POST /` of a body with these headers, now.
    ///
    /// # Panics
    /// When a header is no header.
    #[must_use]
    pub fn post(&self, headers: &[(&str, &str)], body: &str) -> Request<Bytes> {
        self.post_at(Timestamp::now(), headers, body)
    }

    /// A signed `POST /` of a body with these headers, stamped with a time.
    ///
    /// # Panics
    /// When a header is no header.
    #[must_use]
    pub fn post_at(&self, now: Timestamp, headers: &[(&str, &str)], body: &str) -> Request<Bytes> {
        self.request(now, "POST", "/", headers, body)
    }

    /// A signed `GET` of a path without a query string, or of one whose query string is in canonical form.
    ///
    /// # Panics
    /// When the path is none.
    #[must_use]
    pub fn get_at(&self, now: Timestamp, path: &str) -> Request<Bytes> {
        self.request(now, "GET", path, &[], "")
    }

    /// A signed request of any method and path, stamped with a time.
    ///
    /// # Panics
    /// When the path or a header is none.
    #[must_use]
    pub fn request(
        &self,
        now: Timestamp,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Request<Bytes> {
        let stamp = now.strftime("%Y%m%dT%H%M%SZ").to_string();
        let mut all: Vec<(&str, &str)> = headers.to_vec();
        all.extend([("host", "127.0.0.1"), ("x-amz-date", &stamp)]);
        all.sort_unstable();
        let names = all.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let lines: String = all.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let hash = |text: &str| hex::encode(digest(&SHA256, text.as_bytes()));
        let (bare, query) = path.split_once('?').unwrap_or((path, ""));
        let bare = bare.replace('%', "%25");
        let canonical = format!("{method}\n{bare}\n{query}\n{lines}\n{names}\n{}", hash(body));
        let scope = format!("{}/{}/{}/aws4_request", &stamp[..8], self.region, self.service);
        let text = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", hash(&canonical));
        let first = Key::new(HMAC_SHA256, format!("AWS4{}", self.secret).as_bytes());
        let key = scope.split('/').fold(first, |key, part| Key::new(HMAC_SHA256, sign(&key, part.as_bytes()).as_ref()));
        let signature = hex::encode(sign(&key, text.as_bytes()));
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            self.access_key_id
        );
        let mut request = Request::builder().method(method).uri(path).header("authorization", authorization);
        for (name, value) in all {
            request = request.header(name, value);
        }
        request.body(Bytes::from(body.to_owned())).expect("a request")
    }

    /// A signed operation of a query protocol; `parameters` is a form without `Version`.
    #[must_use]
    pub fn query(&self, version: &str, parameters: &str) -> Request<Bytes> {
        let form = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        self.post(&form, &format!("{parameters}&Version={version}"))
    }

    /// A signed operation of a JSON protocol.
    #[must_use]
    pub fn json(&self, target: &str, body: &str) -> Request<Bytes> {
        self.post(&[("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target)], body)
    }
}
