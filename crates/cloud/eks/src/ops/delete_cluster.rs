use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use super::describe_cluster::{named, shown};
use crate::clusters;
use crate::records::WantedCluster;
use crate::shown::ClusterShown;

/// <https://docs.aws.amazon.com/eks/latest/APIReference/API_DeleteCluster.html>
#[derive(Shape)]
pub(super) struct DeleteCluster {
    name: String,
}

/// The cluster, DELETING.
#[derive(Shape)]
pub(super) struct Output {
    cluster: ClusterShown,
}

impl Command for DeleteCluster {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![clusters::ask(call, state, &self.name)?])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Output, Fault> {
        let mut cluster = named(Reads::of(txn), &call.scope, &self.name)?;
        if cluster.wanted != WantedCluster::Absent {
            cluster.wanted = WantedCluster::Absent;
            txn.put_record(&call.scope, &cluster)?;
        }
        Ok(Output { cluster: shown(call, Reads::of(txn), cluster)? })
    }
}
