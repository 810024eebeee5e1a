//! Control-plane logging, as it is asked for and shown.

use eksile_aws::Shape;

/// Every log type there is (EKS user guide, "Send control plane logs to CloudWatch Logs").
pub(crate) static LOG_TYPES: &[&str] = &["api", "audit", "authenticator", "controllerManager", "scheduler"];

/// `logging`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Shape)]
pub(crate) struct Logging {
    pub(crate) cluster_logging: Vec<LogSetup>,
}

/// Log types of one state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Shape)]
pub(crate) struct LogSetup {
    pub(crate) types: Vec<String>,
    pub(crate) enabled: Option<bool>,
}
