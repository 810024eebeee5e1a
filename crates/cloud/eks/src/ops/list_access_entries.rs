use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use super::create_access_entry::with_api;
use super::describe_cluster::named;
use crate::clusters;
use crate::records::AccessEntry;

/// <https://docs.aws.amazon.com/eks/latest/APIReference/API_ListAccessEntries.html>
#[derive(Shape)]
pub(super) struct ListAccessEntries {
    cluster_name: String,
    associated_policy_arn: Option<String>,
}

/// Principals' ARNs, sorted.
#[derive(Shape)]
pub(super) struct Output {
    access_entries: Vec<String>,
}

impl Lookup for ListAccessEntries {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![clusters::ask(call, state, &self.cluster_name)?])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let cluster = named(Reads::of(view), &call.scope, &self.cluster_name)?;
        with_api(&cluster)?;
        let entries = view.records::<AccessEntry>(&call.scope)?.into_iter();
        // No policy can be associated with an entry yet, so none matches one.
        let matching = entries.filter(|e| e.cluster_name == cluster.name && self.associated_policy_arn.is_none());
        Ok(Output { access_entries: matching.map(|entry| entry.principal_arn).collect() })
    }
}
