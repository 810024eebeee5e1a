//! Volumes that belong to the cluster or to a driver, no others.

use std::collections::BTreeSet;

use super::Violation;
use super::words::{number, quoted};
use crate::pod::{Pod, Volume};

const ALLOWED: &[&str] = &[
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

/// The others that have names, in the order in which upstream looks.
const OTHERS: &[&str] = &[
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "gitRepo",
    "nfs",
    "iscsi",
    "glusterfs",
    "rbd",
    "flexVolume",
    "cinder",
    "cephfs",
    "flocker",
    "fc",
    "azureFile",
    "vsphereVolume",
    "quobyte",
    "azureDisk",
    "photonPersistentDisk",
    "portworxVolume",
    "scaleIO",
    "storageos",
];

pub(super) fn judge(pod: &Pod) -> Option<Violation> {
    let allowed = |volume: &&Volume| ALLOWED.iter().any(|source| volume.has(source));
    let bad: Vec<&Volume> = pod.spec.volumes.iter().flatten().filter(|volume| !allowed(volume)).collect();
    let kind = |volume: &&Volume| OTHERS.iter().find(|source| volume.has(source)).copied().unwrap_or("unknown");
    let kinds: BTreeSet<&str> = bad.iter().map(kind).collect();
    (!bad.is_empty()).then(|| Violation {
        reason: "restricted volume types",
        detail: format!(
            "{} {} {} {} {}",
            number("volume", "volumes", bad.len()),
            quoted(bad.iter().map(|volume| volume.name.as_str())),
            number("uses", "use", bad.len()),
            number("restricted volume type", "restricted volume types", kinds.len()),
            quoted(kinds.iter().copied())
        ),
    })
}
