//! OpenAPI: v3, one document for each group version and the index that names them; v2, all in one.
//!
//! `kubectl apply` asks whether a kind can be validated and `kubectl explain` shows its fields; both read these.
//! Everything follows from the schema table, the rows and the descriptions.

mod descriptions;
mod gnostic;
mod operation;
mod paths;
mod types;
mod v2;

#[cfg(test)]
mod tests;

use aws_lc_rs::digest;
use bytes::Bytes;
use serde_json::{Map, Value, json};

pub use self::descriptions::{Descriptions, DescriptionsError};
use crate::resources::Resources;
use eksile_apimachinery::schema::Schemas;

/// What the documents of a cluster are made from. They are large and seldom asked for, so nobody keeps them: each is
/// made when it is asked for, the same to the letter every time.
pub struct Source<'a> {
    /// The types.
    pub schemas: &'a Schemas,
    /// What is served.
    pub resources: &'a Resources,
    /// What types and fields are for.
    pub descriptions: &'a Descriptions<'a>,
    /// Release of the cluster, such as `1.33`.
    pub release: &'a str,
}

/// One document.
#[derive(Debug, Clone)]
pub struct Document {
    /// JSON, or protobuf where that was asked for.
    pub body: Bytes,
    /// Upper-case hexadecimal SHA-512 of the body, which the index names; clients cache by it.
    pub hash: String,
}

impl Source<'_> {
    /// What `/openapi/v3` answers.
    #[must_use]
    pub fn index(&self) -> Bytes {
        let mut paths = Map::new();
        for (group, versions) in self.resources.groups() {
            for version in versions {
                let path = path(&group, &version);
                let url = format!("/openapi/v3/{path}?hash={}", self.make(&group, &version).hash);
                paths.insert(path, json!({"serverRelativeURL": url}));
            }
        }
        json!({"paths": paths}).to_string().into()
    }

    /// The document of a path, such as `apis/apps/v1`.
    #[must_use]
    pub fn document(&self, wanted: &str) -> Option<Document> {
        let groups = self.resources.groups();
        let mut all = groups.iter().flat_map(|(group, versions)| versions.iter().map(move |v| (group, v)));
        let (group, version) = all.find(|(group, version)| path(group, version) == wanted)?;
        Some(self.make(group, version))
    }

    fn make(&self, group: &str, version: &str) -> Document {
        let mut components = types::Components::new(self.schemas, self.descriptions);
        let paths = paths::paths(&mut components, self.resources, group, version);
        let document = json!({
            "openapi": "3.0.0",
            "info": {"title": "Kubernetes", "version": self.release},
            "paths": paths,
            "components": {
                "schemas": components.finish(),
                "securitySchemes": {"BearerToken": {"type": "apiKey", "name": "authorization", "in": "header"}},
            },
        });
        Document::of(document.to_string().into())
    }

    /// All group versions in one document of OpenAPI v2.
    #[must_use]
    pub fn v2(&self, form: Form) -> Document {
        let mut components = types::Components::new(self.schemas, self.descriptions);
        let mut all = Map::new();
        for (group, versions) in self.resources.groups() {
            for version in versions {
                let paths = paths::paths(&mut components, self.resources, &group, &version);
                all.extend(paths.into_iter().map(|(name, path)| (name, v2::path(path))));
            }
        }
        let types = components.finish().into_iter().map(|(name, made)| (name, v2::definition(made)));
        let document = json!({
            "swagger": "2.0",
            "info": {"title": "Kubernetes", "version": self.release},
            "paths": all,
            "definitions": Value::Object(types.collect()),
            "securityDefinitions": {"BearerToken": {"type": "apiKey", "name": "authorization", "in": "header"}},
            "security": [{"BearerToken": []}],
        });
        Document::of(match form {
            Form::Json => document.to_string().into(),
            Form::Protobuf => gnostic::encode(&document).into(),
        })
    }
}

/// How a document of OpenAPI v2 is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// JSON.
    Json,
    /// gnostic's protobuf.
    Protobuf,
}

impl Document {
    fn of(body: Bytes) -> Self {
        let hash = digest::digest(&digest::SHA512, &body).as_ref().iter().map(|b| format!("{b:02X}")).collect();
        Self { body, hash }
    }
}

fn path(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}
