//! Who calls.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::inputs::TagRules;
use crate::policy::Context;

/// The authenticated caller of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// Twelve digits.
    pub account: String,
    /// As `GetCallerIdentity` answers: `arn:aws:iam::A:user/PATH/NAME`, `arn:aws:sts::A:assumed-role/R/S`,
    /// `arn:aws:iam::A:root`.
    pub arn: String,
    /// As `GetCallerIdentity`'s `UserId`: `AIDA…`, `AROA…:SESSION`, or the account for root.
    pub user_id: String,
    /// `AKIA…` or `ASIA…`.
    pub access_key_id: String,
    /// What kind of principal.
    pub principal: Principal,
}

/// The kinds of principals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Principal {
    /// The account itself: every action is allowed.
    Root,
    /// An IAM user.
    User {
        /// Without its path.
        name: String,
    },
    /// A role's session.
    Role {
        /// Without its path.
        name: String,
        /// `arn:aws:iam::A:role/PATH/NAME`.
        role_arn: String,
        /// Role session name; an instance's id for instance credentials.
        session: String,
        /// Inline session policies that narrow the session, as JSON.
        policies: Vec<String>,
        /// What else is known of the session.
        #[serde(default)]
        facts: Box<SessionFacts>,
    },
}

/// What conditions can ask of a session, besides whose it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionFacts {
    /// When it began, in seconds since the epoch, wall time (`aws:TokenIssueTime`).
    pub issued: i64,
    /// Session tags; they win over the role's own (`aws:PrincipalTag`).
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Keys of the session tags that the next session in a chain takes over.
    #[serde(default)]
    pub transitive: Vec<String>,
    /// Who is behind it (`aws:SourceIdentity`).
    #[serde(default)]
    pub source_identity: Option<String>,
    /// The instance to which the credentials were given.
    #[serde(default)]
    pub origin: Option<Origin>,
}

/// An instance whose metadata service gave out credentials. Nobody can claim it: only the Region writes it, when a site
/// asks for one of its own instances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// `ec2:SourceInstanceARN`.
    pub instance_arn: String,
    /// `ec2:RoleDelivery`: `1.0` or `2.0`, the metadata service's version that was asked.
    pub delivery: String,
    /// `aws:Ec2InstanceSourceVpc`.
    pub vpc_id: String,
    /// `aws:Ec2InstanceSourcePrivateIPv4`.
    pub private_ip: String,
}

impl Caller {
    /// The root of `account`, for seeds, tests and reconcilers that act for the account.
    #[must_use]
    pub fn root(account: &str) -> Self {
        Self {
            account: account.to_owned(),
            arn: format!("arn:aws:iam::{account}:root"),
            user_id: account.to_owned(),
            access_key_id: String::new(),
            principal: Principal::Root,
        }
    }

    /// Whether the account itself calls.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.principal == Principal::Root
    }

    /// The IAM ARN behind the caller: a role's own ARN (with its path) for a session, else [`Caller::arn`].
    #[must_use]
    pub fn iam_arn(&self) -> &str {
        match &self.principal {
            Principal::Role { role_arn, .. } => role_arn,
            Principal::Root | Principal::User { .. } => &self.arn,
        }
    }

    /// The unique id of the principal without the session: `AIDA…`, `AROA…`, or the account for root.
    #[must_use]
    pub fn principal_id(&self) -> &str {
        self.user_id.split(':').next().unwrap_or(&self.user_id)
    }

    /// What is known of the session; `None` for who has none.
    #[must_use]
    pub fn session(&self) -> Option<&SessionFacts> {
        match &self.principal {
            Principal::Role { facts, .. } => Some(facts),
            Principal::Root | Principal::User { .. } => None,
        }
    }

    /// The condition keys of every caller of that ARN and kind (`AssumedRole`), whatever the session.
    #[must_use]
    pub fn standing(account: &str, iam_arn: &str, kind: &str) -> Context {
        let mut context = Context::default();
        context.set("aws:PrincipalArn", iam_arn);
        context.set("aws:PrincipalAccount", account);
        // Services call here by no credentials of their own, nor on behalf of a caller.
        context.set("aws:PrincipalIsAWSService", "false");
        context.set("aws:ViaAWSService", "false");
        context.set("aws:PrincipalType", kind);
        context
    }

    /// The condition keys that tell who calls. `tags` are those of the user or role.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>
    #[must_use]
    pub fn context(&self, tags: &BTreeMap<String, String>) -> Context {
        let kind = match &self.principal {
            Principal::Root => "Account",
            Principal::User { .. } => "User",
            Principal::Role { .. } => "AssumedRole",
        };
        let mut context = Self::standing(&self.account, self.iam_arn(), kind);
        context.set("aws:userid", &*self.user_id);
        if let Principal::User { name } = &self.principal {
            context.set("aws:username", &**name);
        }
        match self.session() {
            Some(facts) => facts.tell(&mut context, tags),
            None => context.tags("aws:PrincipalTag", tags),
        }
        context
    }
}

impl SessionFacts {
    fn tell(&self, context: &mut Context, role_tags: &BTreeMap<String, String>) {
        // Tag keys do not depend on case here: a session tag stands for the role's of whatever case.
        let own = |key: &String| !self.tags.keys().any(|session| TagRules::IAM.same(session, key));
        context.tags("aws:PrincipalTag", role_tags.iter().filter(|(key, _)| own(key)));
        context.tags("aws:PrincipalTag", &self.tags);
        if let Ok(issued) = jiff::Timestamp::from_second(self.issued) {
            context.set("aws:TokenIssueTime", issued.to_string());
        }
        // There is no MFA device, so no session begins with one. Long-term keys have no such key at all.
        context.set("aws:MultiFactorAuthPresent", "false");
        if let Some(identity) = &self.source_identity {
            context.set("aws:SourceIdentity", &**identity);
        }
        if let Some(origin) = &self.origin {
            context.set("ec2:SourceInstanceARN", &*origin.instance_arn);
            context.set("ec2:RoleDelivery", &*origin.delivery);
            context.set("aws:Ec2InstanceSourceVpc", &*origin.vpc_id);
            context.set("aws:Ec2InstanceSourcePrivateIPv4", &*origin.private_ip);
        }
    }
}
