//! What the four calls on a security group's rules have in common.

use eksile_aws::{Call, Fault, Reads};
use eksile_store::Txn;

use crate::permission::{Draft, IpPermission, IpRange, drafts};
use crate::records::{Peer, Rule, SecurityGroup, Vpc};
use crate::resource::{find, missing};
use crate::shown::{RevokedRuleShown, RuleShown};

/// Which side of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// What may come in.
    Ingress,
    /// What may go out.
    Egress,
}

impl Way {
    fn rules(self, group: &mut SecurityGroup) -> &mut Vec<Rule> {
        match self {
            Self::Ingress => &mut group.ingress,
            Self::Egress => &mut group.egress,
        }
    }
}

/// Rules as callers write them: a list of permissions, or the members of a single one.
pub(super) struct Asked {
    pub(super) permissions: Vec<IpPermission>,
    pub(super) ip_protocol: Option<String>,
    pub(super) ports: (Option<i32>, Option<i32>),
    pub(super) cidr_ip: Option<String>,
}

impl Asked {
    fn permissions(self) -> Vec<IpPermission> {
        let mut permissions = self.permissions;
        if self.ip_protocol.is_some() || self.cidr_ip.is_some() {
            let (from_port, to_port) = self.ports;
            let ip_ranges = self.cidr_ip.map(|block| IpRange { cidr_ip: Some(block), description: None });
            permissions.push(IpPermission {
                ip_protocol: self.ip_protocol,
                from_port,
                to_port,
                ip_ranges: ip_ranges.into_iter().collect(),
                ..IpPermission::default()
            });
        }
        permissions
    }
}

/// The group named by id, or by name in the default VPC.
pub(super) fn group(
    call: &Call<'_>,
    txn: &Txn<'_>,
    id: Option<&str>,
    name: Option<&str>,
) -> Result<SecurityGroup, Fault> {
    if let Some(id) = id {
        return find(Reads::of(txn), &call.scope, id);
    }
    let name = name.ok_or_else(|| missing("groupName or groupId"))?;
    let default = txn.records::<Vpc>(&call.scope)?.into_iter().find(|vpc| vpc.is_default).map(|vpc| vpc.vpc_id);
    let mut groups = txn.records::<SecurityGroup>(&call.scope)?.into_iter();
    let found = groups.find(|group| group.group_name == name && Some(&group.vpc_id) == default.as_ref());
    let message = || format!("The security group '{name}' does not exist in default VPC");
    found.ok_or_else(|| Fault::client("InvalidGroup.NotFound", 400, message()))
}

/// Adds rules; all or none.
pub(super) fn authorize(
    call: &Call<'_>,
    txn: &mut Txn<'_>,
    mut group: SecurityGroup,
    way: Way,
    asked: Asked,
) -> Result<Vec<RuleShown>, Fault> {
    let permissions = asked.permissions();
    if permissions.is_empty() {
        return Err(missing("ipPermissions"));
    }
    let mut made = Vec::new();
    for draft in drafts(&permissions)? {
        refuse_foreign_group(call, txn, &group, &draft)?;
        let rules = way.rules(&mut group);
        if rules.iter().any(|rule| draft.is(rule)) {
            let message = format!("the specified rule \"{}\" already exists", draft.worded());
            return Err(Fault::client("InvalidPermission.Duplicate", 400, message));
        }
        let rule = draft.rule(call.id("sgr"));
        made.push(RuleShown::of(call, &group.group_id, way == Way::Egress, &rule));
        way.rules(&mut group).push(rule);
    }
    txn.put_record(&call.scope, &group)?;
    Ok(made)
}

/// A peer group must exist, in the same VPC (peering is not built).
fn refuse_foreign_group(call: &Call<'_>, txn: &Txn<'_>, group: &SecurityGroup, draft: &Draft) -> Result<(), Fault> {
    let Peer::Group(id) = &draft.peer else { return Ok(()) };
    let peer: SecurityGroup = find(Reads::of(txn), &call.scope, id)?;
    if peer.vpc_id == group.vpc_id {
        return Ok(());
    }
    let message =
        format!("You have specified two resources that belong to different networks: {id} and {}.", group.group_id);
    Err(Fault::client("InvalidGroup.NotFound", 400, message))
}

/// Takes rules away; all or none.
pub(super) fn revoke(
    call: &Call<'_>,
    txn: &mut Txn<'_>,
    mut group: SecurityGroup,
    way: Way,
    asked: Asked,
    ids: &[String],
) -> Result<Vec<RevokedRuleShown>, Fault> {
    let permissions = asked.permissions();
    if permissions.is_empty() && ids.is_empty() {
        return Err(missing("ipPermissions or securityGroupRuleIds"));
    }
    // There are no rules for IPv6, so one cannot be taken away either.
    if permissions.iter().any(|permission| !permission.ipv6_ranges.is_empty()) {
        return Err(no_such_rule());
    }
    let drafts = drafts(&permissions)?;
    let rules = way.rules(&mut group);
    let mut gone = Vec::new();
    for draft in &drafts {
        let at = rules.iter().position(|rule| draft.is(rule)).ok_or_else(no_such_rule)?;
        gone.push(rules.remove(at));
    }
    for id in ids {
        let at = rules.iter().position(|rule| rule.rule_id == *id).ok_or_else(|| {
            let message = format!("The security group rule ID '{id}' does not exist");
            Fault::client("InvalidSecurityGroupRuleId.NotFound", 400, message)
        })?;
        gone.push(rules.remove(at));
    }
    txn.put_record(&call.scope, &group)?;
    Ok(gone.iter().map(|rule| RevokedRuleShown::of(&group.group_id, way == Way::Egress, rule)).collect())
}

fn no_such_rule() -> Fault {
    let message = "The specified rule does not exist in this security group.";
    Fault::client("InvalidPermission.NotFound", 400, message)
}
