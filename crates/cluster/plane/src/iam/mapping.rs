//! From an IAM identity to a Kubernetes user: the cluster's creator, access entries, the aws-auth ConfigMap.

use std::collections::BTreeMap;
use std::net::IpAddr;

use eksile_control::Machine;
use eksile_eks::records::{AccessEntry, AuthenticationMode, Creator};
use eksile_kube::User;
use serde::Deserialize;
use serde_json::Value;

use super::identity::Identity;

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
            match serde_yaml_ng::from_str::<Vec<Value>>(text) {
                Ok(items) => items,
                Err(error) => {
                    tracing::warn!(section = name, %error, "aws-auth section left out");
                    Vec::new()
                }
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
        return Ok(Some(named(who, "kubernetes-admin".to_owned(), vec!["system:masters".to_owned()])));
    }
    if access.mode != AuthenticationMode::ConfigMap
        && let Some(entry) = access.entry(who, &canonical)
    {
        // A principal made anew under the same ARN is another one; an entry without an id is nobody's.
        if entry.principal_id != who.principal {
            return Ok(None);
        }
        return filled(access, who, &entry.username, &entry.kubernetes_groups).map(Some);
    }
    if access.mode == AuthenticationMode::Api {
        return Ok(None);
    }
    // The last of several items for the same ARN wins.
    if let Some(item) = config_map.items.iter().rev().find(|item| item.arn == canonical) {
        return filled(access, who, &item.username, &item.groups).map(Some);
    }
    if config_map.accounts.contains(&who.account) {
        return Ok(Some(named(who, who.canonical.clone(), Vec::new())));
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

fn named(who: &Identity, name: String, groups: Vec<String>) -> User {
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

fn filled(access: &Access, who: &Identity, username: &str, groups: &[String]) -> Result<User, String> {
    let name = fill(access, who, username)?;
    let groups = groups.iter().map(|g| fill(access, who, g)).collect::<Result<_, _>>()?;
    Ok(named(who, name, groups))
}

/// Fills in a template.
fn fill(access: &Access, who: &Identity, template: &str) -> Result<String, String> {
    let mut text = template.replace("{{AccountID}}", &who.account).replace("{{AccessKeyID}}", &who.access_key);
    if text.contains("{{SessionName") {
        if who.session.is_empty() {
            return Err("template needs a session name, the caller has none".to_owned());
        }
        text =
            text.replace("{{SessionNameRaw}}", &who.session).replace("{{SessionName}}", &who.session.replace('@', "-"));
    }
    if text.contains("{{EC2PrivateDNSName}}") {
        // Only the Region's word makes a session an instance's; its name is chosen by whoever assumes the role.
        let id = who.instance.as_ref().filter(|id| is_instance(id));
        let id = id.ok_or_else(|| format!("the session {:?} is no instance's", who.session))?;
        let name = access.instances.get(id).ok_or_else(|| format!("no instance {id:?}"))?;
        text = text.replace("{{EC2PrivateDNSName}}", name);
    }
    Ok(text)
}

fn is_instance(session: &str) -> bool {
    session
        .strip_prefix("i-")
        .is_some_and(|id| matches!(id.len(), 8 | 17) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(canonical: &str, principal: &str, session: &str) -> Identity {
        Identity {
            arn: canonical.to_owned(),
            canonical: canonical.to_owned(),
            account: "1".to_owned(),
            principal: principal.to_owned(),
            session: session.to_owned(),
            access_key: "AK".to_owned(),
            instance: is_instance(session).then(|| session.to_owned()),
        }
    }

    fn access(mode: AuthenticationMode) -> Access {
        Access {
            mode,
            creator: Some(Creator { arn: "arn:aws:iam::1:role/path/Admin".into(), principal_id: "AROA1".into() }),
            entries: Vec::new(),
            instances: BTreeMap::from([("i-0123456789abcdef0".to_owned(), "ip-10-0-0-1.ec2.internal".to_owned())]),
            addresses: BTreeMap::new(),
        }
    }

    fn config_map() -> AwsAuth {
        AwsAuth::read(&serde_json::json!({"data": {
            "mapRoles": "- rolearn: arn:aws:iam::1:role/Node\n  username: system:node:{{EC2PrivateDNSName}}\n  groups: [system:bootstrappers, system:nodes]\n- username: bad\n",
            "mapUsers": "not: a list", "mapAccounts": "['2']"
        }}))
    }

    #[test]
    fn the_creator_is_known_by_arn_and_id() {
        let access = access(AuthenticationMode::Api);
        let found =
            user(&access, &AwsAuth::default(), &identity("arn:aws:iam::1:role/Admin", "AROA1", "s")).unwrap().unwrap();
        assert_eq!((found.name.as_str(), &found.groups[..]), ("kubernetes-admin", &["system:masters".to_owned()][..]));
        assert!(
            user(&access, &AwsAuth::default(), &identity("arn:aws:iam::1:role/Admin", "AROA2", "s")).unwrap().is_none()
        );
    }

    #[test]
    fn a_node_is_named_after_its_instance() {
        let access = access(AuthenticationMode::ApiAndConfigMap);
        let node = identity("arn:aws:iam::1:role/Node", "AROA3", "i-0123456789abcdef0");
        let found = user(&access, &config_map(), &node).unwrap().unwrap();
        assert_eq!(found.name, "system:node:ip-10-0-0-1.ec2.internal");
        assert!(user(&access, &config_map(), &identity("arn:aws:iam::1:role/Node", "AROA3", "i-none")).is_err());
        let mut only_api = access;
        only_api.mode = AuthenticationMode::Api;
        assert!(user(&only_api, &config_map(), &node).unwrap().is_none());
    }

    #[test]
    fn a_session_that_only_has_an_instance_s_name_is_no_node() {
        let access = access(AuthenticationMode::ApiAndConfigMap);
        let mut node = identity("arn:aws:iam::1:role/Node", "AROA3", "i-0123456789abcdef0");
        node.instance = None;
        assert!(user(&access, &config_map(), &node).unwrap_err().contains("is no instance's"));
    }

    #[test]
    fn an_entry_is_for_the_principal_that_it_was_made_for() {
        let mut access = access(AuthenticationMode::Api);
        let entry = |path: &str, id: &str, name: &str| {
            let entry = serde_json::json!({
                "id": format!("c/{path}"), "cluster_id": "c", "cluster_name": "c", "principal_id": id, "entry_type": "STANDARD",
                "principal_arn": format!("arn:aws:iam::1:role/{path}Dev"), "access_entry_arn": "", "username": name,
                "kubernetes_groups": [], "created_at": 0, "modified_at": 0, "tags": {}
            });
            serde_json::from_value::<AccessEntry>(entry).unwrap()
        };
        access.entries = vec![entry("old/", "AROAOLD", "old"), entry("new/", "AROANEW", "new")];
        let of = |id: &str| {
            let who = identity("arn:aws:iam::1:role/Dev", id, "s");
            user(&access, &AwsAuth::default(), &who).unwrap().map(|user| user.name)
        };
        assert_eq!(of("AROANEW").as_deref(), Some("new"));
        assert_eq!(of("AROAOLD").as_deref(), Some("old"));
        assert_eq!(of("AROATHIRD"), None, "made again under the same name, it is another role");
    }

    #[test]
    fn a_name_that_two_instances_have_is_nobody_s() {
        let mut access = access(AuthenticationMode::Api);
        assert!(access.machine("ip-10-0-0-1.ec2.internal").is_some() && access.machine("other").is_none());
        access.instances.insert("i-0123456789abcdef1".to_owned(), "ip-10-0-0-1.ec2.internal".to_owned());
        assert!(access.machine("ip-10-0-0-1.ec2.internal").is_none());
    }

    #[test]
    fn accounts_come_last() {
        let mut who = identity("arn:aws:iam::2:user/x", "AIDA", "");
        who.account = "2".to_owned();
        let found = user(&access(AuthenticationMode::ConfigMap), &config_map(), &who).unwrap().unwrap();
        assert_eq!((found.name.as_str(), found.groups.len()), ("arn:aws:iam::2:user/x", 0));
    }
}
