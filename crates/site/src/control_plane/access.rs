//! Who may come in, written down at every pass: neither a step that fails nor a record that cannot be read keeps in
//! force what was revoked.

use std::time::Instant;

use eksile_ec2::records::Instance;
use eksile_eks::records::{AccessEntry, Cluster, WantedCluster};
use eksile_store::{Entry, Record, Scope, View};

use super::{ControlPlaneError, ControlPlanes, config, has_places, write};
use crate::{Outcome, troubles::Troubles};

/// Between a cluster's id and what else of it is in trouble.
const SIDE: &str = ": who may come in";

/// Which cluster a trouble is about.
pub(super) fn about(trouble: &str) -> &str {
    trouble.strip_suffix(SIDE).unwrap_or(trouble)
}

impl ControlPlanes<'_> {
    /// Writes down who may come into a cluster that has a folder or is about to be started; the running process reads it
    /// again when it changes. What fails is told once and tried at every pass.
    pub(super) fn keep_access(
        &self,
        view: &View,
        scope: &Scope,
        cluster: &Cluster,
        troubles: &mut Troubles,
        outcome: &mut Outcome,
    ) {
        let folder = self.folder(cluster);
        if cluster.wanted != WantedCluster::Present || !(folder.exists() || has_places(cluster)) {
            return;
        }
        let (id, now) = (format!("{}{SIDE}", cluster.id), Instant::now());
        let why = match self.write_access(view, scope, cluster) {
            Ok(left_out) if left_out.is_empty() => return troubles.over(&id),
            Ok(left_out) => format!("allowed nothing, since they cannot be read: {}", left_out.join("; ")),
            Err(error) => error.to_string(),
        };
        // Noted when its time has come, so that the next try moves away from it.
        if !troubles.rests(&id, &why, now) && troubles.note(&id, &why, &why, now) {
            tracing::warn!(why, cluster.id, "who may come into a cluster; it is tried again");
        }
        outcome.rests(troubles.again(&id));
    }

    /// Answers why records were left out: an entry that cannot be read allows nobody, an instance is no node.
    fn write_access(&self, view: &View, scope: &Scope, cluster: &Cluster) -> Result<Vec<String>, ControlPlaneError> {
        let mut left_out = Vec::new();
        let entries: Vec<AccessEntry> = readable(view, scope, &mut left_out);
        let instances: Vec<Instance> = readable(view, scope, &mut left_out);
        let access = config::access(cluster, entries, &instances);
        write(&self.folder(cluster).join("access.json"), &serde_json::to_vec(&access)?)?;
        Ok(left_out)
    }
}

fn readable<R: Record>(view: &View, scope: &Scope, left_out: &mut Vec<String>) -> Vec<R> {
    let read = |entry: &Entry| entry.decode::<R>().map_err(|error| left_out.push(error.to_string())).ok();
    view.scan(&scope.prefix::<R>(), None, usize::MAX).iter().filter_map(read).collect()
}
