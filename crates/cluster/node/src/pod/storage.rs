//! How much of the disk a pod uses, and whether that is more than it said (Kubernetes documentation, "Local ephemeral
//! storage"): such a pod is evicted.

use std::io;
use std::ops::Not;
use std::path::{Path, PathBuf};
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

/// The pod's limit, its containers' together, on all that lies on the node's disk for it: `places` (what its containers
/// wrote into their roots, its logs, the files that the kubelet gives it) and its volumes there.
pub(crate) fn of_pod(pod: &Pod, mut places: Vec<PathBuf>, place: impl Fn(&str) -> PathBuf) -> Option<Limit> {
    let spec = pod.spec.as_ref()?;
    // Upstream adds up the limits there are, also where a container has none; or takes an init container's if that is more.
    let together = spec.containers.iter().filter_map(own_limit).map(|(most, _)| most).reduce(i64::saturating_add);
    let largest = spec.init_containers.iter().flatten().filter_map(own_limit).map(|(most, _)| most).max();
    let most = together.max(largest)?;
    let texts = spec.containers.iter().chain(spec.init_containers.iter().flatten()).filter_map(own_limit);
    let text = texts.map(|(_, text)| text).next().unwrap_or_default();
    let on_disk = spec
        .volumes
        .iter()
        .flatten()
        .filter(|volume| volume.empty_dir.as_ref().is_some_and(|empty| empty.medium.as_deref() != Some("Memory")));
    places.extend(on_disk.map(|volume| place(&volume.name)));
    let text = told(most, text.ends_with('i'));
    let text = format!("Pod ephemeral local storage usage exceeds the total limit of containers {text}. ");
    Some(Limit { places, most, text })
}

/// As upstream writes an amount of bytes: with the largest suffix that leaves a whole number.
fn told(bytes: i64, binary: bool) -> String {
    let (step, suffixes) = if binary {
        (1024, ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"])
    } else {
        (1000, ["", "k", "M", "G", "T", "P", "E"])
    };
    let (mut count, mut suffixes) = (bytes, suffixes.into_iter());
    let mut suffix = suffixes.next().unwrap_or_default();
    while count != 0 && count % step == 0 {
        let Some(next) = suffixes.next() else { break };
        (count, suffix) = (count / step, next);
    }
    format!("{count}{suffix}")
}

/// What a container says it takes at most, in bytes and in its words.
fn own_limit(container: &Container) -> Option<(i64, &str)> {
    let limit = &container.resources.as_ref()?.limits.as_ref()?.get("ephemeral-storage")?.0;
    Some((quantity::units(limit)?, limit))
}

/// A container's own limit, on what it wrote into its root and its logs.
pub(crate) fn of_container(container: &Container, places: Vec<PathBuf>) -> Option<Limit> {
    let (most, limit) = own_limit(container)?;
    let text = format!("Container {} exceeded its local ephemeral storage limit \"{limit}\". ", container.name);
    Some(Limit { places, most, text })
}

/// What the kubelet gives a pod in the pod's directory, and its containers may write to: hosts, resolver, name, and where
/// they leave last words.
pub(crate) fn of_kubelet(directory: &Path) -> Vec<PathBuf> {
    ["etc-hosts", "resolv.conf", "hostname", "containers"].map(|name| directory.join(name)).to_vec()
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

    /// What a container can write to lies in many places; none of them is free.
    #[test]
    fn attack_no_place_of_a_pod_is_left_out_of_its_limit() {
        let limited =
            |name: &str, limit: &str| json!({"name": name, "resources": {"limits": {"ephemeral-storage": limit}}});
        let spec = json!({
            "containers": [limited("one", "512Ki"), limited("two", "512Ki"), {"name": "free"}],
            "initContainers": [limited("before", "1Ki")],
            "volumes": [{"name": "free", "emptyDir": {}}, {"name": "memory", "emptyDir": {"medium": "Memory"}}],
        });
        let pod: Pod = serde_json::from_value(json!({"metadata": {}, "spec": spec})).unwrap();
        for written in ["etc-hosts", "resolv.conf", "hostname", "logs/one/0.log", "upper/file", "volumes/free/file"] {
            let directory = tempfile::tempdir().unwrap();
            let at = |name: &str| directory.path().join(name);
            let places = super::of_kubelet(directory.path()).into_iter().chain([at("logs"), at("upper")]).collect();
            let limits = [of_pod(&pod, places, |name| at("volumes").join(name)).unwrap()];
            assert_eq!((passed(&limits), limits[0].most), (None, 1 << 20));
            fs::create_dir_all(at("volumes/memory")).unwrap();
            fs::write(at("volumes/memory/file"), vec![1; 2 << 20]).unwrap();
            assert_eq!(passed(&limits), None, "memory is no disk");
            fs::create_dir_all(at(written).parent().unwrap()).unwrap();
            fs::write(at(written), vec![1; 2 << 20]).unwrap();
            let verdict = passed(&limits).expect(written);
            assert_eq!(
                verdict.message,
                "Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. "
            );
        }
        let free = json!({"metadata": {}, "spec": {"containers": [{"name": "free"}]}});
        assert_eq!(of_pod(&serde_json::from_value(free).unwrap(), Vec::new(), |name| PathBuf::from(name)), None);
    }

    #[test]
    fn amounts_are_told_as_upstream_does() {
        for (bytes, binary, expected) in [
            (3 << 30, true, "3Gi"),
            (1536 << 20, true, "1536Mi"),
            (1500, false, "1500"),
            (2_000_000, false, "2M"),
            (0, true, "0"),
        ] {
            assert_eq!(told(bytes, binary), expected);
        }
    }

    #[test]
    fn a_container_has_a_limit_of_its_own() {
        let limited = json!({"name": "c", "resources": {"limits": {"ephemeral-storage": "1k"}}});
        let container: Container = serde_json::from_value(limited).unwrap();
        assert_eq!(of_container(&container, Vec::new()).unwrap().most, 1000);
        assert_eq!(of_container(&Container::default(), Vec::new()), None);
    }
}
