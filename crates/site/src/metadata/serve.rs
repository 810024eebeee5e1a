use std::{convert::Infallible, net::IpAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use eksile_ec2::records::Instance;
use eksile_linux::socket::accept;
use eksile_store::{RecordError, Scope, Store};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::{Credentials, Tree, tokens::Tokens};

const TOKEN: &str = "x-aws-ec2-metadata-token";
const TOKEN_TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";
const LONGEST: u64 = 21600;
const ROLES: &str = "latest/meta-data/iam/security-credentials";

struct Service {
    store: Store,
    vpc_id: String,
    credentials: Arc<dyn Credentials>,
    tokens: Tokens,
}

/// Serves the instances of one VPC, for ever.
pub async fn serve(store: Store, vpc_id: String, credentials: Arc<dyn Credentials>, listener: TcpListener) {
    let service = Arc::new(Service { store, vpc_id, credentials, tokens: Tokens::default() });
    loop {
        let (stream, caller) = accept(&listener).await;
        let service = Arc::clone(&service);
        tokio::spawn(async move {
            let answer = service_fn(|request| service.answer(request, caller.ip()));
            if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await {
                tracing::debug!(%error, %caller, "a metadata connection ended");
            }
        });
    }
}

impl Service {
    async fn answer(&self, request: Request<Incoming>, caller: IpAddr) -> Result<Response<Full<Bytes>>, Infallible> {
        let answer = match self.find(&caller.to_string()) {
            Ok(Some((scope, instance))) => self.route(&request, &scope, &instance).await,
            Ok(None) => Err(StatusCode::NOT_FOUND),
            Err(error) => {
                tracing::error!(%error, "metadata cannot be read");
                Err(StatusCode::INTERNAL_SERVER_ERROR)
            }
        };
        let (status, body) = match answer {
            Ok(body) => (StatusCode::OK, body),
            Err(status) => (status, Vec::new()),
        };
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = status;
        Ok(response)
    }

    /// The instance that has an address, pods' addresses included.
    fn find(&self, address: &str) -> Result<Option<(Scope, Instance)>, RecordError> {
        let view = self.store.view();
        for (scope, interface) in view.all_records::<eksile_ec2::records::NetworkInterface>()? {
            let has = interface.private_ip == address || interface.secondary_private_ips.iter().any(|ip| ip == address);
            if interface.vpc_id == self.vpc_id && has {
                let Some(attachment) = interface.attachment else { return Ok(None) };
                return Ok(view.record(&scope, &attachment.instance_id)?.map(|instance| (scope, instance)));
            }
        }
        Ok(None)
    }

    async fn route(&self, request: &Request<Incoming>, scope: &Scope, of: &Instance) -> Result<Vec<u8>, StatusCode> {
        let path = request.uri().path().trim_matches('/');
        let header = |name| request.headers().get(name).map(|value| value.to_str().unwrap_or_default());
        match *request.method() {
            Method::PUT if path == "latest/api/token" => {
                let seconds = header(TOKEN_TTL).and_then(|text| text.parse().ok());
                let seconds = seconds.filter(|s| (1..=LONGEST).contains(s)).ok_or(StatusCode::BAD_REQUEST)?;
                Ok(self.tokens.make(&of.instance_id, Duration::from_secs(seconds)).into_bytes())
            }
            Method::GET | Method::HEAD => {
                let delivery = if header(TOKEN).is_some() { "2.0" } else { "1.0" };
                if header(TOKEN).is_some_and(|token| !self.tokens.check(token, &of.instance_id)) {
                    return Err(StatusCode::UNAUTHORIZED);
                }
                match path.strip_prefix(ROLES) {
                    Some(rest) => self.role(rest.trim_matches('/'), of, delivery).await,
                    None => self.leaf(path, scope, of),
                }
            }
            _ => Err(StatusCode::METHOD_NOT_ALLOWED),
        }
    }

    fn leaf(&self, path: &str, scope: &Scope, instance: &Instance) -> Result<Vec<u8>, StatusCode> {
        let tree = Tree::of(&self.store.view(), scope, instance).map_err(|error| {
            tracing::error!(%error, "metadata cannot be read");
            StatusCode::INTERNAL_SERVER_ERROR
        })?;
        tree.get(path).ok_or(StatusCode::NOT_FOUND)
    }

    /// The name of the instance's role, or its credentials.
    async fn role(&self, name: &str, instance: &Instance, delivery: &str) -> Result<Vec<u8>, StatusCode> {
        if instance.instance_profile.is_none() {
            return Err(StatusCode::NOT_FOUND);
        }
        let document = self.credentials.of(&instance.instance_id, delivery).await.map_err(|reason| {
            tracing::warn!(reason, instance = instance.instance_id, "no credentials for the instance's role");
            StatusCode::SERVICE_UNAVAILABLE
        })?;
        let role = document.get("RoleName").and_then(|role| role.as_str()).unwrap_or_default().to_owned();
        match name {
            "" => Ok(role.into_bytes()),
            name if name == role => {
                let mut document = document;
                if let Some(members) = document.as_object_mut() {
                    members.remove("RoleName");
                }
                Ok(document.to_string().into_bytes())
            }
            _ => Err(StatusCode::NOT_FOUND),
        }
    }
}
