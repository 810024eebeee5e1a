//! Event: one object, two groups. The core group's events are loose, those of `events.k8s.io` complete.
//!
//! Both are stored in the core group's form; the door converts with [`to_core`] and [`from_core`].

use std::borrow::Cow;

use eksile_kube::strategy::{Context, Strategy};
use eksile_kube::{Column, FieldErrors};
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::columns::{NAME, shown, since, wide};
use crate::names::qualified;
use crate::tree::{at, number, text};

/// The strategy of `v1`.
pub struct CoreEvent;

/// The strategy of `events.k8s.io/v1`.
pub struct NewEvent;

const COLUMNS: &[Column] = &[
    shown("Last Seen", "The time since the event was seen last."),
    shown("Type", "Normal or Warning."),
    shown("Reason", "Why, in one word."),
    shown("Object", "What it is about."),
    wide("Subobject", "Which part of it."),
    wide("Source", "Who reported it."),
    shown("Message", "What happened."),
    wide("First Seen", "The time since the event was seen first."),
    wide("Count", "How often."),
    Column { priority: 1, ..NAME },
];

/// Fields that the two groups call differently: core group's name, new name.
const RENAMED: &[(&str, &str)] = &[
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("reportingComponent", "reportingController"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
];

/// Texts that the core group always writes (under this name), and the new one only when there is something to write.
const ALWAYS_IN_CORE: &[&str] = &["reportingComponent", "reportingInstance"];

/// Fields of an `events.k8s.io` event that stay: name in messages, path in either form. Upstream looks at the reason twice.
const FIXED: &[(&str, &str, &str)] = &[
    ("involvedObject", "/involvedObject", "/regarding"),
    ("reason", "/reason", "/reason"),
    ("message", "/message", "/note"),
    ("source", "/source", "/deprecatedSource"),
    ("firstTimestamp", "/firstTimestamp", "/deprecatedFirstTimestamp"),
    ("lastTimestamp", "/lastTimestamp", "/deprecatedLastTimestamp"),
    ("count", "/count", "/deprecatedCount"),
    ("reason", "/reason", "/reason"),
    ("type", "/type", "/type"),
    ("eventTime", "/eventTime", "/eventTime"),
    ("action", "/action", "/action"),
    ("related", "/related", "/related"),
    ("reportingController", "/reportingComponent", "/reportingController"),
    ("reportingInstance", "/reportingInstance", "/reportingInstance"),
];

/// The core group's form of an `events.k8s.io` event; leaves the core form alone.
pub fn to_core(event: &mut Value) {
    rename(event, |(old, new)| (new, old), "v1");
    let Some(fields) = event.as_object_mut() else { return };
    for name in ALWAYS_IN_CORE {
        fields.entry(*name).or_insert_with(|| "".into());
    }
    if let Some(series) = series_of(fields).filter(|s| s.get("count").is_some_and(|c| *c == 0)) {
        series.remove("count");
    }
}

/// The `events.k8s.io` form of a core event.
pub fn from_core(event: &mut Value) {
    if let Some(fields) = event.as_object_mut() {
        for name in ALWAYS_IN_CORE {
            if fields.get(*name).is_some_and(|text| *text == "") {
                fields.remove(*name);
            }
        }
        if let Some(series) = series_of(fields) {
            series.entry("count").or_insert_with(|| 0.into());
        }
    }
    rename(event, |(old, new)| (old, new), "events.k8s.io/v1");
}

fn series_of(fields: &mut Map<String, Value>) -> Option<&mut Map<String, Value>> {
    fields.get_mut("series").and_then(Value::as_object_mut)
}

fn rename<'a>(event: &mut Value, pair: impl Fn((&'a str, &'a str)) -> (&'a str, &'a str), version: &str) {
    let Some(fields) = event.as_object_mut() else { return };
    for both in RENAMED {
        let (from, to) = pair(*both);
        if let Some(value) = fields.remove(from) {
            fields.insert(to.to_owned(), value);
        }
    }
    fields.insert("apiVersion".into(), version.into());
}

/// Reads a field in either form.
fn either<'a>(event: &'a Value, core: &str, new: &str) -> &'a Value {
    match at(event, core) {
        Value::Null => at(event, new),
        value => value,
    }
}

fn either_text<'a>(event: &'a Value, core: &str, new: &str) -> &'a str {
    either(event, core, new).as_str().unwrap_or_default()
}

impl Strategy for CoreEvent {
    fn validate(&self, object: &Value, _context: &Context<'_>, errors: &mut FieldErrors) {
        sensible(object, "reportingComponent", errors);
    }

