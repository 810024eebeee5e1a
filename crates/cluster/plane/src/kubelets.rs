//! The way to the kubelets: from the control plane's place, TLS, both sides known by the cluster's CA.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use eksile_kube::connect::{Io, KubeletDialer};
use futures::future::BoxFuture;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio_rustls::TlsConnector;

use crate::place;

/// The kubelet's port, when the node does not report one.
const PORT: u16 = 10250;
/// As long as upstream waits for a connection.
const PATIENCE: Duration = Duration::from_secs(30);

/// Dials kubelets at the address that their node reports.
pub(crate) struct Kubelets {
    connector: TlsConnector,
    netns: Option<PathBuf>,
}

impl Kubelets {
    pub(crate) fn new(
        ca: &str,
        client: &Arc<eksile_pki::Renewed>,
        netns: Option<PathBuf>,
    ) -> Result<Self, eksile_pki::PkiError> {
        let config = eksile_pki::client_config_renewed(ca, client)?;
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), netns })
    }

    async fn connect(&self, node: &Value) -> std::io::Result<Box<dyn Io>> {
        let address = address(node).ok_or_else(|| std::io::Error::other("the node reports no address"))?;
        let stream = place::connect(self.netns.as_deref(), address).await.map_err(std::io::Error::other)?;
        stream.set_nodelay(true)?;
        let stream = self.connector.connect(ServerName::IpAddress(address.ip().into()), stream).await?;
        Ok(Box::new(stream))
    }
}

/// Internal address first, as upstream's default order of kubelet address types prefers what a name need not resolve.
fn address(node: &Value) -> Option<SocketAddr> {
    let list = node.pointer("/status/addresses").and_then(Value::as_array)?;
    let of = |kind: &str| {
        list.iter().filter(|a| a["type"] == kind).find_map(|a| a["address"].as_str()?.parse::<IpAddr>().ok())
    };
    let port = node.pointer("/status/daemonEndpoints/kubeletEndpoint/Port").and_then(Value::as_u64);
    let port = port.and_then(|p| u16::try_from(p).ok()).filter(|p| *p != 0).unwrap_or(PORT);
    Some(SocketAddr::new(of("InternalIP").or_else(|| of("ExternalIP"))?, port))
}

impl KubeletDialer for Kubelets {
    fn dial<'a>(&'a self, node: &'a Value) -> BoxFuture<'a, std::io::Result<Box<dyn Io>>> {
        Box::pin(async move {
            match tokio::time::timeout(PATIENCE, self.connect(node)).await {
                Ok(result) => result,
                Err(_) => Err(std::io::Error::new(std::io::ErrorKind::TimedOut, "i/o timeout")),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn the_internal_address_goes_first() {
        let node = serde_json::json!({"status": {
            "addresses": [{"type": "Hostname", "address": "n"}, {"type": "ExternalIP", "address": "192.0.2.1"},
                          {"type": "InternalIP", "address": "192.0.2.2"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10255}}
        }});
        assert_eq!(address(&node), Some("192.0.2.2:10255".parse().unwrap()));
        assert_eq!(address(&serde_json::json!({})), None);
    }
}
