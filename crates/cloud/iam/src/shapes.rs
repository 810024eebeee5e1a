//! IAM's structures, as responses show them.

use eksile_aws::inputs::Tag;
use eksile_aws::{Call, Fault, Reads, Shape};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::managed::Managed;
use crate::{records, trust};

/// Documents are percent-encoded after RFC 3986 on the wire.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// An output without members.
#[derive(Shape)]
pub(crate) struct Nothing {}

/// When AWS-managed policies are said to be made.
pub(crate) fn managed_since() -> Timestamp {
    Timestamp::constant(1_423_161_600, 0)
}

pub(crate) fn encoded(document: &str) -> String {
    utf8_percent_encode(document, UNRESERVED).to_string()
}

/// Seconds since the epoch, as stored.
pub(crate) fn time(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

pub(crate) fn tags(tags: &records::Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag { key: key.clone(), value: value.clone() }).collect()
}

#[derive(Shape)]
pub(crate) struct User {
    path: String,
    user_name: String,
    user_id: String,
    arn: String,
    create_date: Timestamp,
    tags: Vec<Tag>,
    permissions_boundary: Option<Boundary>,
}

impl User {
    pub(crate) fn of(user: &records::User, call: &Call<'_>) -> Self {
        Self {
            path: user.path.clone(),
            user_name: user.name.clone(),
            user_id: user.user_id.clone(),
            arn: user.arn(&call.scope.account),
            create_date: time(user.created),
            tags: tags(&user.tags),
            permissions_boundary: Boundary::of(&user.grants),
        }
    }
}

#[derive(Shape)]
pub(crate) struct Boundary {
    permissions_boundary_type: String,
    permissions_boundary_arn: String,
}

impl Boundary {
    fn of(grants: &records::Grants) -> Option<Self> {
        let arn = grants.boundary.clone()?;
        Some(Self { permissions_boundary_type: "Policy".to_owned(), permissions_boundary_arn: arn })
    }
}

#[derive(Shape)]
pub(crate) struct Role {
    path: String,
    role_name: String,
    role_id: String,
    arn: String,
    create_date: Timestamp,
    assume_role_policy_document: String,
    description: Option<String>,
    max_session_duration: i64,
    tags: Vec<Tag>,
    permissions_boundary: Option<Boundary>,
}

impl Role {
    pub(crate) fn of(role: &records::Role, call: &Call<'_>, state: Reads<'_>) -> Result<Self, Fault> {
        Ok(Self {
            path: role.path.clone(),
            role_name: role.name.clone(),
            role_id: role.role_id.clone(),
            arn: role.arn(&call.scope.account),
            create_date: time(role.created),
            assume_role_policy_document: encoded(&trust::shown(state, role)?),
            description: role.description.clone(),
            max_session_duration: role.max_session,
            tags: tags(&role.tags),
            permissions_boundary: Boundary::of(&role.grants),
        })
    }
}

#[derive(Shape)]
pub(crate) struct InstanceProfile {
    path: String,
    instance_profile_name: String,
    instance_profile_id: String,
    arn: String,
    create_date: Timestamp,
    roles: Vec<Role>,
    tags: Vec<Tag>,
}

impl InstanceProfile {
    pub(crate) fn of(profile: &records::InstanceProfile, call: &Call<'_>, state: Reads<'_>) -> Result<Self, Fault> {
        let role = match &profile.role {
            Some(name) => state.record::<records::Role>(&call.scope, name)?,
            None => None,
        };
        Ok(Self {
            path: profile.path.clone(),
            instance_profile_name: profile.name.clone(),
            instance_profile_id: profile.instance_profile_id.clone(),
            arn: profile.arn(&call.scope.account),
            create_date: time(profile.created),
            roles: role.iter().map(|role| Role::of(role, call, state)).collect::<Result<_, _>>()?,
            tags: tags(&profile.tags),
        })
    }
}

#[derive(Shape)]
pub(crate) struct Policy {
    policy_name: String,
    policy_id: String,
    arn: String,
    path: String,
    default_version_id: String,
    attachment_count: i64,
    permissions_boundary_usage_count: i64,
    is_attachable: bool,
    description: Option<String>,
    create_date: Timestamp,
    update_date: Timestamp,
    tags: Vec<Tag>,
}

