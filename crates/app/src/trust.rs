//! The installation's own authorities: one for the service links, one that stands for the public web's.
//!
//! Certificates are issued anew at every start of a process, and while it runs before they end; only the authorities are
//! kept.

use std::{path::PathBuf, sync::Arc};

use anyhow::{Context, Result};
use eksile_pki::{Authority, ClientAuth, Identity, Renewed, SanName, client_config_renewed, server_config};
use jiff::SignedDuration;
use rustls::{ClientConfig, ServerConnection};
use tokio_rustls::TlsAcceptor;

use crate::{layout::Layout, world_config::WorldConfig};

/// The name that the Region's end of a link bears.
pub(crate) const REGION: &str = "region.eksile.internal";
/// Organization of a site's certificate.
const SITES: &str = "eksile:sites";
const AUTHORITY_YEARS: u16 = 10;
const LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 365);

fn link(layout: &Layout) -> PathBuf {
    layout.pki().join("link")
}

fn web(layout: &Layout) -> PathBuf {
    layout.pki().join("web")
}

/// Makes what is missing; called before any process needs it.
pub(crate) fn prepare(layout: &Layout) -> Result<()> {
    for (folder, name) in [(link(layout), "Eksile service link"), (web(layout), "Eksile web")] {
        if !folder.join("ca.crt").exists() {
            let authority = Authority::create(name, AUTHORITY_YEARS)?;
            authority.save(&folder).with_context(|| format!("saving the authority in {}", folder.display()))?;
        }
    }
    Ok(())
}

/// The authority of the Region's endpoints, which instances trust: a PEM file.
pub(crate) fn authority(layout: &Layout) -> PathBuf {
    web(layout).join("ca.crt")
}

/// The Region's end of the service links: a caller must bring a site's certificate.
pub(crate) fn link_server(layout: &Layout) -> Result<TlsAcceptor> {
    let authority = Authority::load(&link(layout))?;
    let pem = authority.pem().to_owned();
    let shown = Renewed::new(move || authority.issue_server(&[SanName::Dns(REGION.to_owned())], LIFETIME))?;
    let config = server_config(&shown, ClientAuth::Required(&pem), &[])?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// A site's end.
pub(crate) fn link_client(layout: &Layout, site: &str) -> Result<Arc<ClientConfig>> {
    let authority = Authority::load(&link(layout))?;
    let (pem, site) = (authority.pem().to_owned(), site.to_owned());
    let shown = Renewed::new(move || authority.issue_client(&site, &[SITES], LIFETIME))?;
    Ok(Arc::new(client_config_renewed(&pem, &shown)?))
}

/// The site that a stream's certificate names; TLS has verified the certificate.
pub(crate) fn peer_name(connection: &ServerConnection) -> Option<String> {
    let certificate = connection.peer_certificates()?.first()?;
    match Identity::read(certificate) {
        Ok(identity) if identity.organizations.iter().any(|o| o == SITES) => Some(identity.common_name),
        Ok(_) => None,
        Err(error) => {
            tracing::warn!(%error, "a link's certificate cannot be read");
            None
        }
    }
}

/// The Region's public endpoints inside the fabric, under AWS's names.
pub(crate) fn endpoint_server(layout: &Layout, config: &WorldConfig) -> Result<TlsAcceptor> {
    let authority = Authority::load(&web(layout))?;
    let (region, account) = (&config.region, &config.account);
    let names = [
        "amazonaws.com".to_owned(),
        "*.amazonaws.com".to_owned(),
        format!("*.{region}.amazonaws.com"),
        format!("api.ecr.{region}.amazonaws.com"),
        format!("{account}.dkr.ecr.{region}.amazonaws.com"),
    ];
    let names: Vec<SanName> = names.into_iter().map(SanName::Dns).collect();
    let shown = Renewed::new(move || authority.issue_server(&names, LIFETIME))?;
    let config = server_config(&shown, ClientAuth::None, &["h2", "http/1.1"])?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
