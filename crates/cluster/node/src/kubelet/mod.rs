//! The kubelet: joins the cluster, keeps the node's word, runs the pods bound to it.

mod certificates;
mod csr;
mod register;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;

pub use certificates::CertificateError;
pub use csr::CsrError;

use crate::api::Api;
use crate::aws::{Metadata, cluster_token};
use crate::config::{Bootstrap, BootstrapCredential, Config, ConfigError};
use crate::context::Context;
use crate::identity::{Identity, Machine};
use crate::images::{Images, Puller};
use crate::pod::{self, Events, Network, NetworkError};
use crate::server;
use crate::web::{self, WebError};
use certificates::{Kept, Wanted};

/// The version the kubelet reports: that of the API it was written against.
pub const VERSION: &str = "v1.33.0";
const RETRY: Duration = Duration::from_secs(1);

/// Why the kubelet ended.
#[derive(Debug, thiserror::Error)]
pub enum KubeletError {
    /// Its configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An authority or certificate.
    #[error(transparent)]
    Web(#[from] WebError),
    /// The network of pods.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A directory.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// Runs the kubelet until its process is ended. Containers do not end with it.
///
/// # Errors
/// Only for what waiting cannot cure: configuration and disk.
pub async fn run(config: Config) -> Result<(), KubeletError> {
    let io = |what| move |source| KubeletError::Io { what, source };
    let kubelet = config.kubelet()?;
    let bootstrap = Bootstrap::read(&config.bootstrap_kubeconfig)?;
    for directory in [&config.root, &config.state, &config.run, &config.logs] {
        fs::create_dir_all(directory).map_err(io("make a directory"))?;
    }
    let trust = fs::read(&config.trust).map_err(io("read the trusted authorities"))?;
    let tls = web::tls(&trust, None, &[b"http/1.1"])?;
    let metadata = Arc::new(Metadata::new(&config.metadata, tls.clone()));
    let identity = patiently("metadata", || Identity::discover(&config, &metadata)).await;
    tracing::info!(node = identity.name, address = %identity.address, "starting kubelet");
    let client = join(&config, &bootstrap, &identity, &metadata).await;
    let api = Arc::new(Api::with_certificate(&bootstrap.server, &bootstrap.ca_pem, &client.pem)?);
    let network = Network::open(&config.run, &identity.pod_addresses)?;
    let images = Arc::new(Images::open(&config.state.join("images")).map_err(io("open the image store"))?);
    let context = Arc::new(Context {
        kubelet,
        machine: Machine::discover(),
        events: Events::start(api.clone(), &identity.name),
        api,
        network,
        streams: server::Streams::default(),
        pods: RwLock::new(HashMap::new()),
        puller: Puller::new(images.clone(), tls, metadata),
        images,
        cluster_ca: bootstrap.ca_pem,
        since: jiff::Timestamp::now(),
        identity,
        config,
    });
    tokio::join!(register::run(context.clone()), pod::run(context.clone()), renew(&context, client), serve(&context),);
    Ok(())
}

/// Repeats until it works, with a pause; what failed is said each time.
async fn patiently<T, E: std::fmt::Display>(what: &str, mut work: impl AsyncFnMut() -> Result<T, E>) -> T {
    loop {
        match work().await {
            Ok(done) => return done,
            Err(error) => tracing::warn!(%error, what, "will retry"),
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// TLS bootstrap: a certificate kept from before, or one asked for with the first credential.
async fn join(config: &Config, bootstrap: &Bootstrap, identity: &Identity, metadata: &Metadata) -> Kept {
    let wanted = Wanted::client(&identity.name, &config.root);
    if let Some(kept) = wanted.kept() {
        tracing::info!(expires = %kept.expires, "using the certificate in {}", wanted.file.display());
        return kept;
    }
    tracing::info!("using bootstrap kubeconfig to generate TLS client cert, key and kubeconfig file");
    patiently("TLS bootstrap", async || {
        let token = match &bootstrap.credential {
            BootstrapCredential::Token(token) => token.clone(),
            BootstrapCredential::Iam { cluster, region } => {
                let credentials = metadata.credentials().await.map_err(|error| error.to_string())?;
                cluster_token(&credentials, region, cluster, jiff::Timestamp::now())
            }
        };
        let api = Api::with_token(&bootstrap.server, &bootstrap.ca_pem, token).map_err(|error| error.to_string())?;
        wanted.obtain(&api).await.map_err(|error| error.to_string())
    })
    .await
}

/// Renews the client certificate for ever.
async fn renew(context: &Context, mut client: Kept) {
    let wanted = Wanted::client(&context.identity.name, &context.config.root);
    loop {
        tokio::time::sleep(client.renew_in()).await;
        client = patiently("certificate rotation", async || wanted.obtain(&context.api).await).await;
        if let Err(error) = context.api.exchange(&client.pem) {
            tracing::error!(%error, "the new certificate cannot be used");
        }
    }
}

/// Gets the serving certificate, serves with it, and exchanges it before it expires.
async fn serve(context: &Arc<Context>) {
    let wanted = Wanted::serving(&context.identity.name, context.identity.address, &context.config.root);
    let authority = match &context.kubelet.authentication.x509.client_ca_file {
        Some(path) => patiently("client authority", async || fs::read(path)).await,
        None => context.cluster_ca.clone(),
    };
    let obtain = async || wanted.obtain(&context.api).await;
    let mut kept = match wanted.kept() {
        Some(kept) => kept,
        None => patiently("serving certificate", obtain).await,
    };
    let mut current: Option<tokio::sync::watch::Sender<_>> = None;
    loop {
        match (server::acceptor(&kept.pem, &authority), &current) {
            (Err(error), _) => tracing::error!(%error, "the serving certificate cannot be used"),
            (Ok(acceptor), Some(current)) => drop(current.send_replace(acceptor)),
            (Ok(acceptor), None) => {
                let (sender, receiver) = tokio::sync::watch::channel(acceptor);
                let context = context.clone();
                tokio::spawn(serve_for_ever(context, receiver));
                current = Some(sender);
            }
        }
        tokio::time::sleep(kept.renew_in()).await;
        kept = patiently("serving certificate", obtain).await;
    }
}

async fn serve_for_ever(context: Arc<Context>, acceptor: tokio::sync::watch::Receiver<tokio_rustls::TlsAcceptor>) {
    loop {
        if let Err(error) = server::serve(context.clone(), acceptor.clone()).await {
            tracing::warn!(%error, "kubelet server, will retry");
        }
        tokio::time::sleep(RETRY).await;
    }
}
