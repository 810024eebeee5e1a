//! The `Table` and `PartialObjectMetadata` forms.

use bytes::Bytes;
use serde_json::{Value, json, value::RawValue};

use crate::negotiate::{Form, Wanted, no_such_form};
use crate::query::Query;
use crate::resource::Resource;
use crate::status::StatusError;

/// What rows carry beside their cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Include {
    /// Nothing.
    None,
    /// The metadata (the default).
    Metadata,
    /// The whole object.
    Object,
}

impl Include {
    /// Reads `includeObject`.
    ///
    /// # Errors
    /// 400 for an unknown value.
    pub(crate) fn read(query: &Query<'_>) -> Result<Self, StatusError> {
        match query.get("includeObject") {
            "" | "Metadata" => Ok(Self::Metadata),
            "None" => Ok(Self::None),
            "Object" => Ok(Self::Object),
            other => Err(StatusError::bad_request(format!(
                "Unable to convert to Table as requested: includeObject: Invalid value: \"{other}\": must be 'Metadata', 'Object', 'None', or empty"
            ))),
        }
    }
}

#[derive(serde::Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    metadata: &'a RawValue,
}

/// A stored object in the form that is wanted.
///
/// # Errors
/// 406 for a form that only lists have, 500 when what is stored cannot be read.
pub(crate) fn one(
    resource: &Resource,
    stored: &Bytes,
    wanted: Wanted,
    include: Include,
    now: jiff::Timestamp,
) -> Result<Bytes, StatusError> {
    match wanted.form {
        Form::Object => Ok(stored.clone()),
        Form::Partial => partial(stored, wanted.version).map(Into::into),
        Form::PartialList => {
            let go = resource.go_type();
            Err(no_such_form(format!(
                "you requested PartialObjectMetadataList, but the requested object is not a list (*{go})"
            )))
        }
        Form::Table => {
            let object = parsed(stored)?;
            let version = object.pointer("/metadata/resourceVersion").cloned().unwrap_or_default();
            let rows = vec![row(resource, &object, include, wanted.version, now)];
            encoded(&table(resource, &json!({ "resourceVersion": version }), &rows, wanted.version, true))
        }
    }
}

/// Stored objects as a list in a form other than [`Form::Object`].
///
/// # Errors
/// 406 for a form that only single objects have, 500 when what is stored cannot be read.
pub(crate) fn list(
    resource: &Resource,
    stored: &[Bytes],
    metadata: &Value,
    wanted: Wanted,
    include: Include,
    now: jiff::Timestamp,
) -> Result<Bytes, StatusError> {
    if wanted.form == Form::Partial {
        let go = resource.go_type();
        return Err(no_such_form(format!(
            "you requested PartialObjectMetadata, but the requested object is a list (*{go}List)"
        )));
    }
    if wanted.form == Form::PartialList {
        let mut items = Vec::with_capacity(stored.len());
        for one in stored {
            items.push(parsed(partial(one, wanted.version)?.as_bytes())?);
        }
        let kind = "PartialObjectMetadataList";
        let items = if items.is_empty() { Value::Null } else { Value::from(items) };
        return encoded(&json!({
            "kind": kind, "apiVersion": format!("meta.k8s.io/{}", wanted.version), "metadata": metadata, "items": items
        }));
    }
    let mut rows = Vec::with_capacity(stored.len());
    for one in stored {
        rows.push(row(resource, &parsed(one)?, include, wanted.version, now));
    }
    encoded(&table(resource, metadata, &rows, wanted.version, true))
}

/// An object of a watch event; `first` events carry the columns.
///
/// # Errors
/// 500 when what is stored cannot be read.
pub(crate) fn event(
    resource: &Resource,
    stored: &Bytes,
    wanted: Wanted,
    include: Include,
    now: jiff::Timestamp,
    first: bool,
) -> Result<Bytes, StatusError> {
    if wanted.form != Form::Table {
        return one(resource, stored, wanted, include, now);
    }
    let object = parsed(stored)?;
    let version = object.pointer("/metadata/resourceVersion").cloned().unwrap_or_default();
    let rows = vec![row(resource, &object, include, wanted.version, now)];
    encoded(&table(resource, &json!({ "resourceVersion": version }), &rows, wanted.version, first))
}

fn partial(stored: &[u8], version: &str) -> Result<String, StatusError> {
    let head: Head<'_> = serde_json::from_slice(stored).map_err(StatusError::internal)?;
    Ok(format!(
        "{{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/{version}\",\"metadata\":{}}}",
        head.metadata.get()
    ))
}

fn parsed(stored: &[u8]) -> Result<Value, StatusError> {
    serde_json::from_slice(stored).map_err(StatusError::internal)
}

fn encoded(value: &Value) -> Result<Bytes, StatusError> {
    serde_json::to_vec(value).map(Bytes::from).map_err(StatusError::internal)
}

fn row(resource: &Resource, object: &Value, include: Include, version: &str, now: jiff::Timestamp) -> Value {
    let shown = match include {
        Include::None => Value::Null,
        Include::Object => object.clone(),
        Include::Metadata => json!({
            "kind": "PartialObjectMetadata",
            "apiVersion": format!("meta.k8s.io/{version}"),
            "metadata": object.get("metadata").cloned().unwrap_or_default()
        }),
    };
    json!({ "cells": resource.strategy.cells(object, now), "object": shown })
}

fn table(resource: &Resource, metadata: &Value, rows: &[Value], version: &str, columns: bool) -> Value {
    let columns: Value = if columns {
        let list = resource.strategy.columns().iter();
        list.map(|c| {
            json!({
                "name": c.name, "type": c.type_, "format": c.format, "description": c.description, "priority": c.priority
            })
        })
        .collect()
    } else {
        Value::Null
    };
    json!({
        "kind": "Table", "apiVersion": format!("meta.k8s.io/{version}"), "metadata": metadata,
        "columnDefinitions": columns, "rows": rows
    })
}
