use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use super::create_access_entry::with_api;
use super::describe_access_entry::entry;
use super::describe_cluster::named;
use crate::clusters;
use crate::records::AccessEntry;

/// <https://docs.aws.amazon.com/eks/latest/APIReference/API_DeleteAccessEntry.html>
#[derive(Shape)]
pub(super) struct DeleteAccessEntry {
    cluster_name: String,
    principal_arn: String,
}

/// Nothing.
#[derive(Shape)]
pub(super) struct Output {}

impl Command for DeleteAccessEntry {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![clusters::ask_entry(call, state, &self.cluster_name, &self.principal_arn)?])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Output, Fault> {
        let cluster = named(Reads::of(txn), &call.scope, &self.cluster_name)?;
        with_api(&cluster)?;
        let entry = entry(Reads::of(txn), &call.scope, &cluster, &self.principal_arn)?;
        txn.delete_record::<AccessEntry>(&call.scope, &entry.id);
        Ok(Output {})
    }
}
