//! Namespace: the finalizer that holds it until its content is gone, its phase, its own name as a label.

use std::borrow::Cow;

use eksile_kube::strategy::{Context, NameRule, Strategy, restore};
use eksile_kube::{Column, FieldErrors, StatusError};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::columns::{self, AGE, NAME, shown};
use crate::tree::{items, map, text};

/// The strategy.
pub(crate) struct Namespace;

const COLUMNS: &[Column] = &[NAME, shown("Status", "The namespace's phase."), AGE];
/// Every namespace carries its name in this label.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";
/// Namespaces that stay.
const IMMORTAL: &[&str] = &["default", "kube-system", "kube-public"];
const KUBERNETES: &str = "kubernetes";

impl Strategy for Namespace {
    fn defaults(&self, object: &mut Value) {
        let name = text(object, "/metadata/name").to_owned();
        if !name.is_empty()
            && let Some(metadata) = object.get_mut("metadata")
            && let Some(labels) = map(metadata, "labels")
        {
            labels.insert(NAME_LABEL.into(), name.into());
        }
        if text(object, "/status/phase").is_empty()
            && let Some(status) = map(object, "status")
        {
            status.insert("phase".into(), "Active".into());
        }
    }

    fn prepare_create(&self, new: &mut Value, _context: &Context<'_>) {
        // The generated name is known by now.
        self.defaults(new);
        let Some(fields) = new.as_object_mut() else { return };
        fields.insert("status".into(), json!({"phase": "Active"}));
        let Some(spec) = map(new, "spec") else { return };
        let finalizers = spec.entry("finalizers").or_insert_with(|| json!([]));
        if let Some(list) = finalizers.as_array_mut()
            && !list.iter().any(|f| f == KUBERNETES)
        {
            list.push(KUBERNETES.into());
        }
    }

    fn prepare_update(&self, new: &mut Value, old: &Value, context: &Context<'_>) {
        match context.sub {
            "status" => restore(new, old, "spec"),
            "finalize" => restore(new, old, "status"),
            _ => {
                restore(new, old, "status");
                restore(new, old, "spec");
            }
        }
    }

    fn validate(&self, object: &Value, context: &Context<'_>, errors: &mut FieldErrors) {
        // A write to the status does not look at the finalizers.
        if context.sub == "status" {
            return;
        }
        for finalizer in items(object, "/spec/finalizers") {
            let name = finalizer.as_str().unwrap_or_default();
            for problem in eksile_kube::names::qualified_name(name) {
                errors.invalid("spec.finalizers", finalizer, problem);
            }
            if !name.contains('/') && !matches!(name, KUBERNETES | "orphan" | "foregroundDeletion") {
                errors.invalid(
                    "spec.finalizers",
                    finalizer,
                    "name is neither a standard finalizer name nor is it fully qualified",
                );
            }
        }
    }

    fn validate_update(&self, new: &Value, _old: &Value, context: &Context<'_>, errors: &mut FieldErrors) {
        if context.sub != "status" {
            return;
        }
        let phase = text(new, "/status/phase");
        let ending = !text(new, "/metadata/deletionTimestamp").is_empty();
        if ending && phase != "Terminating" {
            errors.invalid(
                "status.Phase",
                &phase.into(),
                "may only be 'Terminating' if `deletionTimestamp` is not empty",
            );
        }
        if !ending && phase != "Active" {
            errors.invalid("status.Phase", &phase.into(), "may only be 'Active' if `deletionTimestamp` is empty");
        }
    }

    fn validate_delete(&self, object: &Value, _context: &Context<'_>) -> Result<(), StatusError> {
        let name = text(object, "/metadata/name");
        if IMMORTAL.contains(&name) {
            return Err(StatusError::forbidden("", "namespaces", name, "this namespace may not be deleted"));
        }
        Ok(())
    }

    fn reset_fields(&self, sub: &str) -> &'static [&'static [&'static str]] {
        match sub {
            "status" => &[&["spec"]],
            _ => &[&["status"]],
        }
    }

    fn returns_deleted(&self) -> bool {
        true
    }

    fn finds_preconditions_broken_early(&self) -> bool {
        false
    }

    fn blocks_deletion(&self, object: &Value) -> bool {
        !items(object, "/spec/finalizers").is_empty()
    }

    fn mark_deleted(&self, object: &mut Value) {
        if let Some(status) = map(object, "status") {
            status.insert("phase".into(), "Terminating".into());
        }
    }

    fn name_rule(&self) -> NameRule {
        NameRule::Label
    }

    fn selectable(&self) -> &'static [&'static str] {
        &["status.phase"]
    }

    fn field<'a>(&self, object: &'a Value, _name: &str) -> Cow<'a, str> {
        text(object, "/status/phase").into()
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        vec![columns::name(object), text(object, "/status/phase").into(), columns::age(object, now)]
    }
}
