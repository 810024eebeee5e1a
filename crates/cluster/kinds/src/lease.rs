//! Lease: numbers that make sense.

use eksile_kube::strategy::{Context, Strategy};
use eksile_kube::{Column, FieldErrors};
use jiff::Timestamp;
use serde_json::Value;

use crate::columns::{self, AGE, NAME, shown};
use crate::names::qualified;
use crate::tree::{at, number, text};

/// The strategy.
pub(crate) struct Lease;

const COLUMNS: &[Column] = &[NAME, shown("Holder", "Who holds the lease."), AGE];
const STRATEGIES: &[&str] = &["OldestEmulationVersion"];

impl Strategy for Lease {
    fn metadata_checks(&self) -> usize {
        0
    }

    /// Coordinated leader election is a gate that is off by default, so its fields are dropped.
    fn prepare_create(&self, new: &mut Value, _context: &Context<'_>) {
        without_gated(new, None);
    }

    fn prepare_update(&self, new: &mut Value, old: &Value, _context: &Context<'_>) {
        without_gated(new, Some(old));
    }

    fn validate(&self, object: &Value, _context: &Context<'_>, errors: &mut FieldErrors) {
        if let Some(seconds) = number(object, "/spec/leaseDurationSeconds").filter(|n| *n <= 0) {
            errors.invalid("spec.leaseDurationSeconds", &seconds.into(), "must be greater than 0");
        }
        if let Some(count) = number(object, "/spec/leaseTransitions").filter(|n| *n < 0) {
            errors.invalid("spec.leaseTransitions", &count.into(), "must be greater than or equal to 0");
        }
        let strategy = text(object, "/spec/strategy");
        if !strategy.is_empty() {
            if strategy.contains('/') {
                qualified(strategy, "spec.strategy", errors);
            } else if !STRATEGIES.contains(&strategy) {
                errors.not_supported("spec.strategy", &strategy.into(), STRATEGIES);
            }
        }
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        vec![columns::name(object), text(object, "/spec/holderIdentity").into(), columns::age(object, now)]
    }

    fn create_on_update(&self) -> bool {
        true
    }

    fn unconditional_update(&self) -> bool {
        false
    }
}

fn without_gated(new: &mut Value, old: Option<&Value>) {
    let used = |field: &str| old.is_some_and(|old| !at(old, "/spec").get(field).unwrap_or(&Value::Null).is_null());
    let Some(spec) = new.get_mut("spec").and_then(Value::as_object_mut) else { return };
    for field in ["strategy", "preferredHolder"] {
        if !used(field) {
            spec.remove(field);
        }
    }
}
