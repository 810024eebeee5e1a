//! Who calls.

use serde::{Deserialize, Serialize};

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
    },
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

    /// The condition keys that tell who calls.
    #[must_use]
    pub fn context(&self) -> Context {
        let mut context = Context::default();
        context.set("aws:PrincipalArn", self.iam_arn());
        context.set("aws:PrincipalAccount", &*self.account);
        context.set("aws:userid", &*self.user_id);
        let kind = match &self.principal {
            Principal::Root => "Account",
            Principal::User { name } => {
                context.set("aws:username", &**name);
                "User"
            }
            Principal::Role { .. } => "AssumedRole",
        };
        context.set("aws:PrincipalType", kind);
        context
    }
}
