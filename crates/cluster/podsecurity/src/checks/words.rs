//! How upstream's checks put their findings (`policy/helpers.go`).

use crate::pod::Container;

/// Items in quotation marks, not escaped.
pub(super) fn quoted<'a>(items: impl IntoIterator<Item = &'a str>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| format!("\"{item}\"")).collect();
    items.join(", ")
}

/// The form for this number.
pub(super) fn number<'a>(one: &'a str, many: &'a str, count: usize) -> &'a str {
    if count == 1 { one } else { many }
}

/// `container "a"`, `containers "a", "b"`.
pub(super) fn containers(names: &[&str]) -> String {
    format!("{} {}", number("container", "containers", names.len()), quoted(names.iter().copied()))
}

/// Whoever says something that it must not: the pod itself, and containers.
#[derive(Debug, Default)]
pub(super) struct Sayers<'a> {
    pod: bool,
    containers: Vec<&'a str>,
    annotations: usize,
}

impl<'a> Sayers<'a> {
    pub(super) fn pod(&mut self) {
        self.pod = true;
    }

    pub(super) fn container(&mut self, container: &'a Container) {
        self.containers.push(&container.name);
    }

    pub(super) fn annotations(&mut self, count: usize) {
        self.annotations = count;
    }

    /// `pod and containers "a", "b" and annotation`; `None` when there are none.
    pub(super) fn told(&self) -> Option<String> {
        let mut parts = Vec::new();
        if self.pod {
            parts.push("pod".to_owned());
        }
        if !self.containers.is_empty() {
            parts.push(containers(&self.containers));
        }
        if self.annotations > 0 {
            parts.push(number("annotation", "annotations", self.annotations).to_owned());
        }
        (!parts.is_empty()).then(|| parts.join(" and "))
    }
}
