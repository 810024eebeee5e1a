use eksile_aws::{Call, Fault, Lookup, Shape};
use eksile_store::View;

use crate::records::Cluster;

/// <https://docs.aws.amazon.com/eks/latest/APIReference/API_ListClusters.html>
#[derive(Shape)]
pub(super) struct ListClusters {}

/// Names, sorted.
#[derive(Shape)]
pub(super) struct Output {
    clusters: Vec<String>,
}

impl Lookup for ListClusters {
    type Output = Output;

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let clusters = view.records::<Cluster>(&call.scope)?;
        Ok(Output { clusters: clusters.into_iter().map(|cluster| cluster.name).collect() })
    }
}
