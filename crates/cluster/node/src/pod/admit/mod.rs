//! Whether a pod is let in: what the node cannot do is refused here, with the field's name, before anything runs.
//!
//! A rejected pod is `Failed` for ever; whoever made it (a ReplicaSet, say) makes another.

mod affinity;
mod fields;
mod fit;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;

use super::verdict::Verdict;
pub(crate) use fit::Room;

/// The node as admission sees it.
pub(crate) struct Node<'a> {
    pub(crate) name: &'a str,
    /// Labels of its object; none when nothing of the pod asks for them.
    pub(crate) labels: Option<&'a BTreeMap<String, String>>,
    pub(crate) room: Room,
}

/// Whether a pod chooses nodes by their labels.
pub(crate) fn asks_for_labels(pod: &Pod) -> bool {
    affinity::asks(pod)
}

/// Turns a pod away, or lets it in beside `others`: those that are here and have not ended.
pub(crate) fn check(pod: &Pod, node: &Node<'_>, others: &[&Pod]) -> Result<(), Verdict> {
    fields::check(pod)?;
    if let Some(labels) = node.labels {
        affinity::check(pod, node.name, labels)?;
    }
    fit::check(pod, &node.room, others)
}
