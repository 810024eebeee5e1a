use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::fault::invalid_parameter;
use crate::records::Cluster;

/// <https://docs.aws.amazon.com/eks/latest/APIReference/API_ListClusters.html>
#[derive(Shape)]
pub(super) struct ListClusters {
    /// `all` would add connected clusters: those cannot be made here.
    include: Vec<String>,
}

/// Names, sorted.
#[derive(Shape)]
pub(super) struct Output {
    clusters: Vec<String>,
}

impl Lookup for ListClusters {
    type Output = Output;

    fn asks(&self, _call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![Ask::any()])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        if let Some(other) = self.include.iter().find(|other| *other != "all") {
            return Err(invalid_parameter(format!("The value '{other}' of include is invalid: it can be all")));
        }
        let clusters = view.records::<Cluster>(&call.scope)?;
        Ok(Output { clusters: clusters.into_iter().map(|cluster| cluster.name).collect() })
    }
}
