//! The quality-of-service class (`pkg/apis/core/helper/qos`).

use serde_json::Value;

use crate::quantity::nanos;
use crate::tree::{at, items};

/// `Guaranteed`, `Burstable` or `BestEffort`.
pub(super) fn class(pod: &Value) -> &'static str {
    let mut any = false;
    let mut guaranteed = true;
    let lists = ["/spec/containers", "/spec/initContainers"];
    for container in lists.iter().flat_map(|list| items(pod, list)) {
        for resource in ["cpu", "memory"] {
            let amount = |kind: &str| {
                let value = at(container, &format!("/resources/{kind}/{resource}"));
                nanos(value).filter(|n| *n != 0)
            };
            let (request, limit) = (amount("requests"), amount("limits"));
            any |= request.is_some() || limit.is_some();
            guaranteed &= limit.is_some() && request == limit;
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}
