//! What the four calls on a security group's rules have in common: all but the name and the side.

use eksile_aws::{Ask, Call, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::asked;
use crate::permission::{Draft, IpPermission, IpRange, drafts};
use crate::records::{Peer, Rule, SecurityGroup};
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

/// A group, and rules as callers write them: a list of permissions, the members of a single one, or (to take them
/// away) ids.
#[derive(Shape)]
pub(super) struct Asked {
    group_id: Option<String>,
    group_name: Option<String>,
    ip_permissions: Vec<IpPermission>,
    #[shape(input = "SecurityGroupRuleId")]
    security_group_rule_ids: Vec<String>,
    ip_protocol: Option<String>,
    from_port: Option<i32>,
    to_port: Option<i32>,
    cidr_ip: Option<String>,
}

/// The rules made.
#[derive(Shape)]
pub(super) struct Authorized {
    #[shape(name = "return")]
    done: bool,
    security_group_rule_set: Vec<RuleShown>,
}

/// The rules taken away.
#[derive(Shape)]
pub(super) struct Revoked {
    #[shape(name = "return")]
    done: bool,
    revoked_security_group_rule_set: Vec<RevokedRuleShown>,
}

impl Asked {
    /// About the group. The rules that are taken away by id are the group's own.
    pub(super) fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::group(call, state, self.group_id.as_deref(), self.group_name.as_deref())?])
    }

    /// Adds rules; all or none.
    pub(super) fn authorize(self, call: &Call<'_>, txn: &mut Txn<'_>, way: Way) -> Result<Authorized, Fault> {
        let mut group = group(call, txn, self.group_id.as_deref(), self.group_name.as_deref())?;
        let permissions = self.permissions();
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
        Ok(Authorized { done: true, security_group_rule_set: made })
    }

    /// Takes rules away; all or none.
    pub(super) fn revoke(mut self, call: &Call<'_>, txn: &mut Txn<'_>, way: Way) -> Result<Revoked, Fault> {
        let mut group = group(call, txn, self.group_id.as_deref(), self.group_name.as_deref())?;
        let ids = std::mem::take(&mut self.security_group_rule_ids);
        let permissions = self.permissions();
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
        for id in &ids {
            let at = rules.iter().position(|rule| rule.rule_id == *id).ok_or_else(|| {
                let message = format!("The security group rule ID '{id}' does not exist");
                Fault::client("InvalidSecurityGroupRuleId.NotFound", 400, message)
            })?;
            gone.push(rules.remove(at));
        }
        txn.put_record(&call.scope, &group)?;
        let shown = |rule| RevokedRuleShown::of(&group.group_id, way == Way::Egress, rule);
        Ok(Revoked { done: true, revoked_security_group_rule_set: gone.iter().map(shown).collect() })
    }

    fn permissions(self) -> Vec<IpPermission> {
        let mut permissions = self.ip_permissions;
        if self.ip_protocol.is_some() || self.cidr_ip.is_some() {
            let ip_ranges = self.cidr_ip.map(|block| IpRange { cidr_ip: Some(block), description: None });
            permissions.push(IpPermission {
                ip_protocol: self.ip_protocol,
                from_port: self.from_port,
                to_port: self.to_port,
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
    let found = asked::named_group(call, Reads::of(txn), name)?;
    let message = || format!("The security group '{name}' does not exist in default VPC");
    found.ok_or_else(|| Fault::client("InvalidGroup.NotFound", 400, message()))
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

fn no_such_rule() -> Fault {
    let message = "The specified rule does not exist in this security group.";
    Fault::client("InvalidPermission.NotFound", 400, message)
}
