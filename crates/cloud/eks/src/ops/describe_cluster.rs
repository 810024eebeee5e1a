use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::{Scope, View};

use crate::clusters;
use crate::fault::not_found;
use crate::records::{Cluster, ObservedCluster};
use crate::shown::ClusterShown;

/// <https://docs.aws.amazon.com/eks/latest/APIReference/API_DescribeCluster.html>
#[derive(Shape)]
pub(super) struct DescribeCluster {
    name: String,
}

/// The cluster.
#[derive(Shape)]
pub(super) struct Output {
    cluster: ClusterShown,
}

/// The cluster of that name.
pub(super) fn named(reads: Reads<'_>, scope: &Scope, name: &str) -> Result<Cluster, Fault> {
    let found = reads.record::<Cluster>(scope, name)?;
    found.ok_or_else(|| not_found(format!("No cluster found for name: {name}.")).with("clusterName", name))
}

/// With what its site saw.
pub(super) fn shown(call: &Call<'_>, reads: Reads<'_>, cluster: Cluster) -> Result<ClusterShown, Fault> {
    let observed = reads.record::<ObservedCluster>(&Scope::observed(&cluster.site), &cluster.id)?;
    Ok(ClusterShown::of(cluster, observed, call.vantage.place))
}

impl Lookup for DescribeCluster {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![clusters::ask(call, state, &self.name)?])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let reads = Reads::of(view);
        let cluster = named(reads, &call.scope, &self.name)?;
        Ok(Output { cluster: shown(call, reads, cluster)? })
    }
}
