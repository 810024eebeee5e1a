//! From an IAM identity to a Kubernetes user: the cluster's creator, access entries, the aws-auth ConfigMap.

use std::collections::BTreeMap;
use std::net::IpAddr;

use eksile_control::Machine;
use eksile_eks::records::{AccessEntry, AuthenticationMode, Creator};
use eksile_kube::User;
use serde::Deserialize;
use serde_json::Value;

use super::identity::Identity;
use super::naming::{self, Named};

/// Who may come in, as the site writes it beside the control plane.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Access {
    pub(super) mode: AuthenticationMode,
    pub(super) creator: Option<Creator>,
    #[serde(default)]
    pub(super) entries: Vec<AccessEntry>,
    /// Instance id to private DNS name, of all that are not terminated.
    #[serde(default)]
    pub(super) instances: BTreeMap<String, String>,
    /// Instance id to private addresses.
    #[serde(default)]
    pub(super) addresses: BTreeMap<String, Vec<IpAddr>>,
}

impl Access {
    /// The instance of a node's name, as the Region has it. A name that several have is nobody's.
    pub(super) fn machine(&self, node: &str) -> Option<Machine> {
        let mut found = self.instances.iter().filter(|(_, name)| *name == node);
        let (Some((id, name)), None) = (found.next(), found.next()) else { return None };
        let addresses = self.addresses.get(id).cloned().unwrap_or_default();
        Some(Machine { names: vec![name.clone()], addresses })
    }

    /// The entry of a principal: of several whose ARNs differ by their path, the one that was made for it.
    fn entry(&self, who: &Identity, canonical: &str) -> Option<&AccessEntry> {
        let same = |e: &&AccessEntry| {
            without_path(&e.principal_arn) == canonical || e.principal_arn.to_lowercase() == canonical
        };
        let own = self.entries.iter().filter(same).find(|e| e.principal_id == who.principal);
        own.or_else(|| self.entries.iter().find(same))
    }
}

/// An item of `mapRoles` or `mapUsers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mapped {
    arn: String,
    username: String,
    groups: Vec<String>,
}

/// What the aws-auth ConfigMap says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct AwsAuth {
    items: Vec<Mapped>,
    accounts: Vec<String>,
}

impl AwsAuth {
    /// Reads the ConfigMap. A bad item is left out, a section that is not YAML is left out, the rest holds.
    pub(super) fn read(map: &Value) -> Self {
        let section = |name: &str| -> Vec<Value> {
            let text = map.pointer(&format!("/data/{name}")).and_then(Value::as_str).unwrap_or_default();
            if text.trim().trim_matches(['"', '\'']).is_empty() {
                return Vec::new();
            }
            // The cluster's own reader, which no bytes end in a panic: this is read when anybody comes.
            let read = eksile_yaml::read(text.as_bytes()).map(|read| read.value);
            match read {
                Ok(Value::Array(items)) => items,
                Ok(_) => left_out(name, "it is not a list"),
                Err(error) => left_out(name, &error),
            }
        };
        let mut items = Vec::new();
        for (name, key) in [("mapRoles", "rolearn"), ("mapUsers", "userarn")] {
            items.extend(section(name).iter().filter_map(|item| Mapped::read(item, key)));
        }
        let accounts = section("mapAccounts").iter().filter_map(text_of).collect();
        Self { items, accounts }
    }
}

fn left_out(section: &str, why: &str) -> Vec<Value> {
    tracing::warn!(section, why, "aws-auth section left out");
    Vec::new()
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

impl Mapped {
    fn read(item: &Value, key: &str) -> Option<Self> {
        let arn = item.get(key).and_then(Value::as_str).unwrap_or_default();
        if arn.is_empty() {
            tracing::warn!(%item, "aws-auth item without {key} left out");
            return None;
        }
        let groups = item.get("groups").and_then(Value::as_array);
        Some(Self {
            arn: arn.to_lowercase(),
            username: item.get("username").and_then(Value::as_str).unwrap_or_default().to_owned(),
            groups: groups.into_iter().flatten().filter_map(|g| g.as_str().map(str::to_owned)).collect(),
        })
    }
}

/// The user behind an identity; `None` when nothing maps it.
pub(super) fn user(access: &Access, config_map: &AwsAuth, who: &Identity) -> Result<Option<User>, String> {
    let canonical = who.canonical.to_lowercase();
    if let Some(creator) = &access.creator
        && (without_path(&creator.arn) == canonical || creator.arn.to_lowercase() == canonical)
        && creator.principal_id == who.principal
    {
        return Ok(Some(user_of(who, ("kubernetes-admin".to_owned(), vec!["system:masters".to_owned()]))));
    }
    if access.mode != AuthenticationMode::ConfigMap
        && let Some(entry) = access.entry(who, &canonical)
    {
        // A principal made anew under the same ARN is another one; an entry without an id is nobody's.
        if entry.principal_id != who.principal {
            return Ok(None);
        }
        return naming::of_entry(access, who, entry).map(|named| Some(user_of(who, named)));
    }
    if access.mode == AuthenticationMode::Api {
        return Ok(None);
    }
    // The last of several items for the same ARN wins.
    if let Some(item) = config_map.items.iter().rev().find(|item| item.arn == canonical) {
        let named = naming::of_config_map(access, who, &item.username, &item.groups)?;
        return Ok(Some(user_of(who, named)));
    }
    if config_map.accounts.contains(&who.account) {
        return Ok(Some(user_of(who, (who.canonical.clone(), Vec::new()))));
    }
    Ok(None)
}

/// A role's ARN without its path, lower-case: STS does not tell paths.
fn without_path(arn: &str) -> String {
    let arn = arn.to_lowercase();
    match arn.split_once(":role/") {
        Some((head, rest)) => format!("{head}:role/{}", rest.rsplit('/').next().unwrap_or_default()),
        None => arn,
    }
}

fn user_of(who: &Identity, (name, groups): Named) -> User {
    let extra = [
        ("accessKeyId", who.access_key.clone()),
        ("arn", who.arn.clone()),
        ("canonicalArn", who.canonical.clone()),
        ("principalId", who.principal.clone()),
        ("sessionName", who.session.clone()),
    ];
    User {
        name,
        uid: format!("aws-iam-authenticator:{}:{}", who.account, who.principal),
        groups,
        extra: extra.into_iter().map(|(key, value)| (key.to_owned(), vec![value])).collect(),
    }
}

#[cfg(test)]
mod tests;
