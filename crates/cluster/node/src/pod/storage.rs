//! How much of the disk a pod uses, and whether that is more than it said (Kubernetes documentation, "Local ephemeral
//! storage"): such a pod is evicted.

use std::io;
use std::ops::Not;
use std::path::PathBuf;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Pod};

use super::verdict::Verdict;
use crate::quantity;
use eksile_linux::tree::used;

/// How often it is measured (`housekeepingInterval` of the eviction manager).
pub(crate) const EVERY: Duration = Duration::from_secs(10);

/// What its containers have to end: it takes what others need.
const SOON: Duration = Duration::from_secs(1);

/// A part of the disk with a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limit {
    /// What lies there is counted together.
    pub(crate) places: Vec<PathBuf>,
    /// In bytes.
    pub(crate) most: i64,
    /// What is said when it is more.
    pub(crate) text: String,
}

/// The limits of a pod's volumes on disk; `place` says where one lies.
pub(crate) fn of_volumes(pod: &Pod, place: impl Fn(&str) -> PathBuf) -> Vec<Limit> {
    let volumes = pod.spec.iter().filter_map(|spec| spec.volumes.as_ref()).flatten();
    let limits = volumes.filter_map(|volume| {
        let empty = volume.empty_dir.as_ref().filter(|empty| empty.medium.as_deref() != Some("Memory"))?;
        let limit = &empty.size_limit.as_ref()?.0;
        let most = quantity::units(limit).filter(|most| *most > 0)?;
        let text = format!("Usage of EmptyDir volume \"{}\" exceeds the limit \"{limit}\". ", volume.name);
        Some(Limit { places: vec![place(&volume.name)], most, text })
    });
    limits.collect()
}

/// A container's own limit, on what it wrote into its root and its logs.
pub(crate) fn of_container(container: &Container, places: Vec<PathBuf>) -> Option<Limit> {
    let limit = &container.resources.as_ref()?.limits.as_ref()?.get("ephemeral-storage")?.0;
    let most = quantity::units(limit)?;
    let text = format!("Container {} exceeded its local ephemeral storage limit \"{limit}\". ", container.name);
    Some(Limit { places, most, text })
}

/// The first limit that is passed. Blocks: it looks at every file.
pub(crate) fn passed(limits: &[Limit]) -> Option<Verdict> {
    // What cannot be measured is too much.
    let over = |limit: &&Limit| {
        let used: io::Result<u64> = limit.places.iter().map(|place| used(place)).sum();
        used.is_ok_and(|used| used <= limit.most.unsigned_abs()).not()
    };
    let limit = limits.iter().find(over)?;
    let message = limit.text.clone();
    Some(Verdict { reason: "Evicted", message, rejected: false, grace: Some(SOON) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::fs;

    #[test]
    fn a_volume_beyond_its_limit_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let place = |name: &str| directory.path().join(name);
        let volume = |name: &str, empty: serde_json::Value| json!({"name": name, "emptyDir": empty});
        let volumes = [
            volume("big", json!({"sizeLimit": "1Mi"})),
            volume("free", json!({})),
            volume("memory", json!({"medium": "Memory", "sizeLimit": "1"})),
        ];
        let spec = json!({"containers": [], "volumes": volumes});
        let pod: Pod = serde_json::from_value(json!({"metadata": {}, "spec": spec})).unwrap();
        let limits = of_volumes(&pod, place);
        assert_eq!(limits.len(), 1);
        fs::create_dir_all(place("big/below")).unwrap();
        assert_eq!(passed(&limits), None);
        fs::write(place("big/below/file"), vec![1; 2 << 20]).unwrap();
        let verdict = passed(&limits).unwrap();
        assert_eq!(verdict.reason, "Evicted");
        assert_eq!(verdict.told(), "Usage of EmptyDir volume \"big\" exceeds the limit \"1Mi\". ");
    }

    #[test]
    fn a_container_has_a_limit_of_its_own() {
        let limited = json!({"name": "c", "resources": {"limits": {"ephemeral-storage": "1k"}}});
        let container: Container = serde_json::from_value(limited).unwrap();
        assert_eq!(of_container(&container, Vec::new()).unwrap().most, 1000);
        assert_eq!(of_container(&Container::default(), Vec::new()), None);
    }
}
