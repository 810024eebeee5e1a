//! User names and groups of a mapping, filled in for who comes, and judged as they are then.
//!
//! A session's name is chosen by whoever assumes the role: it makes nobody a node, and no name or group that is reserved.

use eksile_eks::records::AccessEntry;
use eksile_eks::template::{NODE_USERNAME, Piece, is_reserved, pieces};

use super::identity::Identity;
use super::mapping::Access;

/// What belongs to Kubernetes itself.
const SYSTEM: &str = "system:";
const NODE: &str = "system:node:";
/// The groups of nodes, and of those who become one.
const NODES: &[&str] = &["system:nodes", super::BOOTSTRAPPERS];

/// A user name and its groups.
pub(super) type Named = (String, Vec<String>);

/// As an access entry says: whatever is stored, it is judged again.
pub(super) fn of_entry(access: &Access, who: &Identity, entry: &AccessEntry) -> Result<Named, String> {
    let name = filled(access, who, &entry.username)?.text;
    let groups = entry.kubernetes_groups.clone();
    match entry.entry_type.as_str() {
        "STANDARD" => {
            if let Some(bad) = groups.iter().chain([&name]).find(|name| is_reserved(name)) {
                return Err(format!("{bad:?} is not an access entry's to give"));
            }
            if let Some(bad) = groups.iter().find(|group| pieces(group).is_none_or(|pieces| pieces.len() != 1)) {
                return Err(format!("the group {bad:?} is a template"));
            }
        }
        "EC2_LINUX" | "EC2_WINDOWS" | "EC2" if entry.username == NODE_USERNAME => {}
        other => return Err(format!("access entries of the type {other} with the name {name:?} are not built")),
    }
    only_nodes(access, who, (name, groups))
}

/// As the aws-auth ConfigMap says: there, reserved names are the administrator's to write, but nobody's to fill in.
pub(super) fn of_config_map(
    access: &Access,
    who: &Identity,
    username: &str,
    groups: &[String],
) -> Result<Named, String> {
    let written = |template: &str| {
        let filled = filled(access, who, template)?;
        let head = template.split("{{").next().unwrap_or_default();
        let chosen = is_reserved(&filled.text) && !is_reserved(head);
        if chosen || filled.by_session && filled.text.starts_with(SYSTEM) {
            return Err(format!("{template:?} would become {:?}, which is reserved", filled.text));
        }
        Ok(filled.text)
    };
    let named = (written(username)?, groups.iter().map(|group| written(group)).collect::<Result<_, _>>()?);
    only_nodes(access, who, named)
}

/// A node's name and groups are for the session whose credentials the instance of that name was given, and no other.
fn only_nodes(access: &Access, who: &Identity, (name, groups): Named) -> Result<Named, String> {
    if !name.starts_with(NODE) && !groups.iter().any(|group| NODES.contains(&group.as_str())) {
        return Ok((name, groups));
    }
    if name.strip_prefix(NODE) == Some(instance(access, who)?) {
        return Ok((name, groups));
    }
    Err(format!("the session {:?} is not that of the node {name:?}", who.session))
}

/// The private DNS name of the instance that the credentials were given to: only the Region's word makes a session an
/// instance's.
fn instance<'a>(access: &'a Access, who: &Identity) -> Result<&'a str, String> {
    let id = who.instance.as_ref().ok_or_else(|| format!("the session {:?} is no instance's", who.session))?;
    access.instances.get(id).map(String::as_str).ok_or_else(|| format!("no instance {id:?}"))
}

struct Filled {
    text: String,
    /// Whether the name of a session is in it.
    by_session: bool,
}

fn filled(access: &Access, who: &Identity, template: &str) -> Result<Filled, String> {
    let (mut text, mut by_session) = (String::new(), false);
    for piece in pieces(template).ok_or_else(|| format!("braces do not match in {template:?}"))? {
        match piece {
            Piece::Fixed(part) => text.push_str(part),
            Piece::Filled("AccountID") => text.push_str(&who.account),
            Piece::Filled("AccessKeyID") => text.push_str(&who.access_key),
            Piece::Filled(word @ ("SessionName" | "SessionNameRaw")) => {
                if who.session.is_empty() {
                    return Err("template needs a session name, the caller has none".to_owned());
                }
                by_session = true;
                text.push_str(&if word == "SessionName" { who.session.replace('@', "-") } else { who.session.clone() });
            }
            Piece::Filled("EC2PrivateDNSName") => text.push_str(instance(access, who)?),
            Piece::Filled(word) => return Err(format!("nothing is known to fill in for {word:?}")),
        }
    }
    Ok(Filled { text, by_session })
}