    fn selectable(&self) -> &'static [&'static str] {
        &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ]
    }

    fn field<'a>(&self, object: &'a Value, name: &str) -> Cow<'a, str> {
        selected(object, name)
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        cells(object, now)
    }

    fn create_on_update(&self) -> bool {
        true
    }
}

impl Strategy for NewEvent {
    fn converts(&self) -> bool {
        true
    }

    fn encode_stored(&self, object: &mut Value) {
        to_core(object);
    }

    fn decode_stored(&self, object: &mut Value) {
        from_core(object);
    }

    fn validate(&self, object: &Value, _context: &Context<'_>, errors: &mut FieldErrors) {
        sensible(object, "reportingController", errors);
    }

    /// Holds for new events only: old ones may have come through the core group.
    fn validate_create(&self, new: &Value, _context: &Context<'_>, errors: &mut FieldErrors) {
        series(new, errors);
        complete(new, errors);
    }

    fn validate_update(&self, new: &Value, old: &Value, _context: &Context<'_>, errors: &mut FieldErrors) {
        if new.get("series") != old.get("series") {
            series(new, errors);
        }
        for (field, core, other) in FIXED {
            let now = either(new, core, other);
            if now != either(old, core, other) {
                // Upstream's texts and numbers are never null.
                let shown = match (now, *field) {
                    (Value::Null, "count") => &Value::from(0),
                    (Value::Null, "message" | "reason" | "type" | "action") => &Value::from(""),
                    (Value::Null, "reportingController" | "reportingInstance") => &Value::from(""),
                    (now, _) => now,
                };
                errors.invalid(*field, shown, "field is immutable");
            }
        }
    }

    fn selectable(&self) -> &'static [&'static str] {
        &[
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "regarding.apiVersion",
            "regarding.resourceVersion",
            "regarding.fieldPath",
            "reason",
            "reportingController",
            "type",
        ]
    }

    fn field<'a>(&self, object: &'a Value, name: &str) -> Cow<'a, str> {
        selected(object, name)
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        cells(object, now)
    }

    fn create_on_update(&self) -> bool {
        true
    }
}

/// What holds for events of both groups. An event with a time of its own is a new one.
fn sensible(event: &Value, reporter_field: &str, errors: &mut FieldErrors) {
    let own = text(event, "/metadata/namespace");
    let involved = either_text(event, "/involvedObject/namespace", "/regarding/namespace");
    let timed = !text(event, "/eventTime").is_empty();
    // Events about things without a namespace live in the default one.
    let fits = match (involved.is_empty(), timed) {
        (true, false) => own == "default",
        (true, true) => matches!(own, "default" | "kube-system"),
        (false, false) => own == involved,
        (false, true) => true,
    };
    if !fits {
        errors.invalid("involvedObject.namespace", &involved.into(), "does not match event.namespace");
    }
    if timed {
        reported(event, reporter_field, errors);
    }
}

/// What an event with a time of its own must say.
fn reported(event: &Value, reporter_field: &str, errors: &mut FieldErrors) {
    let reporter = reporter_name(event);
    if reporter.is_empty() {
        errors.required(reporter_field, "");
    }
    qualified(reporter, reporter_field, errors);
    for field in ["reportingInstance", "action", "reason"] {
        let value = text(event, &format!("/{field}"));
        if value.is_empty() {
            errors.required(field, "");
        }
        if value.len() > 128 {
            errors.invalid(field, &"".into(), "can have at most 128 characters");
        }
    }
    if either_text(event, "/message", "/note").len() > 1024 {
        errors.invalid("message", &"".into(), "can have at most 1024 characters");
    }
}

fn series(event: &Value, errors: &mut FieldErrors) {
    let Some(series) = event.get("series").filter(|s| s.is_object()) else { return };
    if number(series, "/count").unwrap_or_default() < 2 {
        errors.invalid("series.count", &"".into(), "should be at least 2");
    }
    if text(series, "/lastObservedTime").is_empty() {
        errors.required("series.lastObservedTime", "");
    }
}

/// What a new event of `events.k8s.io` must have, and must leave out.
fn complete(event: &Value, errors: &mut FieldErrors) {
    if text(event, "/eventTime").is_empty() {
        errors.required("eventTime", "");
    }
    let kind = text(event, "/type");
    if !matches!(kind, "Normal" | "Warning") {
        errors.invalid("type", &"".into(), format!("has invalid value: {kind}"));
    }
    unset(event, errors);
}

