//! Server-side apply.

use serde_json::Value;

use super::compare::compare;
use super::conflict::Conflicts;
use super::entries::{self, Entry};
use super::fieldset::field_set;
use super::merge::merge;
use super::remove::remove;
use super::set::Set;
use super::validate::validate;
use super::{Manager, filtered, never_managed, track};
use crate::schema::Schema;

/// The manager that owns what was there before the first apply.
const BEFORE_FIRST: &str = "before-first-apply";
/// The manager whose applies take over from `kubectl apply` without server side.
const KUBECTL: &str = "kubectl";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The outcome of an apply.
#[derive(Debug)]
pub struct Applied {
    /// The object with its managed fields, decoded by its schema. Defaults are not filled in.
    pub value: Value,
    /// False when nothing but managed fields can have changed.
    pub changed: bool,
}

/// Why an apply was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// 400.
    #[error("{0}")]
    Bad(String),
    /// 409, with a cause for each conflict.
    #[error("{}", .0.message())]
    Conflicts(Conflicts),
    /// 500: upstream answers so to configurations that do not fit the schema.
    #[error("{0}")]
    Internal(String),
}

/// Applies a configuration. `live` is `None` when the object is to be created; `kind` is the kind that the endpoint
/// takes.
///
/// # Errors
/// See [`ApplyError`].
pub fn apply(
    schema: &Schema,
    live: Option<&Value>,
    config: &Value,
    kind: &str,
    manager: &Manager<'_>,
    force: bool,
) -> Result<Applied, ApplyError> {
    let fields = live.and_then(|l| l.pointer("/metadata/managedFields"));
    let mut before =
        entries::decode(fields).map_err(|e| ApplyError::Internal(format!("failed to decode managed fields: {e}")))?;
    check_kind(config, kind, manager.api_version)?;
    let zero = &schema.root().zero;
    if before.is_empty()
        && let Some(live) = live
    {
        let first = Manager { name: BEFORE_FIRST, ..*manager };
        let describe = |e| ApplyError::Internal(format!("failed to create manager for existing fields: {e}"));
        before = track(schema, zero, live, before, &first).map_err(describe)?;
    }
    if config.pointer("/metadata/managedFields").is_some_and(|f| !f.is_null()) {
        return Err(ApplyError::Bad("metadata.managedFields must be nil".to_owned()));
    }
    let about = describe_object(config, kind);
    validate(schema, config)
        .map_err(|e| ApplyError::Internal(format!("failed to create typed patch object ({about}): {e}")))?;
    let job = Job { schema, live: live.unwrap_or(zero), config, manager };
    let (merged, mut after) = job.run_as(before, force)?;
    let changed = merged != *job.live;
    let mut value = if changed { job.finish(&merged, &about)? } else { job.live.clone() };
    let time = manager.entry(true, Set::default());
    for entry in after.iter_mut().filter(|e| e.same_manager(&time)) {
        entry.set.subtract(never_managed());
        if changed {
            entry.time.clone_from(&time.time);
        }
    }
    entries::store(&mut value, after);
    if manager.name == KUBECTL {
        renew_last_applied(&mut value, config);
    }
    Ok(Applied { value, changed })
}

fn check_kind(config: &Value, kind: &str, api_version: &str) -> Result<(), ApplyError> {
    let text = |name: &str| config.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("kind") == kind && text("apiVersion") == api_version {
        return Ok(());
    }
    let (group, version) = text("apiVersion").rsplit_once('/').unwrap_or(("", text("apiVersion")));
    Err(ApplyError::Bad(format!("invalid object type: {group}/{version}, Kind={}", text("kind"))))
}

/// `NAMESPACE/NAME; GROUP/VERSION, Kind=KIND`.
fn describe_object(config: &Value, kind: &str) -> String {
    let text = |pointer: &str| config.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (group, version) = text("/apiVersion").rsplit_once('/').unwrap_or(("", text("/apiVersion")));
    format!("{}/{}; {group}/{version}, Kind={kind}", text("/metadata/namespace"), text("/metadata/name"))
}

struct Job<'a> {
    schema: &'a Schema,
    live: &'a Value,
    config: &'a Value,
    manager: &'a Manager<'a>,
}

