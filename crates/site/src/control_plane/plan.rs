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
    /// The cluster's folder is there.
    pub folder: bool,
}

/// What to do next, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Write who may come in; the running process reads it again when it changes.
    WriteAccess,
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

/// Decides.
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
        WantedCluster::Present => {
            let mut steps = vec![Step::WriteAccess];
            match (seen.alive, &seen.authority) {
                (false, _) => steps.extend([Step::ReportDown, Step::Start]),
                (true, Some(_)) => steps.push(Step::Forward),
                (true, None) => {}
            }
            steps
        }
    }
}
