//! What a delete means: preconditions, grace, finalizers (`apiserver/pkg/registry/rest/delete.go`).

use jiff::ToSpan;
use serde_json::{Map, Value};

use crate::admit;
use crate::call::Call;
use crate::decode;
use crate::field::FieldErrors;
use crate::object::{meta, metadata, shown, time};
use crate::query::dry_run;
use crate::resource::Resource;
use crate::status::StatusError;
use crate::strategy::Grace;
use crate::write::{self, Current, Done};

/// The finalizer of `propagationPolicy: Orphan`.
const ORPHAN: &str = "orphan";
/// The finalizer of `propagationPolicy: Foreground`.
const FOREGROUND: &str = "foregroundDeletion";

/// `metav1.DeleteOptions`.
#[derive(Debug, Default)]
pub(crate) struct Options {
    dry_run: bool,
    grace: Option<i64>,
    propagation: String,
    uid: String,
    version: String,
}

impl Options {
    /// Reads them from the body, else from the query.
    ///
    /// # Errors
    /// 400 or 422.
    pub(crate) fn read(call: &Call<'_>) -> Result<Self, StatusError> {
        let mut errors = FieldErrors::new();
        let options = if call.body.is_empty() {
            Self {
                dry_run: dry_run(call.query.all("dryRun"), &mut errors),
                grace: call.query.number("gracePeriodSeconds")?,
                propagation: match call.query.get("orphanDependents") {
                    // Any value but these two counts as true, as upstream reads flags.
                    "" | "false" | "0" => call.query.get("propagationPolicy").to_owned(),
                    _ => "Orphan".to_owned(),
                },
                ..Self::default()
            }
        } else {
            Self::from_body(call, &mut errors)?
        };
        if !matches!(options.propagation.as_str(), "" | "Foreground" | "Background" | "Orphan") {
            let supported = ["Foreground", "Background", "Orphan", "nil"];
            errors.not_supported("propagationPolicy", &options.propagation.as_str().into(), &supported);
        }
        if errors.is_empty() {
            Ok(options)
        } else {
            Err(StatusError::invalid("meta.k8s.io", "DeleteOptions", "", &errors))
        }
    }

    fn from_body(call: &Call<'_>, errors: &mut FieldErrors) -> Result<Self, StatusError> {
        Self::of(call, &decode::delete_options(call)?, errors)
    }

    /// Reads them from a tree; the query's dry run counts, too.
    ///
    /// # Errors
    /// 500 for another kind; what is wrong with fields goes to `errors`.
    pub(crate) fn of(call: &Call<'_>, value: &Value, errors: &mut FieldErrors) -> Result<Self, StatusError> {
        let text = |path: &str| value.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let runs = value.get("dryRun").and_then(Value::as_array).cloned().unwrap_or_default();
        let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default();
        if !matches!(kind, "" | "DeleteOptions") {
            let version = text("/apiVersion");
            return Err(StatusError::unexplained(format!(
                "no kind \"{kind}\" is registered for version \"{version}\""
            )));
        }
        let asked = value.get("orphanDependents").and_then(Value::as_bool);
        let propagation = match (text("/propagationPolicy"), asked) {
            (policy, None) => policy,
            (policy, Some(true)) if policy.is_empty() => "Orphan".to_owned(),
            (policy, Some(_)) => {
                if !policy.is_empty() {
                    let why = "orphanDependents and deletionPropagation cannot be both set";
                    errors.invalid("propagationPolicy", &policy.as_str().into(), why);
                }
                policy
            }
        };
        Ok(Self {
            dry_run: dry_run(runs.iter().filter_map(Value::as_str).chain(call.query.all("dryRun")), errors),
            grace: value.get("gracePeriodSeconds").and_then(Value::as_i64),
            propagation,
            uid: text("/preconditions/uid"),
            version: text("/preconditions/resourceVersion"),
        })
    }
}

