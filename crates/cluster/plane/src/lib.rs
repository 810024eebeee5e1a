//! One cluster's control plane, put together: store, keys, door, controllers, listeners.

mod bootstrap;
pub mod config;
mod material;

use std::path::Path;
use std::sync::Arc;

use eksile_base::Clock;
use eksile_kube::authenticate::Authenticator;
use eksile_kube::authenticate::static_tokens::StaticTokens;
use eksile_kube::listen::{Front, serve};
use eksile_kube::tokens::ServiceAccounts;
use eksile_kube::{Caller, Client, Door, Parts, Resources, Settings, Version};
use eksile_store::{Options, Store};
use tokio::net::TcpListener;

pub use config::Config;
use material::{ISSUER, Material};

/// Why a control plane did not start.
#[derive(Debug, thiserror::Error)]
pub enum PlaneError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] config::ConfigError),
    /// The store cannot be opened.
    #[error("store: {0}")]
    Store(#[from] eksile_store::OpenError),
    /// Keys or certificates.
    #[error("pki: {0}")]
    Pki(#[from] eksile_pki::PkiError),
    /// The serving certificate does not fit.
    #[error(transparent)]
    Tls(#[from] eksile_kube::listen::TlsError),
    /// A file.
    #[error("{0}: {1}")]
    File(String, std::io::Error),
    /// The token file.
    #[error("static tokens: {0}")]
    Tokens(#[from] eksile_kube::authenticate::static_tokens::LineError),
    /// A socket.
    #[error("listen on {0}: {1}")]
    Listen(std::net::SocketAddr, std::io::Error),
    /// The first objects.
    #[error("bootstrap: {0}")]
    Bootstrap(#[from] bootstrap::BootstrapError),
}

/// Runs a control plane until the future is dropped. Returns only with an error.
///
/// # Errors
/// Why it could not start.
pub async fn run(config: Config) -> Result<std::convert::Infallible, PlaneError> {
    let service = config.service_address()?;
    let material = Material::load_or_create(&config, service)?;
    let store = Store::open(&config.data.join("store.db"), Options::default())?;
    let accounts = ServiceAccounts::new(material.signer.clone(), ISSUER.to_owned());
    let parts = parts(&config, &material, store, &accounts)?;
    let door = Door::open(parts);
    accounts.attach(&door);
    let system = Client::new(door.clone(), Caller::system("system:apiserver"), "kube-apiserver");
    bootstrap::bootstrap(&system, service).await?;
    let front = Front::new(
        material.front.cert_pem.as_bytes(),
        material.front.key_pem.as_bytes(),
        material.authority.pem().as_bytes(),
    )?;
    let mut serving = Vec::new();
    let mut ready = String::new();
    for listener in &config.listeners {
        let socket = bind(listener).await?;
        let at = socket.local_addr().map_err(|e| PlaneError::Listen(listener.address, e))?;
        tracing::info!(address = %at, "serving");
        ready.push_str(&format!("https://{at}\n"));
        serving.push(tokio::spawn(serve(door.clone(), socket, front.clone())));
    }
    if let Some(path) = &config.ready_file {
        write_whole(path, &ready)?;
    }
    futures::future::join_all(serving).await;
    std::future::pending().await
}

fn parts(config: &Config, material: &Material, store: Store, accounts: &Arc<ServiceAccounts>) -> Result<Parts, PlaneError> {
    let mut authenticators: Vec<Box<dyn Authenticator>> = Vec::new();
    if let Some(path) = &config.static_tokens {
        let text = std::fs::read_to_string(path).map_err(|e| PlaneError::File(path.display().to_string(), e))?;
        authenticators.push(Box::new(StaticTokens::parse(&text)?));
    }
    authenticators.push(Box::new(accounts.clone()));
    Ok(Parts {
        store,
        resources: Resources::from_rows(eksile_kinds::table::ROWS),
        schemas: eksile_kinds::schemas::builtin().clone(),
        clock: Clock::system(),
        settings: Settings {
            version: Version {
                major: "1".to_owned(),
                minor: config.minor()?.to_string(),
                git: format!("v{}.0", config.cluster.version),
            },
            service_cidrs: vec![config.service_cidr.clone()],
            issuer: ISSUER.to_owned(),
        },
        authenticators,
        kubelets: None,
        issuer: Some(material.signer.clone()),
    })
}

async fn bind(listener: &config::Listener) -> Result<TcpListener, PlaneError> {
    TcpListener::bind(listener.address).await.map_err(|e| PlaneError::Listen(listener.address, e))
}

/// Whole or not at all: written beside, then moved into place.
fn write_whole(path: &Path, text: &str) -> Result<(), PlaneError> {
    let failed = |error| PlaneError::File(path.display().to_string(), error);
    let beside = path.with_extension("new");
    std::fs::write(&beside, text).map_err(failed)?;
    std::fs::rename(&beside, path).map_err(failed)
}
