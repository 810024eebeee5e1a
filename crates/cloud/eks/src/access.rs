//! Rules of access entries (EKS user guide, "Grant IAM users access to Kubernetes with EKS access entries").

use eksile_aws::Fault;

use crate::fault::invalid_parameter;
use crate::names::Principal;

/// What a principal is in a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryType {
    /// People and programs.
    Standard,
    /// Self-managed Linux nodes.
    Ec2Linux,
    /// Self-managed Windows nodes.
    Ec2Windows,
    /// Pods on Fargate.
    FargateLinux,
    /// Nodes of Auto Mode.
    Ec2,
    /// Hybrid nodes.
    HybridLinux,
    /// SageMaker HyperPod nodes.
    HyperpodLinux,
}

static TYPES: &[(EntryType, &str)] = &[
    (EntryType::Standard, "STANDARD"),
    (EntryType::Ec2Linux, "EC2_LINUX"),
    (EntryType::Ec2Windows, "EC2_WINDOWS"),
    (EntryType::FargateLinux, "FARGATE_LINUX"),
    (EntryType::Ec2, "EC2"),
    (EntryType::HybridLinux, "HYBRID_LINUX"),
    (EntryType::HyperpodLinux, "HYPERPOD_LINUX"),
];

/// Beginnings of user and group names that are not the user's to give.
const RESERVED: &[&str] = &["system:", "eks:", "aws:", "amazon:", "iam:"];

const SESSION: &str = "{{SessionName}}";

impl EntryType {
    /// Of any case: the guide itself writes `EC2_Linux`.
    pub(crate) fn read(text: Option<&str>) -> Result<Self, Fault> {
        let Some(text) = text else { return Ok(Self::Standard) };
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
            Self::Ec2Linux | Self::Ec2 | Self::HybridLinux | Self::HyperpodLinux => {
                &["system:bootstrappers", "system:nodes"]
            }
            Self::Ec2Windows => &["eks:kube-proxy-windows", "system:bootstrappers", "system:nodes"],
            Self::FargateLinux => &["system:bootstrappers", "system:node-proxier", "system:nodes"],
        };
        groups.iter().map(|group| (*group).to_owned()).collect()
    }

    fn username(self, principal: &Principal<'_>, principal_arn: &str) -> String {
        let Principal { account, kind, name, .. } = principal;
        match self {
            Self::Standard if *kind == "role" => format!("arn:aws:sts::{account}:assumed-role/{name}/{SESSION}"),
            Self::Standard => principal_arn.to_owned(),
            Self::Ec2Linux | Self::Ec2Windows | Self::Ec2 => "system:node:{{EC2PrivateDNSName}}".to_owned(),
            Self::FargateLinux | Self::HybridLinux | Self::HyperpodLinux => format!("system:node:{SESSION}"),
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

fn is_reserved(name: &str) -> bool {
    RESERVED.iter().any(|beginning| name.starts_with(beginning))
}

fn own_username(name: &str, principal: &Principal<'_>) -> Result<String, Fault> {
    if name.is_empty() || is_reserved(name) {
        let message = format!("The username {name} is invalid, it cannot start with {}", RESERVED.join(", "));
        return Err(invalid_parameter(message));
    }
    if !name.contains("{{") {
        return Ok(name.to_owned());
    }
    let colon_before = name.split_once(SESSION).is_some_and(|(before, _)| before.contains(':'));
    if principal.kind != "role" || !colon_before {
        let message = format!("The username {name} is invalid: {SESSION} is for roles, after a colon");
        return Err(invalid_parameter(message));
    }
    Ok(name.to_owned())
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
        assert_eq!(username(ROLE, "FARGATE_LINUX"), "system:node:{{SessionName}}");
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
}
