//! Rules of access entries (EKS user guide, "Grant IAM users access to Kubernetes with EKS access entries").

use eksile_aws::Fault;

use crate::fault::invalid_parameter;
use crate::names::Principal;
use crate::template::{NODE_USERNAME, Piece, RESERVED, is_reserved, pieces};

/// What a principal is in a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryType {
    /// People and programs.
    Standard,
    /// Self-managed Linux nodes.
    Ec2Linux,
    /// Self-managed Windows nodes.
    Ec2Windows,
    /// Nodes of Auto Mode.
    Ec2,
}

static TYPES: &[(EntryType, &str)] = &[
    (EntryType::Standard, "STANDARD"),
    (EntryType::Ec2Linux, "EC2_LINUX"),
    (EntryType::Ec2Windows, "EC2_WINDOWS"),
    (EntryType::Ec2, "EC2"),
];

/// Nodes that are no instances of EC2: there are none here, and whoever assumes their role would choose the node.
const NOT_BUILT: &[&str] = &["FARGATE_LINUX", "HYBRID_LINUX", "HYPERPOD_LINUX"];

const SESSION: &str = "{{SessionName}}";
/// What may be filled into a user name, and only behind a colon: what stands before it cannot be chosen by a session.
const SESSIONS: &[&str] = &["SessionName", "SessionNameRaw"];

impl EntryType {
    /// Of any case: the guide itself writes `EC2_Linux`.
    pub(crate) fn read(text: Option<&str>) -> Result<Self, Fault> {
        let Some(text) = text else { return Ok(Self::Standard) };
        if let Some(kind) = NOT_BUILT.iter().find(|name| name.eq_ignore_ascii_case(text)) {
            return Err(invalid_parameter(format!("Access entries of the type {kind} are not built.")));
        }
        let found = TYPES.iter().find(|(_, name)| name.eq_ignore_ascii_case(text));
        found.map(|(kind, _)| *kind).ok_or_else(|| invalid_parameter(format!("The type {text} is not supported.")))
    }

    pub(crate) fn name(self) -> &'static str {
        TYPES.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    /// Whether the nodes' role is handed to EC2 with it.
    pub(crate) fn passes_role(self) -> bool {
        matches!(self, Self::Ec2Linux | Self::Ec2Windows | Self::Ec2)
    }

    fn groups(self) -> Vec<String> {
        let groups: &[&str] = match self {
            Self::Standard => &[],
            Self::Ec2Linux | Self::Ec2 => &["system:bootstrappers", "system:nodes"],
            Self::Ec2Windows => &["eks:kube-proxy-windows", "system:bootstrappers", "system:nodes"],
        };
        groups.iter().map(|group| (*group).to_owned()).collect()
    }

    fn username(self, principal: &Principal<'_>, principal_arn: &str) -> String {
        let Principal { account, kind, name, .. } = principal;
        match self {
            Self::Standard if *kind == "role" => format!("arn:aws:sts::{account}:assumed-role/{name}/{SESSION}"),
            Self::Standard => principal_arn.to_owned(),
            Self::Ec2Linux | Self::Ec2Windows | Self::Ec2 => NODE_USERNAME.to_owned(),
        }
    }
}

/// An entry as asked for.
pub(crate) struct Asked<'a> {
    pub(crate) principal_arn: &'a str,
    pub(crate) kind: EntryType,
    pub(crate) username: Option<&'a str>,
    pub(crate) groups: &'a [String],
    /// The cluster's.
    pub(crate) account: &'a str,
}

/// The user name and groups of an entry, given or derived.
pub(crate) fn identity(asked: &Asked<'_>) -> Result<(String, Vec<String>), Fault> {
    let principal = principal(asked.principal_arn)?;
    if asked.kind != EntryType::Standard {
        refuse_for_nodes(asked, &principal)?;
        return Ok((asked.kind.username(&principal, asked.principal_arn), asked.kind.groups()));
    }
    if let Some(group) = asked.groups.iter().find(|group| is_reserved(group) || group.is_empty()) {
        return Err(invalid_parameter(format!(
            "The kubernetes group name {group} is invalid, it cannot start with \
            {}",
            RESERVED.join(", ")
        )));
    }
    if let Some(group) = asked.groups.iter().find(|group| !is_fixed(group)) {
        return Err(invalid_parameter(format!(
            "The kubernetes group name {group} is invalid, it cannot be a template"
        )));
    }
    let username = match asked.username {
        Some(name) => own_username(name, &principal)?,
        None => asked.kind.username(&principal, asked.principal_arn),
    };
    Ok((username, asked.groups.to_vec()))
}

/// A user's or role's ARN, path included; not a service-linked role's.
pub(crate) fn principal(arn: &str) -> Result<Principal<'_>, Fault> {
    let principal = Principal::parse(arn).filter(|principal| principal.kind != "root");
    let principal = principal.ok_or_else(|| invalid_parameter("The principalArn parameter format is not valid"))?;
    if principal.kind == "role" && principal.path.starts_with("/aws-service-role/") {
        return Err(invalid_parameter("The caller is not allowed to modify access entries for service-linked roles"));
    }
    Ok(principal)
}

fn refuse_for_nodes(asked: &Asked<'_>, principal: &Principal<'_>) -> Result<(), Fault> {
    let kind = asked.kind.name();
    if principal.kind != "role" {
        return Err(invalid_parameter(format!("The type {kind} needs an IAM role as its principal")));
    }
    if principal.account != asked.account {
        return Err(invalid_parameter(format!("The type {kind} needs a role of the cluster's account")));
    }
    if !asked.groups.is_empty() {
        return Err(invalid_parameter(format!("kubernetesGroups cannot be given with the type {kind}")));
    }
    if asked.username.is_some() {
        return Err(invalid_parameter(format!("username cannot be given with the type {kind}")));
    }
    Ok(())
}

