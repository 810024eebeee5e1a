//! ServiceAccount: how many secrets it names.

use eksile_kube::Column;
use eksile_kube::strategy::Strategy;
use jiff::Timestamp;
use serde_json::Value;

use crate::columns::{self, AGE, NAME, shown};
use crate::tree::{at, items};

/// The strategy.
pub(crate) struct ServiceAccount;

const COLUMNS: &[Column] = &[NAME, shown("Secrets", "The number of secrets it names."), AGE];

impl Strategy for ServiceAccount {
    fn warnings(&self, new: &Value, old: Option<&Value>) -> Vec<String> {
        const KEY: &str = "kubernetes.io/enforce-mountable-secrets";
        let has = |account: &Value| at(account, "/metadata/annotations").get(KEY).is_some();
        if !has(new) || old.is_some_and(has) {
            return Vec::new();
        }
        let why = "deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets";
        vec![format!("metadata.annotations[{KEY}]: {why}")]
    }

    fn returns_deleted(&self) -> bool {
        true
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        vec![columns::name(object), items(object, "/secrets").len().into(), columns::age(object, now)]
    }
}
