//! One cluster's control plane, put together: store, keys, door, controllers, listeners.

mod bootstrap;
pub mod config;
mod iam;
mod kubelets;
mod material;
mod place;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use eksile_base::{Clock, files};
use eksile_kube::authenticate::Authenticator;
use eksile_kube::authenticate::static_tokens::StaticTokens;
use eksile_kube::listen::{Front, serve};
use eksile_kube::tokens::ServiceAccounts;
use eksile_kube::{Caller, Client, Door, Parts, Resources, Settings, Version};
use eksile_store::{Options, Store};

pub use config::Config;
use iam::Iam;
use kubelets::Kubelets;
use material::{ISSUER, Material};

/// Why a control plane did not start.
#[derive(Debug, thiserror::Error)]
pub enum PlaneError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] config::ConfigError),
    /// The store cannot be opened. One that is damaged was not changed.
    #[error("store: {0}")]
    Store(#[from] eksile_store::OpenError),
    /// The store's disk failed for good.
    #[error("the store takes no more writes")]
    Ended,
    /// Keys or certificates.
    #[error("pki: {0}")]
    Pki(#[from] eksile_pki::PkiError),
    /// A file.
    #[error("{0}: {1}")]
    File(String, std::io::Error),
    /// The token file.
    #[error("static tokens: {0}")]
    Tokens(#[from] eksile_kube::authenticate::static_tokens::LineError),
    /// A socket.
    #[error("listen on {0}: {1}")]
    Listen(std::net::SocketAddr, place::PlaceError),
    /// The verifier of IAM tokens.
    #[error("iam: {0}")]
    Iam(#[from] iam::IamError),
    /// The first objects.
    #[error("bootstrap: {0}")]
    Bootstrap(#[from] bootstrap::BootstrapError),
}

/// What a control plane says when it serves.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Ready {
    /// Base64 of the PEM of the cluster's CA, as `certificateAuthority.data` has it.
    pub certificate_authority_data: String,
    /// Addresses of the listeners.
    pub listeners: Vec<std::net::SocketAddr>,
}

/// Runs a control plane until the future is dropped. Returns only with an error.
///
/// # Errors
/// Why it could not start.
pub async fn run(config: Config) -> Result<std::convert::Infallible, PlaneError> {
    run_with(config, |_| {}).await
}

/// The same; `ready` is called when all listeners serve.
///
/// # Errors
/// Why it could not start.
pub async fn run_with(config: Config, ready: impl FnOnce(&Ready)) -> Result<std::convert::Infallible, PlaneError> {
    let service = config.service_address()?;
    let material = Material::load_or_create(&config, service)?;
    let store = Store::open(&config.data.join("store.db"), Options::default())?;
    let kept = store.clone();
    let (door, iam) = open(&config, &material, store)?;
    let system = Client::new(door.clone(), Caller::system("system:apiserver"), "kube-apiserver");
    bootstrap::bootstrap(&system, service).await?;
    if config.controllers {
        let cloud = iam.map(|iam| iam as Arc<dyn eksile_control::Instances>);
        eksile_control::start(&door, &material.authority, cloud);
    }
    let ca = material.authority.pem();
    let front = Front::new(&material.front, ca)?;
    let mut serving = Vec::new();
    let mut said = Ready { certificate_authority_data: STANDARD.encode(ca), listeners: Vec::new() };
    for listener in &config.listeners {
        let failed = |error| PlaneError::Listen(listener.address, error);
        let socket = place::listen(listener.netns.as_deref(), listener.address).await.map_err(failed)?;
        let at = socket.local_addr().map_err(|e| failed(e.into()))?;
        tracing::info!(address = %at, "serving");
        said.listeners.push(at);
        serving.push(tokio::spawn(serve(door.clone(), socket, front.clone())));
    }
    if let Some(path) = &config.ready_file {
        let failed = |error| PlaneError::File(path.display().to_string(), error);
        let said = serde_json::to_vec(&said).map_err(|error| failed(error.into()))?;
        files::replace(path, &said, files::PRIVATE).map_err(failed)?;
    }
    ready(&said);
    kept.ended().await;
    serving.iter().for_each(tokio::task::JoinHandle::abort);
    Err(PlaneError::Ended)
}

fn open(config: &Config, material: &Material, store: Store) -> Result<(Arc<Door>, Option<Arc<Iam>>), PlaneError> {
    let clock = Clock::system();
    let accounts = ServiceAccounts::new(material.signer.clone(), ISSUER.to_owned());
    let mut authenticators: Vec<Box<dyn Authenticator>> = Vec::new();
    if let Some(path) = &config.static_tokens {
        let text = std::fs::read_to_string(path).map_err(|e| PlaneError::File(path.display().to_string(), e))?;
        authenticators.push(Box::new(StaticTokens::parse(&text)?));
    }
    authenticators.push(Box::new(accounts.clone()));
    let iam = match &config.iam {
        Some(settings) => Some(Iam::new(settings, &config.cluster.region, clock.clone())?),
        None => None,
    };
    if let Some(iam) = &iam {
        authenticators.push(Box::new(iam::Shared(iam.clone())));
    }
    let door = Door::open(parts(config, material, store, clock, authenticators)?);
    accounts.attach(&door);
    if let Some(iam) = &iam {
        iam.attach(&door);
    }
    Ok((door, iam))
}

fn parts(
    config: &Config,
    material: &Material,
    store: Store,
    clock: Clock,
    authenticators: Vec<Box<dyn Authenticator>>,
) -> Result<Parts, PlaneError> {
    let kubelets = Kubelets::new(material.authority.pem(), &material.kubelet_client, config.kubelet_netns.clone())?;
    Ok(Parts {
        store,
        resources: Resources::from_rows(eksile_kinds::table::ROWS),
        schemas: eksile_kinds::schemas::builtin().clone(),
        descriptions: eksile_kinds::schemas::descriptions,
        clock,
        settings: Settings {
            version: Version {
                major: "1".to_owned(),
                minor: config.minor()?.to_string(),
                git: format!("v{}.0", config.cluster.version),
            },
            service_cidrs: vec![config.service_cidr.clone()],
            issuer: ISSUER.to_owned(),
            longest_token: Some(config.longest_token_seconds),
        },
        authenticators,
        validators: vec![Box::new(eksile_podsecurity::PodSecurity)],
        kubelets: Some(Arc::new(kubelets)),
        issuer: Some(material.signer.clone()),
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Deserialize)]
    struct Map {
        metadata: Name,
    }

    #[derive(Deserialize)]
    struct Name {
        name: String,
    }

    #[tokio::test]
    async fn a_collection_is_read_whole_though_in_pages() {
        let folder = tempfile::tempdir().unwrap();
        let config = json!({
            "cluster": { "name": "c", "id": "11111111-2222-4333-8444-555555555555", "version": "1.33",
                         "account": "111122223333", "region": "us-west-2" },
            "data": folder.path(), "listeners": [], "service_cidr": "10.100.0.0/16"
        });
        let config: Config = serde_json::from_value(config).unwrap();
        let service = config.service_address().unwrap();
        let material = Material::load_or_create(&config, service).unwrap();
        let (door, _) = open(&config, &material, Store::in_memory()).unwrap();
        let client = Client::new(door, Caller::system("system:apiserver"), "test");
        bootstrap::bootstrap(&client, service).await.unwrap();
        let path = "/api/v1/namespaces/default/configmaps";
        let wanted: Vec<String> = (0..1_001).map(|number| format!("map-{number:04}")).collect();
        for name in &wanted {
            client.create(path, &json!({ "metadata": { "name": name } })).await.unwrap();
        }
        let found: Vec<Map> = client.list(path).await.unwrap();
        let found: Vec<String> = found.into_iter().map(|map| map.metadata.name).collect();
        assert_eq!(found, wanted);
    }
}