fn own_username(name: &str, principal: &Principal<'_>) -> Result<String, Fault> {
    if name.is_empty() || is_reserved(name) {
        let message = format!("The username {name} is invalid, it cannot start with {}", RESERVED.join(", "));
        return Err(invalid_parameter(message));
    }
    let invalid = |why: &str| invalid_parameter(format!("The username {name} is invalid: {why}"));
    let mut colon = false;
    for piece in pieces(name).ok_or_else(|| invalid("its braces do not match"))? {
        match piece {
            Piece::Fixed(text) => colon |= text.contains(':'),
            Piece::Filled(word) if !SESSIONS.contains(&word) => {
                return Err(invalid(&format!("only {SESSION} is filled in")));
            }
            Piece::Filled(_) if principal.kind != "role" || !colon => {
                return Err(invalid(&format!("{SESSION} is for roles, after a colon")));
            }
            Piece::Filled(_) => {}
        }
    }
    Ok(name.to_owned())
}

/// Whether nothing is filled into a name.
fn is_fixed(name: &str) -> bool {
    pieces(name).is_some_and(|pieces| pieces.len() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &str = "arn:aws:iam::111122223333:user/a/ann";
    const ROLE: &str = "arn:aws:iam::111122223333:role/p/node";

    fn asked<'a>(principal_arn: &'a str, kind: &str) -> Asked<'a> {
        let kind = EntryType::read(Some(kind)).unwrap();
        Asked { principal_arn, kind, username: None, groups: &[], account: "111122223333" }
    }

    #[test]
    fn names_and_groups_follow_from_the_type() {
        let username = |arn, kind| identity(&asked(arn, kind)).unwrap().0;
        assert_eq!(username(USER, "STANDARD"), USER);
        assert_eq!(username(ROLE, "standard"), "arn:aws:sts::111122223333:assumed-role/node/{{SessionName}}");
        assert_eq!(username(ROLE, "EC2_Linux"), "system:node:{{EC2PrivateDNSName}}");
        assert_eq!(identity(&asked(ROLE, "EC2_LINUX")).unwrap().1, ["system:bootstrappers", "system:nodes"]);
    }

    #[test]
    fn what_cannot_be() {
        let groups = ["viewers".to_owned()];
        let masters = ["system:masters".to_owned()];
        let bad = [
            asked(USER, "EC2_LINUX"),
            asked("arn:aws:iam::999999999999:role/node", "EC2_LINUX"),
            asked("arn:aws:sts::111122223333:assumed-role/r/s", "STANDARD"),
            asked("arn:aws:iam::111122223333:role/aws-service-role/eks.amazonaws.com/x", "STANDARD"),
            Asked { groups: &groups, ..asked(ROLE, "EC2_LINUX") },
            Asked { username: Some("me"), ..asked(ROLE, "EC2_LINUX") },
            Asked { groups: &masters, ..asked(USER, "STANDARD") },
            Asked { username: Some("eks:me"), ..asked(USER, "STANDARD") },
            Asked { username: Some("a:{{SessionName}}"), ..asked(USER, "STANDARD") },
            Asked { username: Some("{{SessionName}}"), ..asked(ROLE, "STANDARD") },
        ];
        for (number, bad) in bad.iter().enumerate() {
            assert_eq!(identity(bad).unwrap_err().code, "InvalidParameterException", "number {number}");
        }
        let good = Asked { username: Some("ops:{{SessionName}}"), groups: &groups, ..asked(ROLE, "STANDARD") };
        assert_eq!(identity(&good).unwrap(), ("ops:{{SessionName}}".to_owned(), groups.to_vec()));
        assert!(EntryType::read(Some("EC2_MAC")).is_err());
    }

    #[test]
    fn no_session_chooses_its_groups_or_what_its_name_begins_with() {
        let refused = |asked: Asked<'_>| identity(&asked).unwrap_err().message;
        for group in ["{{SessionName}}:masters", "a:{{SessionNameRaw}}", "{{AccountID}}", "a{{", "a}}"] {
            let groups = [group.to_owned()];
            let message = refused(Asked { groups: &groups, ..asked(ROLE, "STANDARD") });
            assert!(message.contains(group), "{message}");
        }
        for name in [
            "{{SessionNameRaw}}:serviceaccount:kube-system:{{SessionName}}",
            "{{SessionNameRaw}}:{{SessionName}}",
            "a{{SessionName}}:b",
            "a:{{SessionName}}{{EC2PrivateDNSName}}",
            "a:{{AccountID}}",
            "a:{{Session{{SessionName}}NameRaw}}",
            "a:{{SessionName",
        ] {
            let message = refused(Asked { username: Some(name), ..asked(ROLE, "STANDARD") });
            assert!(message.contains(name), "{message}");
        }
        let good = Asked { username: Some("a:{{SessionNameRaw}}:{{SessionName}}"), ..asked(ROLE, "STANDARD") };
        assert!(identity(&good).is_ok());
    }

    #[test]
    fn nodes_that_are_no_instances_are_not_built() {
        for kind in ["HYBRID_LINUX", "hyperpod_linux", "FARGATE_LINUX"] {
            let message = EntryType::read(Some(kind)).unwrap_err().message;
            assert!(message.contains("not built"), "{message}");
        }
    }
}
