//! OpenAPI v3: one document for each group version, and the index that names them.
//!
//! `kubectl apply` asks whether a kind can be validated and `kubectl explain` shows its fields; both read these.
//! Everything follows from the schema table and the rows. Descriptions are not part of the table, so there are none.

mod operation;
mod paths;
mod types;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use aws_lc_rs::digest;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::resources::Resources;
use eksile_apimachinery::schema::Schemas;

/// The documents of a cluster, encoded once.
#[derive(Debug)]
pub struct Documents {
    all: BTreeMap<String, Document>,
    index: Bytes,
}

/// One document.
#[derive(Debug, Clone)]
pub struct Document {
    /// JSON.
    pub body: Bytes,
    /// Upper-case hexadecimal SHA-512 of the body, which the index names; clients cache by it.
    pub hash: String,
}

impl Documents {
    /// Makes the documents of all group versions. `version` is the release, such as `1.33`.
    #[must_use]
    pub fn new(schemas: &Schemas, resources: &Resources, version: &str) -> Self {
        let mut all = BTreeMap::new();
        for (group, versions) in resources.groups() {
            for of_group in versions {
                let path =
                    if group.is_empty() { format!("api/{of_group}") } else { format!("apis/{group}/{of_group}") };
                let body = document(schemas, resources, &group, &of_group, version).to_string();
                let hash = digest::digest(&digest::SHA512, body.as_bytes());
                let hash = hash.as_ref().iter().map(|b| format!("{b:02X}")).collect();
                all.insert(path, Document { body: body.into(), hash });
            }
        }
        let paths: Map<String, Value> = all
            .iter()
            .map(|(path, document)| {
                let url = format!("/openapi/v3/{path}?hash={}", document.hash);
                (path.clone(), json!({"serverRelativeURL": url}))
            })
            .collect();
        let index = json!({"paths": paths}).to_string().into();
        Self { all, index }
    }

    /// What `/openapi/v3` answers.
    #[must_use]
    pub fn index(&self) -> Bytes {
        self.index.clone()
    }

    /// The document of a path, such as `apis/apps/v1`.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Document> {
        self.all.get(path)
    }
}

fn document(schemas: &Schemas, resources: &Resources, group: &str, version: &str, release: &str) -> Value {
    let mut components = types::Components::new(schemas);
    let paths = paths::paths(&mut components, resources, group, version);
    json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": release},
        "paths": paths,
        "components": {
            "schemas": components.finish(),
            "securitySchemes": {"BearerToken": {"type": "apiKey", "name": "authorization", "in": "header"}},
        },
    })
}
