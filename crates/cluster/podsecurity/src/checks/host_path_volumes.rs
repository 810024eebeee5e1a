//! Nothing of the node's files.

use super::Violation;
use super::words::{number, quoted};
use crate::pod::Pod;

pub(super) fn judge(pod: &Pod) -> Option<Violation> {
    let volumes = pod.spec.volumes.iter().flatten().filter(|volume| volume.has("hostPath"));
    let names: Vec<&str> = volumes.map(|volume| volume.name.as_str()).collect();
    (!names.is_empty()).then(|| Violation {
        reason: "hostPath volumes",
        detail: format!("{} {}", number("volume", "volumes", names.len()), quoted(names.iter().copied())),
    })
}
