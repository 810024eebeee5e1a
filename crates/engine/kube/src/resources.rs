//! The table of resources that one cluster offers, found by group, version and plural.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::resource::{Resource, Row};

/// The versions of a group: version to plural to resource.
type Versions = BTreeMap<String, BTreeMap<String, Arc<Resource>>>;

/// All resources of a cluster. Lookups do not allocate.
#[derive(Default)]
pub struct Resources {
    groups: BTreeMap<String, Versions>,
    order: Vec<Arc<Resource>>,
}

impl Resources {
    /// The table made of these rows; a later row of the same group, version and plural replaces an earlier one.
    #[must_use]
    pub fn from_rows(rows: &[Row]) -> Self {
        let mut table = Self::default();
        for row in rows {
            table.insert(Resource::from_row(row));
        }
        table
    }

    fn insert(&mut self, resource: Resource) {
        let resource = Arc::new(resource);
        self.order.push(resource.clone());
        self.groups
            .entry(resource.group.to_string())
            .or_default()
            .entry(resource.version.to_string())
            .or_default()
            .insert(resource.plural.to_string(), resource);
    }

    /// The resource of this group, version and plural.
    #[must_use]
    pub fn get(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Resource>> {
        self.groups.get(group)?.get(version)?.get(plural)
    }

    /// The resource of this group, version and kind.
    #[must_use]
    pub fn by_kind(&self, group: &str, version: &str, kind: &str) -> Option<&Arc<Resource>> {
        self.groups.get(group)?.get(version)?.values().find(|r| &*r.kind == kind)
    }

    /// Whether the group version is offered.
    #[must_use]
    pub fn has(&self, group: &str, version: &str) -> bool {
        self.groups.get(group).is_some_and(|v| v.contains_key(version))
    }

    /// All resources in the order of the rows.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.order.iter()
    }

    /// The groups in the order in which rows name them first, each with its versions (newest first as rows list them).
    #[must_use]
    pub fn groups(&self) -> Vec<(Arc<str>, Vec<Arc<str>>)> {
        let mut out: Vec<(Arc<str>, Vec<Arc<str>>)> = Vec::new();
        for resource in &self.order {
            let at = out.iter().position(|(group, _)| *group == resource.group).unwrap_or_else(|| {
                out.push((resource.group.clone(), Vec::new()));
                out.len() - 1
            });
            if !out[at].1.contains(&resource.version) {
                out[at].1.push(resource.version.clone());
            }
        }
        out
    }

    /// The resources of one group version, by plural.
    #[must_use]
    pub fn of(&self, group: &str, version: &str) -> Vec<Arc<Resource>> {
        self.groups.get(group).and_then(|v| v.get(version)).map(|m| m.values().cloned().collect()).unwrap_or_default()
    }
}
