//! The node's word that a pod is over, whatever its containers do: it was rejected, took too long, used too much.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;

/// Why a pod is `Failed`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// `status.reason`, and of the event.
    pub(crate) reason: &'static str,
    /// Of the event.
    pub(crate) message: String,
    /// Whether the pod was turned away before anything of it ran.
    pub(crate) rejected: bool,
    /// How long its containers have; none: as the pod says.
    pub(crate) grace: Option<Duration>,
}

impl Verdict {
    /// A pod that is not let in.
    pub(crate) fn rejected(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), rejected: true, grace: None }
    }

    /// A pod whose `activeDeadlineSeconds` are over.
    pub(crate) fn too_long() -> Self {
        let message = "Pod was active on the node longer than the specified deadline".to_owned();
        Self { reason: "DeadlineExceeded", message, rejected: false, grace: None }
    }

    /// `status.message`.
    pub(crate) fn told(&self) -> String {
        if self.rejected { format!("Pod was rejected: {}", self.message) } else { self.message.clone() }
    }
}

/// When a pod must have ended: counted from the start that its status tells, so that it outlives a kubelet.
pub(crate) fn deadline(pod: &Pod, started: Timestamp) -> Option<Timestamp> {
    let seconds = pod.spec.as_ref()?.active_deadline_seconds?;
    // Beyond the end of time there is no deadline.
    started.checked_add(jiff::SignedDuration::from_secs(seconds)).ok()
}

/// Whether a pod has ended as far as the API knows: it never runs again.
pub(crate) fn is_over(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::PodSpec;

    #[test]
    fn the_deadline_counts_from_the_start_that_was_told() {
        let started: Timestamp = "2025-01-01T00:00:00Z".parse().unwrap();
        let pod = |seconds| Pod {
            spec: Some(PodSpec { active_deadline_seconds: seconds, ..PodSpec::default() }),
            ..Pod::default()
        };
        assert_eq!(deadline(&pod(None), started), None);
        assert_eq!(deadline(&pod(Some(90)), started), Some("2025-01-01T00:01:30Z".parse().unwrap()));
        assert_eq!(deadline(&pod(Some(i64::MAX)), started), None);
    }

    #[test]
    fn only_a_rejection_says_so() {
        assert_eq!(Verdict::rejected("OutOfcpu", "no").told(), "Pod was rejected: no");
        assert!(Verdict::too_long().told().starts_with("Pod was active"));
    }
}
