//! What may be asked of a pod that runs already and is not built: debugging containers, other resources. It is told in
//! the pod's status.

use k8s_openapi::api::core::v1::{EphemeralContainer, Pod};
use serde_json::{Value, json};

use super::slot::Slot;

/// What is said of an ephemeral container.
pub(crate) const NO_EPHEMERAL: &str = "ephemeral containers are not supported on this node";

pub(crate) fn ephemeral(pod: &Pod) -> impl Iterator<Item = &EphemeralContainer> {
    pod.spec.iter().filter_map(|spec| spec.ephemeral_containers.as_ref()).flatten()
}

/// Its entry in `ephemeralContainerStatuses`.
pub(crate) fn status(container: &EphemeralContainer) -> Value {
    json!({
        "name": container.name, "image": container.image, "imageID": "", "ready": false, "restartCount": 0,
        "state": {"waiting": {"reason": "CreateContainerConfigError", "message": NO_EPHEMERAL}}, "lastState": {},
    })
}

/// Whether a container's resources are others than those it was started with.
pub(crate) fn resized(pod: &Pod, slots: &[Slot]) -> bool {
    let wanted = pod.spec.iter().flat_map(|spec| spec.containers.iter().chain(spec.init_containers.iter().flatten()));
    let differs = |slot: &Slot, now: &k8s_openapi::api::core::v1::Container| {
        slot.wanted.name == now.name && slot.wanted.resources != now.resources
    };
    wanted.into_iter().any(|now| slots.iter().any(|slot| differs(slot, now)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_resources_are_noticed() {
        let pod = |cpu: &str| -> Pod {
            let container = json!({"name": "c", "resources": {"requests": {"cpu": cpu}}});
            serde_json::from_value(json!({"metadata": {}, "spec": {"containers": [container]}})).unwrap()
        };
        let slots = [Slot::new(pod("1").spec.unwrap().containers.remove(0), false)];
        assert!(!resized(&pod("1"), &slots));
        assert!(resized(&pod("2"), &slots));
    }
}