impl Job<'_> {
    /// Runs the apply; `kubectl` may take what it applied before on the client's side.
    fn run_as(&self, before: Vec<Entry>, force: bool) -> Result<(Value, Vec<Entry>), ApplyError> {
        let refused = match self.run(before.clone(), force) {
            Err(ApplyError::Conflicts(conflicts)) if self.manager.name == KUBECTL => conflicts,
            other => return other,
        };
        let Some(allowed) = self.last_applied() else { return Err(ApplyError::Conflicts(refused)) };
        let mut left = refused.all.clone();
        left.subtract(&allowed);
        if left.is_empty() {
            return self.run(before, true);
        }
        let paths: std::collections::HashSet<String> = left.paths().into_iter().collect();
        let causes = refused.causes.into_iter().filter(|(_, path)| paths.contains(path)).collect();
        Err(ApplyError::Conflicts(Conflicts { causes, all: left }))
    }

    /// The fields of the annotation that client-side apply leaves, as far as the live object still agrees with them.
    fn last_applied(&self) -> Option<Set> {
        let text = self.live.get("metadata")?.get("annotations")?.get(LAST_APPLIED)?.as_str()?;
        let last: Value = serde_json::from_str(text).ok()?;
        validate(self.schema, &last).ok()?;
        let mut set = field_set(self.schema, &last).ok()?;
        let comparison = compare(self.schema, &last, self.live).ok()?;
        for other in [&comparison.modified, &comparison.added, &comparison.removed] {
            set.subtract(other);
        }
        Some(set)
    }

    fn run(&self, mut entries: Vec<Entry>, force: bool) -> Result<(Value, Vec<Entry>), ApplyError> {
        let internal = |what: &str| {
            let what = what.to_owned();
            move |e: String| ApplyError::Internal(format!("{what}: {e}"))
        };
        let merged = merge(self.schema, self.live, self.config).map_err(internal("failed to merge config"))?;
        let reset = self.manager.reset_set();
        let mut set = field_set(self.schema, self.config).map_err(internal("failed to get field set"))?;
        set.subtract_trees(&reset);
        let mut own = self.manager.entry(true, set);
        let last = entries.iter().position(|e| e.same_manager(&own)).map(|at| entries.remove(at));
        own.time = last.as_ref().and_then(|l| l.time.clone());
        entries.retain(|e| e.api_version == self.manager.api_version);
        let pruned = match last.filter(|l| !l.set.is_empty() && l.api_version == self.manager.api_version) {
            Some(last) => self.prune(&merged, &entries, &own, &last.set).map_err(internal("failed to prune fields"))?,
            None => merged,
        };
        let comparison = compare(self.schema, self.live, &pruned).map_err(internal("failed to compare objects"))?;
        let comparison = filtered(comparison, &reset);
        let mut changed = comparison.modified;
        changed.union(&comparison.added);
        let taken: Vec<Set> = entries.iter().map(|e| e.set.intersection(&changed)).collect();
        let conflicts: Vec<(&Entry, Set)> =
            entries.iter().zip(&taken).filter(|(_, t)| !t.is_empty()).map(|(e, t)| (e, t.clone())).collect();
        if !force && !conflicts.is_empty() {
            return Err(ApplyError::Conflicts(Conflicts::new(&conflicts)));
        }
        for (entry, taken) in entries.iter_mut().zip(&taken) {
            entry.set.subtract(taken);
            entry.set.subtract(&comparison.removed);
        }
        entries.push(own);
        entries.retain(|e| !e.set.is_empty());
        Ok((pruned, entries))
    }

    /// Removes what this manager applied last time and not now, unless somebody else manages it.
    fn prune(&self, merged: &Value, others: &[Entry], own: &Entry, last: &Set) -> Result<Value, String> {
        let (schemas, root) = (self.schema.types(), self.schema.root());
        let named = |set: &Set| set.with_named_fields(schemas, root);
        let all = |value: &Value| field_set(self.schema, value).map(|s| named(&s));
        let last = named(last);
        let pruned = remove(self.schema, merged, &last);
        let merged_set = all(merged)?;
        let mut owned = own.set.clone();
        others.iter().for_each(|e| owned.union(&e.set));
        let mut keep = all(&pruned)?;
        keep.union(&named(&owned));
        let mut gone = merged_set.clone();
        gone.subtract(&keep);
        let pruned = remove(self.schema, merged, &gone);
        // Only what this manager applied may go.
        let mut dangling = merged_set;
        dangling.subtract(&all(&pruned)?);
        Ok(remove(self.schema, merged, &dangling.intersection(&last)))
    }

    fn finish(&self, merged: &Value, about: &str) -> Result<Value, ApplyError> {
        let fail =
            |e: String| ApplyError::Internal(format!("failed to convert new typed object ({about}) to object: {e}"));
        let body = serde_json::to_vec(merged).map_err(|e| fail(e.to_string()))?;
        Ok(self.schema.decode(&body).map_err(|e| fail(e.to_string()))?.value)
    }
}

/// Keeps the annotation of client-side apply true, where there is one.
fn renew_last_applied(value: &mut Value, config: &Value) {
    let annotations = value.get_mut("metadata").and_then(|m| m.get_mut("annotations")).and_then(Value::as_object_mut);
    let Some(annotation) = annotations.and_then(|a| a.get_mut(LAST_APPLIED)) else { return };
    if annotation.as_str().is_none_or(str::is_empty) {
        return;
    }
    let mut config = config.clone();
    if let Some(inner) = config.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        inner.remove(LAST_APPLIED);
    }
    *annotation = Value::String(format!("{config}\n"));
}