/// Whether an object that was deleted waits for nothing any more.
#[must_use]
pub(crate) fn complete(resource: &Resource, object: &Value) -> bool {
    let field = |name: &str| object.get("metadata").and_then(|m| m.get(name));
    let waits = field("finalizers").and_then(Value::as_array).is_some_and(|f| !f.is_empty());
    let grace = field("deletionGracePeriodSeconds").and_then(Value::as_i64).unwrap_or(0);
    field("deletionTimestamp").is_some_and(|t| !t.is_null())
        && !waits
        && grace == 0
        && !resource.strategy.blocks_deletion(object)
}

/// What a delete did.
pub(crate) struct Outcome {
    /// The object, as it was when it went or as it is now.
    pub done: Done,
    /// Whether it is gone.
    pub gone: bool,
}

/// Deletes `current`, at once or by marking it.
///
/// # Errors
/// 409 when a precondition does not hold or somebody else wrote first; the strategy's refusal.
pub(crate) async fn delete(call: &Call<'_>, current: &Current, options: &Options) -> Result<Outcome, StatusError> {
    admit::delete(call, &current.object)?;
    preconditions(call, current, options)?;
    call.resource.strategy.validate_delete(&current.object, &call.context())?;
    let mut new = current.object.clone();
    let begun = begin(call, &mut new, options.grace);
    let unchanged = || Outcome { done: Done { bytes: shown(call.resource, &current.entry.value) }, gone: false };
    if begun == Begun::Pending {
        return Ok(unchanged());
    }
    set_finalizers(&mut new, &options.propagation);
    let held = call.resource.strategy.blocks_deletion(&current.object);
    let waits = held || new.pointer("/metadata/finalizers").and_then(Value::as_array).is_some_and(|f| !f.is_empty());
    match begun {
        Begun::Plain if !waits => {
            let done = write::remove(call, current, options.dry_run).await?;
            return Ok(Outcome { done, gone: true });
        }
        Begun::Graceful(0) if !waits => {
            let done = write::store(call, current, new, false, options.dry_run).await?;
            let done = if options.dry_run { done } else { remove_marked(call, current, done).await? };
            return Ok(Outcome { done, gone: true });
        }
        Begun::Plain => mark_now(&mut new, call.now),
        _ => {}
    }
    if held {
        // A namespace ends when its content has; no time is set for it.
        metadata(&mut new).remove("deletionGracePeriodSeconds");
    }
    if new == current.object {
        return Ok(unchanged());
    }
    call.resource.strategy.mark_deleted(&mut new);
    let done = write::store_change(call, current, new, options.dry_run).await?;
    Ok(Outcome { done, gone: false })
}

/// Removes an object that has just been marked, whoever wrote it since; one that is gone was removed by another.
async fn remove_marked(call: &Call<'_>, before: &Current, marked: Done) -> Result<Done, StatusError> {
    for _ in 0..write::TRIES {
        let current = match Current::read(call) {
            Err(error) if error.code() == 404 => return Ok(marked),
            other => other?,
        };
        if meta(&current.object, "uid") != meta(&before.object, "uid") {
            return Ok(marked);
        }
        match write::remove(call, &current, false).await {
            Err(error) if error.to_string().ends_with(write::CHANGED) => {}
            other => return other,
        }
    }
    Err(call.conflict(write::CHANGED))
}

fn preconditions(call: &Call<'_>, current: &Current, options: &Options) -> Result<(), StatusError> {
    let uid = meta(&current.object, "uid");
    if !options.uid.is_empty() && options.uid != uid {
        if !call.resource.strategy.finds_preconditions_broken_early() {
            let why = format!("Precondition failed: UID in precondition: {}, UID in object meta: {uid}", options.uid);
            return Err(call.conflict(&why));
        }
        let why = format!(
            "the UID in the precondition ({}) does not match the UID in record ({uid}). The object might have been deleted and then \
             recreated",
            options.uid
        );
        return Err(conflict_of_kind(call, &why));
    }
    let version = current.entry.modified.0.to_string();
    if !options.version.is_empty() && options.version != version {
        let why = format!(
            "the ResourceVersion in the precondition ({}) does not match the ResourceVersion in record ({version}). The object might \
             have been modified",
            options.version
        );
        return Err(conflict_of_kind(call, &why));
    }
    Ok(())
}

