use eksile_aws::inputs::Tag;
use eksile_aws::{Call, Shape};

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

fn group(peer: &Peer) -> Option<String> {
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
            referenced_group_info: group(&rule.peer).map(|group_id| ReferencedGroup { group_id, user_id }),
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
            referenced_group_id: group(&rule.peer),
            description: rule.description.clone(),
        }
    }
}

/// Values for the filters of `DescribeSecurityGroups`.
pub(crate) fn filter_values(call: &Call<'_>, shown: &SecurityGroup, name: &str) -> Option<Vec<String>> {
    let value = match name {
        "group-id" => shown.group_id.clone(),
        "group-name" => shown.group_name.clone(),
        "description" => shown.description.clone(),
        "owner-id" => call.scope.account.clone(),
        "vpc-id" => shown.vpc_id.clone(),
        _ => {
            return match name.strip_prefix("egress.") {
                Some(rest) => rule_values(&shown.egress, rest),
                None => rule_values(&shown.ingress, name),
            };
        }
    };
    Some(vec![value])
}

fn rule_values(rules: &[Rule], name: &str) -> Option<Vec<String>> {
    let port = |port: Option<i32>| port.map(|port| port.to_string());
    let values: Vec<String> = match name {
        "ip-permission.cidr" => rules.iter().filter_map(|rule| cidr(&rule.peer)).collect(),
        "ip-permission.group-id" => rules.iter().filter_map(|rule| group(&rule.peer)).collect(),
        "ip-permission.protocol" => rules.iter().map(|rule| rule.ip_protocol.clone()).collect(),
        "ip-permission.from-port" => rules.iter().filter_map(|rule| port(rule.from_port)).collect(),
        "ip-permission.to-port" => rules.iter().filter_map(|rule| port(rule.to_port)).collect(),
        _ => return None,
    };
    Some(values)
}
