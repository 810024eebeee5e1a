//! ServiceAccount: how many secrets it names.

use eksile_kube::Column;
use eksile_kube::strategy::Strategy;
use jiff::Timestamp;
use serde_json::Value;

use crate::columns::{self, AGE, NAME, shown};
use crate::tree::items;

/// The strategy.
pub(crate) struct ServiceAccount;

const COLUMNS: &[Column] = &[NAME, shown("Secrets", "The number of secrets it names."), AGE];

impl Strategy for ServiceAccount {
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
