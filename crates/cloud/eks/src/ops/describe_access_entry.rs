use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::{Scope, View};

use super::create_access_entry::with_api;
use super::describe_cluster::named;
use crate::clusters;
use crate::fault::not_found;
use crate::records::{AccessEntry, Cluster};
use crate::shown::AccessEntryShown;

/// <https://docs.aws.amazon.com/eks/latest/APIReference/API_DescribeAccessEntry.html>
#[derive(Shape)]
pub(super) struct DescribeAccessEntry {
    cluster_name: String,
    principal_arn: String,
}

/// The entry.
#[derive(Shape)]
pub(super) struct Output {
    access_entry: AccessEntryShown,
}

/// A cluster's entry for a principal.
pub(super) fn entry(
    reads: Reads<'_>,
    scope: &Scope,
    cluster: &Cluster,
    principal_arn: &str,
) -> Result<AccessEntry, Fault> {
    let found = reads.record::<AccessEntry>(scope, &AccessEntry::id_of(&cluster.name, principal_arn))?;
    let message = "The specified principalArn could not be found. You can view your available access entries with \
                   'list-access-entries'.";
    found.ok_or_else(|| not_found(message).with("clusterName", cluster.name.clone()))
}

impl Lookup for DescribeAccessEntry {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![clusters::ask_entry(call, state, &self.cluster_name, &self.principal_arn)?])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let reads = Reads::of(view);
        let cluster = named(reads, &call.scope, &self.cluster_name)?;
        with_api(&cluster)?;
        Ok(Output { access_entry: entry(reads, &call.scope, &cluster, &self.principal_arn)?.into() })
    }
}