/// Fields of the old form that a new event leaves out.
fn unset(event: &Value, errors: &mut FieldErrors) {
    let empty = Value::from("");
    let times = [
        ("firstTimestamp", "/firstTimestamp", "/deprecatedFirstTimestamp"),
        ("lastTimestamp", "/lastTimestamp", "/deprecatedLastTimestamp"),
    ];
    for (field, core, new) in times {
        if !either_text(event, core, new).is_empty() {
            errors.invalid(field, &empty, "needs to be unset");
        }
    }
    if either(event, "/count", "/deprecatedCount").as_i64().unwrap_or_default() != 0 {
        errors.invalid("count", &empty, "needs to be unset");
    }
    let source = either(event, "/source", "/deprecatedSource");
    if source.as_object().is_some_and(|s| s.values().any(|v| v.as_str().is_some_and(|t| !t.is_empty()))) {
        errors.invalid("source", &empty, "needs to be unset");
    }
}

fn selected<'a>(event: &'a Value, name: &str) -> Cow<'a, str> {
    let path = |part: &str| (format!("/involvedObject/{part}"), format!("/regarding/{part}"));
    match name.split_once('.') {
        Some((_, part)) => {
            let (core, new) = path(part);
            either_text(event, &core, &new).into()
        }
        None => match name {
            "source" => {
                let component = either_text(event, "/source/component", "/deprecatedSource/component");
                if component.is_empty() { reporter_name(event).into() } else { component.into() }
            }
            "reportingComponent" | "reportingController" => reporter_name(event).into(),
            other => text(event, &format!("/{other}")).into(),
        },
    }
}

fn reporter_name(event: &Value) -> &str {
    either_text(event, "/reportingComponent", "/reportingController")
}

fn cells(event: &Value, now: Timestamp) -> Vec<Value> {
    let first = either_text(event, "/firstTimestamp", "/deprecatedFirstTimestamp");
    let last = either_text(event, "/lastTimestamp", "/deprecatedLastTimestamp");
    let time = text(event, "/eventTime");
    let first_seen = since(if first.is_empty() { time } else { first }, now);
    let mut last_seen = if last.is_empty() { first_seen.clone() } else { since(last, now) };
    let mut count = either(event, "/count", "/deprecatedCount").as_i64().unwrap_or_default();
    if let Some(series) = event.get("series").filter(|s| s.is_object()) {
        last_seen = since(text(series, "/lastObservedTime"), now);
        count = number(series, "/count").unwrap_or_default();
    } else if count == 0 {
        count = 1;
    }
    let kind = either_text(event, "/involvedObject/kind", "/regarding/kind").to_lowercase();
    let name = either_text(event, "/involvedObject/name", "/regarding/name");
    let object = if name.is_empty() { kind } else { format!("{kind}/{name}") };
    vec![
        last_seen.into(),
        text(event, "/type").into(),
        text(event, "/reason").into(),
        object.into(),
        either_text(event, "/involvedObject/fieldPath", "/regarding/fieldPath").into(),
        source(event).into(),
        either_text(event, "/message", "/note").trim().into(),
        first_seen.into(),
        count.into(),
        text(event, "/metadata/name").into(),
    ]
}

fn source(event: &Value) -> String {
    let old = either(event, "/source", "/deprecatedSource");
    let part = |fields: Option<&Map<String, Value>>, key: &str| -> String {
        fields.and_then(|f| f.get(key)).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let mut component = part(old.as_object(), "component");
    if component.is_empty() {
        component = reporter_name(event).to_owned();
    }
    let mut host = part(old.as_object(), "host");
    if host.is_empty() {
        host = text(event, "/reportingInstance").to_owned();
    }
    if host.is_empty() { component } else { format!("{component}, {host}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_two_forms_carry_the_same() {
        let core = json!({
            "apiVersion": "v1", "involvedObject": {"name": "p"}, "message": "m", "count": 2, "reason": "r",
            "reportingComponent": "", "reportingInstance": "me", "series": {"lastObservedTime": null}
        });
        let mut event = core.clone();
        from_core(&mut event);
        let expected = json!({
            "apiVersion": "events.k8s.io/v1", "regarding": {"name": "p"}, "note": "m", "deprecatedCount": 2, "reason": "r",
            "reportingInstance": "me", "series": {"lastObservedTime": null, "count": 0}
        });
        assert_eq!(event, expected);
        to_core(&mut event);
        assert_eq!(event, core);
    }
}
