use eksile_aws::inputs::Tag;
use eksile_aws::{Call, Shape, filters};

use super::tag_set;
use crate::permission::{IpPermission, grouped};
use crate::records::{Peer, Rule, SecurityGroup};
use crate::resource;

/// `SecurityGroup` of the EC2 API.
#[derive(Debug, Shape)]
pub(crate) struct SecurityGroupShown {
    group_id: String,
    group_name: String,
    group_description: String,
    security_group_arn: String,
    owner_id: String,
    vpc_id: String,
    ip_permissions: Vec<IpPermission>,
    ip_permissions_egress: Vec<IpPermission>,
    tag_set: Vec<Tag>,
}

impl SecurityGroupShown {
    pub(crate) fn of(call: &Call<'_>, group: &SecurityGroup) -> Self {
        let account = &call.scope.account;
        Self {
            group_id: group.group_id.clone(),
            group_name: group.group_name.clone(),
            group_description: group.description.clone(),
            security_group_arn: resource::arn::<SecurityGroup>(call, Some(&group.group_id)),
            owner_id: account.clone(),
            vpc_id: group.vpc_id.clone(),
            ip_permissions: grouped(account, &group.ingress),
            ip_permissions_egress: grouped(account, &group.egress),
            tag_set: tag_set(&group.tags),
        }
    }
}

/// `SecurityGroupRule` of the EC2 API.
#[derive(Debug, Shape)]
pub(crate) struct RuleShown {
    security_group_rule_id: String,
    group_id: String,
    group_owner_id: String,
    is_egress: bool,
    ip_protocol: String,
    from_port: i32,
    to_port: i32,
    cidr_ipv4: Option<String>,
    referenced_group_info: Option<ReferencedGroup>,
    description: Option<String>,
    security_group_rule_arn: String,
    tag_set: Vec<Tag>,
}

#[derive(Debug, Shape)]
struct ReferencedGroup {
    group_id: String,
    user_id: String,
}

fn cidr(peer: &Peer) -> Option<String> {
    match peer {
        Peer::Cidr(block) => Some(block.clone()),
        Peer::Group(_) => None,
    }
}

fn peer_group(peer: &Peer) -> Option<String> {
    match peer {
        Peer::Cidr(_) => None,
        Peer::Group(id) => Some(id.clone()),
    }
}

impl RuleShown {
    pub(crate) fn of(call: &Call<'_>, group_id: &str, is_egress: bool, rule: &Rule) -> Self {
        let user_id = call.scope.account.clone();
        Self {
            security_group_rule_id: rule.rule_id.clone(),
            group_id: group_id.to_owned(),
            group_owner_id: user_id.clone(),
            is_egress,
            ip_protocol: rule.ip_protocol.clone(),
            from_port: rule.from_port.unwrap_or(-1),
            to_port: rule.to_port.unwrap_or(-1),
            cidr_ipv4: cidr(&rule.peer),
            referenced_group_info: peer_group(&rule.peer).map(|group_id| ReferencedGroup { group_id, user_id }),
            description: rule.description.clone(),
            security_group_rule_arn: call.arn("ec2", &format!("security-group-rule/{}", rule.rule_id)),
            tag_set: Vec::new(),
        }
    }
}

/// `RevokedSecurityGroupRule` of the EC2 API.
#[derive(Debug, Shape)]
pub(crate) struct RevokedRuleShown {
    security_group_rule_id: String,
    group_id: String,
    is_egress: bool,
    ip_protocol: String,
    from_port: i32,
    to_port: i32,
    cidr_ipv4: Option<String>,
    referenced_group_id: Option<String>,
    description: Option<String>,
}

impl RevokedRuleShown {
    pub(crate) fn of(group_id: &str, is_egress: bool, rule: &Rule) -> Self {
        Self {
            security_group_rule_id: rule.rule_id.clone(),
            group_id: group_id.to_owned(),
            is_egress,
            ip_protocol: rule.ip_protocol.clone(),
            from_port: rule.from_port.unwrap_or(-1),
            to_port: rule.to_port.unwrap_or(-1),
            cidr_ipv4: cidr(&rule.peer),
            referenced_group_id: peer_group(&rule.peer),
            description: rule.description.clone(),
        }
    }
}

filters! {
    /// Values for the filters of `DescribeSecurityGroups`.
    pub(crate) const FILTERS, fn filter_values(call: &Call<'_>, group: &SecurityGroup) {
        "group-id" => group.group_id.clone(),
        "group-name" => group.group_name.clone(),
        "description" => group.description.clone(),
        "owner-id" => call.scope.account.clone(),
        "vpc-id" => group.vpc_id.clone(),
        "ip-permission.cidr" => of_rules(&group.ingress, |rule| cidr(&rule.peer)),
        "ip-permission.group-id" => of_rules(&group.ingress, |rule| peer_group(&rule.peer)),
        "ip-permission.protocol" => of_rules(&group.ingress, |rule| Some(rule.ip_protocol.clone())),
        "ip-permission.from-port" => of_rules(&group.ingress, |rule| rule.from_port.map(|port| port.to_string())),
        "ip-permission.to-port" => of_rules(&group.ingress, |rule| rule.to_port.map(|port| port.to_string())),
        "egress.ip-permission.cidr" => of_rules(&group.egress, |rule| cidr(&rule.peer)),
        "egress.ip-permission.group-id" => of_rules(&group.egress, |rule| peer_group(&rule.peer)),
        "egress.ip-permission.protocol" => of_rules(&group.egress, |rule| Some(rule.ip_protocol.clone())),
        "egress.ip-permission.from-port" => of_rules(&group.egress, |rule| rule.from_port.map(|port| port.to_string())),
        "egress.ip-permission.to-port" => of_rules(&group.egress, |rule| rule.to_port.map(|port| port.to_string())),
    }
}

fn of_rules(rules: &[Rule], value: impl Fn(&Rule) -> Option<String>) -> Vec<String> {
    rules.iter().filter_map(value).collect()
}
