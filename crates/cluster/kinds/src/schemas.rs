//! The schema table of the built-in kinds, and what its types and fields are for.

use std::sync::{Arc, OnceLock};

use eksile_apimachinery::schema::Schemas;
use eksile_kube::openapi::Descriptions;

/// The types of Kubernetes 1.33, read once from the table that `xtask/schema/generate` writes.
#[must_use]
pub fn builtin() -> &'static Arc<Schemas> {
    static TABLE: OnceLock<Arc<Schemas>> = OnceLock::new();
    TABLE.get_or_init(|| {
        Arc::new(
            Schemas::parse(include_str!("../data/schema.txt")).expect("the table is generated, and a test reads it"),
        )
    })
}

/// What the types and fields that [`ROWS`](crate::table::ROWS) lead to are for, in our words. Read anew each time: OpenAPI's
/// documents alone need it, and the texts stay on disk until then.
#[must_use]
pub fn descriptions() -> Descriptions<'static> {
    Descriptions::parse(&[
        include_str!("../data/descriptions/meta.txt"),
        include_str!("../data/descriptions/core.txt"),
        include_str!("../data/descriptions/pod.txt"),
        include_str!("../data/descriptions/volumes.txt"),
        include_str!("../data/descriptions/groups.txt"),
    ])
    .expect("a test reads the descriptions")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use eksile_kube::Resources;
    use eksile_kube::openapi::Source;
    use serde_json::Value;

    use super::*;

    /// All documents that the table of kinds leads to.
    fn documents() -> Vec<Value> {
        let resources = Resources::from_rows(crate::table::ROWS);
        let source =
            Source { schemas: builtin(), resources: &resources, descriptions: &descriptions(), release: "1.33" };
        let index: Value = serde_json::from_slice(&source.index()).expect("JSON");
        let paths = index["paths"].as_object().expect("an object");
        let body = |path: &String| source.document(path).expect("the index names it").body;
        paths.keys().map(|path| serde_json::from_slice(&body(path)).expect("JSON")).collect()
    }

    #[test]
    fn the_table_is_well_formed() {
        assert!(builtin().kind("v1", "Pod").is_some());
    }

    #[test]
    fn every_type_and_field_is_described() {
        let mut missing = BTreeSet::new();
        for document in documents() {
            for (name, made) in document["components"]["schemas"].as_object().expect("an object") {
                if made["description"].as_str().is_none_or(str::is_empty) {
                    missing.insert(name.clone());
                }
                for (field, property) in made["properties"].as_object().into_iter().flatten() {
                    if property["description"].as_str().is_none_or(str::is_empty) {
                        missing.insert(format!("{name}: {field}"));
                    }
                }
            }
        }
        assert!(missing.is_empty(), "not described: {missing:#?}");
    }

    #[test]
    fn every_option_of_a_stream_is_described() {
        for kind in ["PodAttachOptions", "PodExecOptions", "PodLogOptions", "PodPortForwardOptions", "PodProxyOptions"]
        {
            let one = builtin().get(builtin().kind("v1", kind).expect(kind));
            assert!(descriptions().of_type(&one.name).is_some(), "{kind}");
            for field in &one.fields {
                assert!(descriptions().of_field(&one.name, &field.name).is_some(), "{kind}: {}", field.name);
            }
        }
    }

    #[test]
    fn only_what_exists_is_described() {
        let documents = documents();
        let leaf = |name: &str, field: Option<&str>| {
            documents.iter().any(|document| {
                let made = document["components"]["schemas"].get(name);
                made.is_some_and(|made| field.is_none_or(|f| made["properties"].get(f).is_some()))
            })
        };
        for (name, fields) in descriptions().types() {
            let table = builtin().named(name).map(|id| builtin().get(id));
            assert!(table.is_some() || leaf(name, None), "{name} is nowhere");
            for field in fields {
                let known = table.is_some_and(|one| one.field(field).is_some()) || leaf(name, Some(field));
                assert!(known, "{name} has no field {field}");
            }
        }
    }
}
