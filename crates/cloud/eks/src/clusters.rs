//! What EKS's operations ask the policies: about which cluster, about which of its access entries.
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelastickubernetesservice.html>

use eksile_aws::{Ask, Call, Fault, Reads};

use crate::names::cluster_arn;
use crate::records::{AccessEntry, Cluster};

/// About the cluster of a name.
pub(crate) fn ask(call: &Call<'_>, state: Reads<'_>, name: &str) -> Result<Ask, Fault> {
    let ask = Ask::to(cluster_arn(call.region, &call.scope.account, name));
    let clusters = state.records::<Cluster>(&call.scope)?;
    Ok(match clusters.iter().find(|cluster| cluster.name == name) {
        Some(cluster) => ask.tagged(&cluster.tags),
        None => ask,
    })
}

/// About a cluster's access entry for a principal; about all of the cluster's, where there is none.
pub(crate) fn ask_entry(call: &Call<'_>, state: Reads<'_>, cluster: &str, principal_arn: &str) -> Result<Ask, Fault> {
    let found = state.record::<AccessEntry>(&call.scope, &AccessEntry::id_of(cluster, principal_arn))?;
    let Some(entry) = found else {
        let account = &call.scope.account;
        let all = format!("arn:aws:eks:{}:{account}:access-entry/{cluster}/*", call.region);
        return Ok(Ask::to(all).key("eks:clusterName", cluster).key("eks:principalArn", principal_arn));
    };
    let ask = Ask::to(&*entry.access_entry_arn).tagged(&entry.tags).key("eks:clusterName", cluster);
    Ok(ask
        .key("eks:principalArn", &*entry.principal_arn)
        .key("eks:accessEntryType", &*entry.entry_type)
        .keys_of("eks:kubernetesGroups", entry.kubernetes_groups.clone())
        .key("eks:username", &*entry.username))
}
