use eksile_eks::records::{Cluster, WantedCluster};

/// What is there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// The process runs.
    pub alive: bool,
    /// The members' namespaces are there.
    pub places: bool,
    /// The process serves, with this certificate authority (PEM in base64).
    pub authority: Option<String>,
}

/// What to do next, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Start the process.
    Start,
    /// End it.
    Stop,
    /// Open the loopback listener and report that the cluster serves.
    Forward,
    /// Report that it does not serve.
    ReportDown,
    /// Remove what is left of it.
    Remove,
    /// Report that it is gone.
    ReportGone,
}

/// Decides. Who may come in is written down before and whatever else becomes of it: that is no step.
#[must_use]
pub fn plan(cluster: &Cluster, seen: &Seen) -> Vec<Step> {
    match cluster.wanted {
        WantedCluster::Absent => {
            let mut steps = Vec::new();
            if seen.alive {
                steps.push(Step::Stop);
            }
            steps.extend([Step::Remove, Step::ReportGone]);
            steps
        }
        WantedCluster::Present if !seen.places => Vec::new(),
        WantedCluster::Present => match (seen.alive, &seen.authority) {
            (false, _) => vec![Step::ReportDown, Step::Start],
            (true, Some(_)) => vec![Step::Forward],
            (true, None) => Vec::new(),
        },
    }
}