impl Policy {
    pub(crate) fn of(policy: &records::Policy, call: &Call<'_>, state: Reads<'_>) -> Result<Self, Fault> {
        let arn = policy.arn(&call.scope.account);
        let (attachment_count, permissions_boundary_usage_count) = uses(&arn, call, state)?;
        Ok(Self {
            policy_name: policy.name.clone(),
            policy_id: policy.policy_id.clone(),
            path: policy.path.clone(),
            default_version_id: format!("v{}", policy.default_version),
            attachment_count,
            permissions_boundary_usage_count,
            is_attachable: true,
            description: policy.description.clone(),
            create_date: time(policy.created),
            update_date: time(policy.updated),
            tags: tags(&policy.tags),
            arn,
        })
    }

    pub(crate) fn managed(policy: &Managed, call: &Call<'_>, state: Reads<'_>) -> Result<Self, Fault> {
        let arn = policy.arn();
        let (attachment_count, permissions_boundary_usage_count) = uses(&arn, call, state)?;
        Ok(Self {
            policy_name: policy.name.to_owned(),
            policy_id: policy.id(),
            path: format!("/{}", policy.path),
            default_version_id: "v1".to_owned(),
            attachment_count,
            permissions_boundary_usage_count,
            is_attachable: true,
            description: None,
            create_date: managed_since(),
            update_date: managed_since(),
            tags: Vec::new(),
            arn,
        })
    }
}

impl Policy {
    /// Whether a list shows it.
    /// Whether it is used in that way; in none wanted, it need not be used at all.
    pub(crate) fn is_used_as(&self, usage: Option<Usage>) -> bool {
        match usage {
            None => true,
            Some(Usage::PermissionsPolicy) => self.attachment_count > 0,
            Some(Usage::PermissionsBoundary) => self.permissions_boundary_usage_count > 0,
        }
    }

    pub(crate) fn is_listed(&self, path_prefix: &str, only_attached: bool) -> bool {
        self.path.starts_with(path_prefix) && !(only_attached && self.attachment_count == 0)
    }
}

/// `PolicyUsageFilter`: what a policy is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Shape)]
pub(crate) enum Usage {
    PermissionsPolicy,
    PermissionsBoundary,
}

/// How often a policy is attached, and how often it is a boundary, in the caller's account.
pub(crate) fn uses(arn: &str, call: &Call<'_>, state: Reads<'_>) -> Result<(i64, i64), Fault> {
    let users = state.records::<records::User>(&call.scope)?;
    let roles = state.records::<records::Role>(&call.scope)?;
    let grants = || users.iter().map(|user| &user.grants).chain(roles.iter().map(|role| &role.grants));
    let attached = grants().filter(|grants| grants.attached.iter().any(|other| other == arn)).count();
    let bounds = grants().filter(|grants| grants.boundary.as_deref() == Some(arn)).count();
    // Counts of records, far below the type's bound.
    Ok((attached as i64, bounds as i64))
}

#[derive(Shape)]
pub(crate) struct AttachedPolicy {
    policy_name: String,
    policy_arn: String,
}

impl AttachedPolicy {
    /// Those of an identity whose policy's path begins with `prefix`.
    pub(crate) fn all(grants: &records::Grants, prefix: Option<&str>) -> Vec<Self> {
        let attached = grants.attached.iter().map(|arn| {
            let name = arn.rsplit('/').next().unwrap_or(arn);
            (arn, name, arn.split_once(":policy").and_then(|(_, rest)| rest.strip_suffix(name)).unwrap_or_default())
        });
        attached
            .filter(|(_, _, path)| prefix.is_none_or(|prefix| path.starts_with(prefix)))
            .map(|(arn, name, _)| Self { policy_name: name.to_owned(), policy_arn: arn.clone() })
            .collect()
    }
}

#[derive(Shape)]
pub(crate) struct PolicyVersion {
    document: Option<String>,
    version_id: String,
    is_default_version: bool,
    create_date: Timestamp,
}

impl PolicyVersion {
    pub(crate) fn of(version: &records::PolicyVersion, policy: &records::Policy, with_document: bool) -> Self {
        Self {
            document: with_document.then(|| encoded(&version.document)),
            version_id: format!("v{}", version.number),
            is_default_version: version.number == policy.default_version,
            create_date: time(version.created),
        }
    }

    pub(crate) fn managed(policy: &'static Managed, with_document: bool) -> Self {
        Self {
            document: with_document.then(|| encoded(policy.text())),
            version_id: "v1".to_owned(),
            is_default_version: true,
            create_date: managed_since(),
        }
    }
}
