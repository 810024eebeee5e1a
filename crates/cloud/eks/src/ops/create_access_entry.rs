use std::collections::BTreeMap;

use eksile_aws::inputs::{TagRules, merge_tags};
use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_iam::records::{Role, User};
use eksile_store::{Scope, Txn};

use super::describe_cluster::named;
use crate::access::{Asked, EntryType, identity, principal};
use crate::clusters;
use crate::fault::{in_use, invalid_parameter, invalid_request};
use crate::names::{Principal, access_entry_arn, cluster_arn};
use crate::records::{AccessEntry, AuthenticationMode, Cluster};
use crate::shown::AccessEntryShown;

/// <https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateAccessEntry.html>
#[derive(Shape)]
pub(super) struct CreateAccessEntry {
    cluster_name: String,
    principal_arn: String,
    kubernetes_groups: Vec<String>,
    tags: BTreeMap<String, String>,
    username: Option<String>,
    #[shape(name = "type")]
    entry_type: Option<String>,
}

/// The entry.
#[derive(Shape)]
pub(super) struct Output {
    access_entry: AccessEntryShown,
}

/// Entries exist only where the cluster's mode has the API.
pub(super) fn with_api(cluster: &Cluster) -> Result<(), Fault> {
    if cluster.authentication_mode != AuthenticationMode::ConfigMap {
        return Ok(());
    }
    let message = "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this \
                   operation.";
    Err(invalid_request(message).with("clusterName", cluster.name.clone()))
}

/// The unique id of a principal: the same ARN made anew is another one.
fn principal_id(txn: &Txn<'_>, arn: &str, principal: &Principal<'_>) -> Result<String, Fault> {
    let scope = Scope::new(principal.account, "global");
    let found = match principal.kind {
        "role" => {
            let role = txn.record::<Role>(&scope, principal.name)?;
            role.filter(|role| role.arn(principal.account) == arn).map(|role| role.role_id)
        }
        _ => {
            let user = txn.record::<User>(&scope, principal.name)?;
            user.filter(|user| user.arn(principal.account) == arn).map(|user| user.user_id)
        }
    };
    found.ok_or_else(|| invalid_parameter("The specified principalArn is invalid: invalid principal."))
}

impl Command for CreateAccessEntry {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        let ask = || clusters::ask(call, state, &self.cluster_name).map(|ask| ask.requesting(&self.tags));
        let mut asks = vec![ask()?];
        if !self.tags.is_empty() {
            let account = &call.scope.account;
            let made = format!("arn:aws:eks:{}:{account}:access-entry/{}/*", call.region, self.cluster_name);
            asks.push(Ask::to(made).requesting(&self.tags).action("eks:TagResource"));
        }
        match EntryType::read(self.entry_type.as_deref()) {
            Ok(kind) if kind.passes_role() => {
                let cluster = cluster_arn(call.region, &call.scope.account, &self.cluster_name);
                asks.push(eksile_iam::pass_role(call, state, &self.principal_arn, "ec2.amazonaws.com", &cluster)?);
            }
            Ok(_) => {}
            // Whether a role is passed cannot be said of a type that is none.
            Err(fault) => asks.push(ask()?.failing(Some(fault))),
        }
        Ok(asks)
    }

    fn conditions(&self, _call: &Call<'_>) -> Vec<(String, Vec<String>)> {
        let kind = EntryType::read(self.entry_type.as_deref()).map_or("", EntryType::name);
        vec![
            ("eks:clusterName".to_owned(), vec![self.cluster_name.clone()]),
            ("eks:principalArn".to_owned(), vec![self.principal_arn.clone()]),
            ("eks:accessEntryType".to_owned(), vec![kind.to_owned()]),
            ("eks:kubernetesGroups".to_owned(), self.kubernetes_groups.clone()),
            ("eks:username".to_owned(), self.username.clone().into_iter().collect()),
        ]
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Output, Fault> {
        let cluster = named(Reads::of(txn), &call.scope, &self.cluster_name)?;
        with_api(&cluster)?;
        let kind = EntryType::read(self.entry_type.as_deref())?;
        let (username, kubernetes_groups) = identity(&Asked {
            principal_arn: &self.principal_arn,
            kind,
            username: self.username.as_deref(),
            groups: &self.kubernetes_groups,
            account: &call.scope.account,
        })?;
        let mut tags = BTreeMap::new();
        merge_tags(&mut tags, self.tags, TagRules::EKS)?;
        let id = AccessEntry::id_of(&cluster.name, &self.principal_arn);
        if txn.record::<AccessEntry>(&call.scope, &id)?.is_some() {
            return Err(in_use("The specified access entry resource is already in use on this cluster."));
        }
        let principal = principal(&self.principal_arn)?;
        let now = call.now.as_second();
        let entry = AccessEntry {
            id,
            cluster_id: cluster.id,
            cluster_name: cluster.name,
            principal_id: principal_id(txn, &self.principal_arn, &principal)?,
            access_entry_arn: access_entry_arn(&cluster.arn, &principal, &call.mint.uuid()),
            principal_arn: self.principal_arn,
            entry_type: kind.name().to_owned(),
            username,
            kubernetes_groups,
            created_at: now,
            modified_at: now,
            tags,
        };
        txn.put_record(&call.scope, &entry)?;
        Ok(Output { access_entry: entry.into() })
    }
}
