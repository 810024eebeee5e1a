//! The pods that are there already when a namespace becomes stricter: they stay, and are told.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use eksile_store::{Entry, View};

use crate::checks::{reasons, violations};
use crate::labels::Standard;
use crate::pod::Pod;

/// Pods that are looked at.
const MOST: usize = 3000;
/// How long they are looked at.
const LONGEST: Duration = Duration::from_secs(1);
/// Pods read from the store at once.
const PAGE: usize = 200;

/// What is to be said of the pods of this namespace under this standard. Runs beside the requests, not between them.
pub(crate) async fn judge(view: View, namespace: &str, standard: Standard) -> Vec<String> {
    let name = namespace.to_owned();
    let look = move || Look::new(standard, Instant::now() + LONGEST, MOST).all(&view, &name);
    tokio::task::spawn_blocking(look).await.unwrap_or_else(|error| {
        tracing::error!(namespace, %error, "looking at the pods of a namespace failed");
        vec!["failed to list pods while checking new PodSecurity enforce level".to_owned()]
    })
}

/// Pods that have the same against them.
struct Alike {
    first: String,
    count: usize,
}

/// A stored pod. One that cannot be read is not among those looked at, and that is told.
fn read(entry: &Entry) -> Option<Pod> {
    Pod::read_stored(&entry.value).inspect_err(|error| tracing::error!(key = %entry.key, %error, "unreadable pod")).ok()
}

struct Look {
    standard: Standard,
    deadline: Instant,
    most: usize,
    looked: usize,
    found: BTreeMap<String, Alike>,
    controllers: HashSet<String>,
    /// Keys of further pods of controllers, one of whose pods was looked at: they come last.
    further: Vec<String>,
}

impl Look {
    fn new(standard: Standard, deadline: Instant, most: usize) -> Self {
        let (found, controllers, further) = (BTreeMap::new(), HashSet::new(), Vec::new());
        Self { standard, deadline, most, looked: 0, found, controllers, further }
    }

    fn done(&self) -> bool {
        self.looked >= self.most || Instant::now() >= self.deadline
    }

    fn all(mut self, view: &View, namespace: &str) -> Vec<String> {
        let prefix = format!("/registry/pods/{namespace}/");
        let total = view.count(&prefix);
        let mut after: Option<String> = None;
        while !self.done() {
            let page = view.scan(&prefix, after.as_deref(), PAGE);
            let Some(last) = page.last() else { break };
            after = Some(last.key.to_string());
            for entry in &page {
                self.meet(entry);
                if self.done() {
                    break;
                }
            }
        }
        for key in std::mem::take(&mut self.further) {
            if self.done() {
                break;
            }
            if let Some(pod) = view.get(&key).as_ref().and_then(read) {
                self.judge(&pod);
            }
        }
        self.told(total, namespace)
    }

    /// Looks at a pod, or keeps it for later.
    fn meet(&mut self, entry: &Entry) {
        let Some(pod) = read(entry) else { return };
        let owners = pod.metadata.owner_references.iter().flatten();
        let controller = owners.filter(|owner| owner.controller == Some(true)).find_map(|owner| owner.uid.clone());
        if controller.is_none_or(|uid| self.controllers.insert(uid)) {
            self.judge(&pod);
        } else if self.looked + self.further.len() < self.most {
            self.further.push(entry.key.to_string());
        }
    }

    fn judge(&mut self, pod: &Pod) {
        self.looked += 1;
        let broken = violations(self.standard, pod);
        if broken.is_empty() {
            return;
        }
        let name = pod.metadata.name.clone().unwrap_or_default();
        let alike = self.found.entry(reasons(&broken)).or_insert_with(|| Alike { first: name.clone(), count: 0 });
        alike.count += 1;
        if name < alike.first {
            alike.first = name;
        }
    }

    fn told(self, total: usize, namespace: &str) -> Vec<String> {
        let mut out = Vec::new();
        if self.looked < total {
            out.push(format!(
                "new PodSecurity enforce level only checked against the first {} of {total} existing pods",
                self.looked
            ));
        }
        if !self.found.is_empty() {
            let standard = self.standard;
            out.push(format!(
                "existing pods in namespace \"{namespace}\" violate the new PodSecurity enforce level \"{standard}\""
            ));
        }
        let mut pods: Vec<String> = self
            .found
            .into_iter()
            .map(|(why, Alike { first, count })| match count {
                1 => format!("{first}: {why}"),
                2 => format!("{first} (and 1 other pod): {why}"),
                _ => format!("{first} (and {} other pods): {why}", count - 1),
            })
            .collect();
        pods.sort();
        out.extend(pods);
        out
    }
}

#[cfg(test)]
mod tests;
