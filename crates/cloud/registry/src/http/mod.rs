//! The OCI distribution API.

mod access;
mod blob;
mod body;
mod manifest;
mod places;
mod problem;
mod route;
mod tags;
mod upload;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use ::http::{HeaderValue, Method, Request, Response, StatusCode, header};
use bytes::Bytes;
use eksile_aws::{Directory, Vantage};
use eksile_base::Clock;
use eksile_store::Store;
use http_body::Body as HttpBody;

pub use body::Body;
use places::Places;
use problem::Problem;
use route::Route;
use upload::Upload;

use crate::blobs::{Blobs, OpenError};
use crate::records;

/// Where images are pushed and pulled.
pub struct Registry {
    store: Store,
    clock: Clock,
    directory: Arc<dyn Directory>,
    blobs: Blobs,
    places: Places,
    uploads: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Option<Upload>>>>>,
}

type Answer = Result<Response<Body>, Problem>;

impl Registry {
    /// Opens the registry whose blobs are in `dir`.
    ///
    /// # Errors
    /// The folder cannot be used, or a record cannot be read.
    pub fn open(dir: PathBuf, store: Store, clock: Clock, directory: Arc<dyn Directory>) -> Result<Self, OpenError> {
        let view = store.view();
        let blobs = view.all_records::<records::Blob>()?.into_iter().map(|(_, blob)| blob.digest);
        let manifests = view.all_records::<records::Manifest>()?.into_iter().map(|(_, manifest)| manifest.digest);
        let wanted: HashSet<String> = blobs.chain(manifests).collect();
        let blobs = Blobs::open(dir, &wanted)?;
        Ok(Self { store, clock, directory, blobs, places: Places::default(), uploads: Mutex::default() })
    }

    /// Answers one request whose path begins with `/v2`.
    pub async fn handle<B>(&self, request: Request<B>, from: &Vantage) -> Response<Body>
    where
        B: HttpBody<Data = Bytes> + Unpin,
        B::Error: std::fmt::Display,
    {
        let mut response = match self.answer(request, from).await {
            Ok(response) => response,
            Err(problem) => problem.response(),
        };
        let version = HeaderValue::from_static("registry/2.0");
        response.headers_mut().insert("docker-distribution-api-version", version);
        response
    }

    async fn answer<B>(&self, request: Request<B>, from: &Vantage) -> Answer
    where
        B: HttpBody<Data = Bytes> + Unpin,
        B::Error: std::fmt::Display,
    {
        let access = self.authenticate(&request, from)?;
        let (parts, body) = request.into_parts();
        let route = Route::of(parts.uri.path()).ok_or(Problem::NotFound)?;
        match (&parts.method, route) {
            (&Method::GET | &Method::HEAD, Route::Base) => Ok(json(&serde_json::json!({}))),
            (&Method::GET, Route::Tags { repository }) => self.tags(&access, repository, parts.uri.query()),
            (&Method::GET | &Method::HEAD, Route::Blob { repository, digest }) => {
                self.blob(&access, repository, digest, &parts).await
            }
            (&Method::GET | &Method::HEAD, Route::Manifest { repository, reference }) => {
                self.manifest(&access, repository, reference, &parts.method).await
            }
            (&Method::PUT, Route::Manifest { repository, reference }) => {
                let body = body::whole(body).await?;
                self.put_manifest(&access, repository, reference, &parts.headers, body).await
            }
            (&Method::DELETE, Route::Manifest { repository, reference }) => {
                self.delete_manifest(&access, repository, reference).await
            }
            (&Method::POST, Route::Uploads { repository }) => {
                self.begin_upload(&access, repository, parts.uri.query(), body).await
            }
            (&Method::GET, Route::Upload { repository, id }) => self.upload_status(&access, repository, id).await,
            (&Method::PATCH, Route::Upload { repository, id }) => {
                self.continue_upload(&access, repository, id, &parts.headers, body).await
            }
            (&Method::PUT, Route::Upload { repository, id }) => {
                self.finish_upload(&access, repository, id, parts.uri.query(), body).await
            }
            (&Method::DELETE, Route::Upload { repository, id }) => self.abandon_upload(&access, repository, id).await,
            _ => Err(Problem::Unsupported),
        }
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("blobs", &self.blobs).finish_non_exhaustive()
    }
}

/// A JSON answer.
fn json(value: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(Body::from(value.to_string()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An answer without a body.
fn empty<const N: usize>(status: StatusCode, headers: [(&'static str, &str); N]) -> Answer {
    let mut response = Response::new(Body::default());
    *response.status_mut() = status;
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_str(value).map_err(|_| Problem::NameInvalid)?);
    }
    Ok(response)
}
