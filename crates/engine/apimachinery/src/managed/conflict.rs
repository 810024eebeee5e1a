//! Fields that an apply would take from other managers.

use std::collections::BTreeMap;

use super::entries::Entry;
use super::set::Set;

/// The conflicts of an apply, by manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflicts {
    /// The manager as messages name it, and the path, `.data.key`.
    pub causes: Vec<(String, String)>,
    pub(super) all: Set,
}

impl Conflicts {
    pub(super) fn new(conflicts: &[(&Entry, Set)]) -> Self {
        let mut causes = Vec::new();
        let mut all = Set::default();
        for (entry, set) in conflicts {
            all.union(set);
            causes.extend(set.paths().into_iter().map(|path| (entry.show(), path)));
        }
        Self { causes, all }
    }

    /// Upstream's message: `Apply failed with 2 conflicts: conflicts with "m" using v1:` and a line for each path.
    #[must_use]
    pub fn message(&self) -> String {
        if let [(manager, path)] = self.causes.as_slice() {
            return format!("Apply failed with 1 conflict: conflict with {manager}: {path}");
        }
        let mut managers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (manager, path) in &self.causes {
            managers.entry(manager).or_default().push(path);
        }
        let mut lines = Vec::new();
        for (manager, paths) in managers {
            lines.push(format!("conflicts with {manager}:"));
            lines.extend(paths.into_iter().map(|path| format!("- {path}")));
        }
        format!("Apply failed with {} conflicts: {}", self.causes.len(), lines.join("\n"))
    }
}
