//! Who this node is: what the metadata service says of the instance, and what the machine offers.

use std::fs;
use std::io;
use std::net::IpAddr;

use serde::Deserialize;

use crate::aws::{Metadata, MetadataError};
use crate::config::Config;

/// Written by the instance's first process: the size its type promises.
pub const MACHINE: &str = "/run/eksile/machine.json";

/// A node's names, addresses and place.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The node's name: the private DNS name.
    pub name: String,
    /// Primary private address.
    pub address: IpAddr,
    /// Further addresses of the primary interface, for pods.
    pub pod_addresses: Vec<IpAddr>,
    /// `i-…`.
    pub instance_id: String,
    /// Such as `m5.large`.
    pub instance_type: String,
    /// Availability Zone.
    pub zone: String,
    /// Region.
    pub region: String,
}

impl Identity {
    /// Asks the metadata service.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn discover(config: &Config, metadata: &Metadata) -> Result<Self, MetadataError> {
        let base = "/latest/meta-data";
        let get = async |leaf: &str| metadata.get(&format!("{base}/{leaf}")).await;
        let address = |text: &str| text.trim().parse().map_err(|_| MetadataError::Malformed(text.to_owned()));
        let name = match &config.hostname_override {
            Some(name) => name.clone(),
            None => get("local-hostname").await?.split_whitespace().next().unwrap_or_default().to_owned(),
        };
        let own = match &config.node_ip {
            Some(text) => address(text)?,
            None => address(&get("local-ipv4").await?)?,
        };
        let mac = get("mac").await?;
        let listed = metadata.find(&format!("{base}/network/interfaces/macs/{}/local-ipv4s", mac.trim())).await?;
        let listed: Result<Vec<IpAddr>, _> = listed.unwrap_or_default().split_whitespace().map(address).collect();
        Ok(Self {
            name,
            address: own,
            pod_addresses: listed?.into_iter().filter(|one| *one != own).collect(),
            instance_id: get("instance-id").await?,
            instance_type: get("instance-type").await?,
            zone: get("placement/availability-zone").await?,
            region: get("placement/region").await?,
        })
    }
}

/// Processors and memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Machine {
    /// Virtual CPUs.
    pub vcpus: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
}

impl Machine {
    /// What the instance type promises, or what the kernel shows where nothing was promised.
    #[must_use]
    pub fn discover() -> Self {
        let promised = fs::read(MACHINE).and_then(|bytes| Ok(serde_json::from_slice(&bytes)?));
        match promised {
            Ok(machine) => machine,
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(%error, "{MACHINE}: the kernel's view is shown instead");
                }
                Self::of_kernel()
            }
        }
    }

    fn of_kernel() -> Self {
        let text = fs::read_to_string("/proc/meminfo").unwrap_or_else(|error| {
            tracing::warn!(%error, "/proc/meminfo: memory is shown as none");
            String::new()
        });
        let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:")).unwrap_or_default();
        let kib: u64 = total.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0);
        let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { vcpus: u32::try_from(count).unwrap_or(u32::MAX), memory_mib: kib / 1024 }
    }
}
