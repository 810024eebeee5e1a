//! A known caller, shared by all requests that carry the same credential.

use std::sync::Arc;

use parking_lot::RwLock;

use crate::authorize::rbac::Compiled;
use crate::strategy::User;

/// The group that may do everything.
pub const MASTERS: &str = "system:masters";
/// The user that nobody in particular is.
pub const ANONYMOUS: &str = "system:anonymous";
/// The group of all who were told.
pub const AUTHENTICATED: &str = "system:authenticated";
/// The group of all who were not.
pub const UNAUTHENTICATED: &str = "system:unauthenticated";

/// Who asks, with what was worked out about them.
pub struct Caller {
    /// As authentication found them.
    pub user: User,
    /// Member of `system:masters`: no rule is asked.
    pub masters: bool,
    /// Rules that hold for them, and the generation of the index that they come from.
    pub(crate) compiled: RwLock<Option<(u64, Arc<Compiled>)>>,
}

impl Caller {
    /// A caller; the groups are taken as they are.
    #[must_use]
    pub fn new(user: User) -> Arc<Self> {
        let masters = user.groups.iter().any(|g| g == MASTERS);
        Arc::new(Self { user, masters, compiled: RwLock::new(None) })
    }

    /// An authenticated caller: `system:authenticated` is added, unless the groups say already whether it is one.
    #[must_use]
    pub fn authenticated(mut user: User) -> Arc<Self> {
        let told = user.groups.iter().any(|g| matches!(g.as_str(), AUTHENTICATED | UNAUTHENTICATED));
        if !told && user.name != ANONYMOUS {
            user.groups.push(AUTHENTICATED.to_owned());
        }
        Self::new(user)
    }

    /// A part of the control plane, in process: `name` in `system:masters`.
    #[must_use]
    pub fn system(name: &str) -> Arc<Self> {
        Self::authenticated(User { name: name.to_owned(), groups: vec![MASTERS.to_owned()], ..User::default() })
    }

    /// Nobody in particular.
    #[must_use]
    pub fn anonymous() -> Arc<Self> {
        Self::new(User { name: ANONYMOUS.to_owned(), groups: vec![UNAUTHENTICATED.to_owned()], ..User::default() })
    }

    /// The node's name, for kubelets.
    #[must_use]
    pub fn node(&self) -> Option<&str> {
        let name = self.user.name.strip_prefix("system:node:")?;
        self.user.groups.iter().any(|g| g == "system:nodes").then_some(name)
    }
}
