//! Kinds of volumes.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Violation, many, named, object, quoted, sorted};
use crate::references::{items, text};

/// `hostPathVolumes`.
pub(super) fn host_path(pod: &Value) -> Option<Violation> {
    let of_host = items(pod, "/spec/volumes").filter(|volume| object(volume, "/hostPath").is_some());
    let names: Vec<&str> = of_host.map(|volume| text(volume, "/name")).collect();
    (!names.is_empty()).then(|| Violation::new("hostPath volumes", named("volume", &names)))
}

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

/// Kinds that are told by name, in the order in which they are looked for.
const KNOWN: &[&str] = &[
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

/// `restrictedVolumes`.
pub(super) fn restricted(pod: &Value) -> Option<Violation> {
    let (mut names, mut kinds) = (Vec::new(), BTreeSet::new());
    for volume in items(pod, "/spec/volumes") {
        let is = |kind: &&&str| object(volume, &format!("/{kind}")).is_some();
        if ALLOWED.iter().any(|kind| is(&kind)) {
            continue;
        }
        names.push(text(volume, "/name"));
        kinds.insert(KNOWN.iter().find(is).map_or("unknown", |kind| *kind).to_owned());
    }
    let kinds = sorted(kinds);
    (!names.is_empty()).then(|| {
        let uses = if names.len() == 1 { "uses" } else { "use" };
        let kinds = format!("{} {}", many("restricted volume type", kinds.len()), quoted(&kinds));
        Violation::new("restricted volume types", format!("{} {uses} {kinds}", named("volume", &names)))
    })
}