/// 409 that names the kind where others name the resource.
fn conflict_of_kind(call: &Call<'_>, why: &str) -> StatusError {
    StatusError::conflict(&call.resource.hub_group, &call.resource.kind, &call.at.name, why)
}

/// How a delete begins, before finalizers have their say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begun {
    /// It ends already, and as soon as is asked for.
    Pending,
    /// The kind knows grace: it is marked to end in so many seconds.
    Graceful(i64),
    /// Without grace.
    Plain,
}

/// Marks an object of a kind with grace, or brings its end nearer.
fn begin(call: &Call<'_>, new: &mut Value, asked: Option<i64>) -> Begun {
    // Upstream takes a negative grace as one second.
    let asked = asked.map(|seconds| if seconds < 0 { 1 } else { seconds });
    let Grace::After(seconds) = call.resource.strategy.grace(new, asked) else { return Begun::Plain };
    let fields = metadata(new);
    let before = fields.get("deletionGracePeriodSeconds").and_then(Value::as_i64).unwrap_or(0);
    let Some(end) = ends(fields) else {
        mark(fields, call.now.checked_add(seconds.seconds()).unwrap_or(call.now), seconds);
        return Begun::Graceful(seconds);
    };
    match asked {
        _ if before == 0 => Begun::Plain,
        Some(asked) if asked < before => {
            let nearer = end.checked_sub((before - asked).seconds()).unwrap_or(call.now);
            // What asked for grace that is over ends as soon as an object with grace can.
            let (at, left) = if nearer < call.now { (call.now, asked.min(1)) } else { (nearer, asked) };
            mark(fields, at, left);
            Begun::Graceful(asked)
        }
        _ => Begun::Pending,
    }
}

/// When an object ends; `None` when it does not.
fn ends(fields: &Map<String, Value>) -> Option<jiff::Timestamp> {
    fields.get("deletionTimestamp")?.as_str()?.parse().ok()
}

/// Marks an object that ends without grace, once nothing holds it.
fn mark_now(new: &mut Value, now: jiff::Timestamp) {
    let fields = metadata(new);
    let at = ends(fields).filter(|end| *end <= now).unwrap_or(now);
    mark(fields, at, 0);
}

/// Sets the end of an object and the grace until then, seconds; the first mark is a change of what is wanted.
fn mark(fields: &mut Map<String, Value>, at: jiff::Timestamp, grace: i64) {
    if ends(fields).is_none()
        && let Some(generation) = fields.get("generation").and_then(Value::as_i64)
    {
        fields.insert("generation".to_owned(), (generation + 1).into());
    }
    fields.insert("deletionTimestamp".to_owned(), time(at).into());
    fields.insert("deletionGracePeriodSeconds".to_owned(), grace.into());
}

fn set_finalizers(new: &mut Value, propagation: &str) {
    let (add, remove): (Option<&str>, &[&str]) = match propagation {
        "Orphan" => (Some(ORPHAN), &[FOREGROUND]),
        "Foreground" => (Some(FOREGROUND), &[ORPHAN]),
        "Background" => (None, &[FOREGROUND, ORPHAN]),
        _ => return,
    };
    let fields = metadata(new);
    let mut list = fields.get("finalizers").and_then(Value::as_array).cloned().unwrap_or_default();
    list.retain(|f| !remove.iter().any(|r| f == *r));
    if let Some(add) = add
        && !list.iter().any(|f| f == add)
    {
        list.push(add.into());
    }
    if list.is_empty() {
        fields.remove("finalizers");
    } else {
        fields.insert("finalizers".to_owned(), list.into());
    }
}
