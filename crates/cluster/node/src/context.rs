//! What every part of the kubelet needs, and what the node has to give.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::api::Api;
use crate::config::{Config, KubeletConfiguration};
use crate::identity::{Identity, Machine};
use crate::images::{Images, Puller};
use crate::pod::{Events, Ipc, Network, Room, View};
use crate::quantity;
use crate::server::Streams;

/// Made once, when the node knows who it is and may speak to the API server.
pub(crate) struct Context {
    pub(crate) config: Config,
    pub(crate) kubelet: KubeletConfiguration,
    pub(crate) identity: Identity,
    pub(crate) machine: Machine,
    pub(crate) api: Arc<Api>,
    pub(crate) images: Arc<Images>,
    pub(crate) puller: Puller,
    pub(crate) cluster_ca: Vec<u8>,
    pub(crate) network: Network,
    pub(crate) events: Events,
    pub(crate) streams: Streams,
    /// By uid.
    pub(crate) pods: RwLock<HashMap<String, View>>,
    pub(crate) since: jiff::Timestamp,
}

impl Context {
    /// What the containers of a pod share besides its network.
    pub(crate) fn ipc(&self, uid: &str) -> Ipc {
        Ipc::of(&self.config.run, uid)
    }

    /// What pods may have together: what there is, less what is kept for the node's own programs.
    pub(crate) fn room(&self) -> Room {
        let reserved = |name: &str| self.kubelet.kube_reserved.get(name).and_then(|text| quantity::units(text));
        let cpu = self.kubelet.kube_reserved.get("cpu").and_then(|text| quantity::milli(text)).unwrap_or(0);
        let evicted = self.kubelet.eviction_hard.get("memory.available").and_then(|text| quantity::units(text));
        let memory = self.memory().saturating_sub(reserved("memory").unwrap_or(0));
        let storage = (self.disk() / 10 * 9).saturating_sub(reserved("ephemeral-storage").unwrap_or(0));
        Room {
            cpu: (i64::from(self.machine.vcpus) * 1000).saturating_sub(cpu).max(0),
            memory: memory.saturating_sub(evicted.unwrap_or(0)).max(0),
            storage: storage.max(0),
            pods: self.kubelet.max_pods.into(),
        }
    }

    /// Bytes of memory.
    pub(crate) fn memory(&self) -> i64 {
        i64::try_from(self.machine.memory_mib).unwrap_or(i64::MAX).saturating_mul(1024 * 1024)
    }

    /// Bytes on the disk that images and containers are on.
    pub(crate) fn disk(&self) -> i64 {
        match rustix::fs::statvfs(&self.config.state) {
            Ok(disk) => i64::try_from(disk.f_blocks.saturating_mul(disk.f_frsize)).unwrap_or(i64::MAX),
            Err(error) => {
                tracing::warn!(%error, "the size of {} is unknown: pods get none of it", self.config.state.display());
                0
            }
        }
    }
}
