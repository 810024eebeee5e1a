//! `Impersonate-User` and its companions: acting as somebody else, when one may.

use std::sync::Arc;

use http::HeaderMap;

use crate::authorize::{Attributes, refuse_unless};
use crate::caller::Caller;
use crate::door::Door;
use crate::status::StatusError;
use crate::strategy::User;

/// The caller that a request acts as: the one who sent it, or the one it names.
///
/// # Errors
/// 400 for groups without a user, 403 when the sender may not.
pub fn apply(door: &Door, caller: Arc<Caller>, headers: &HeaderMap) -> Result<Arc<Caller>, StatusError> {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let all = |name: &str| -> Vec<String> {
        headers.get_all(name).iter().filter_map(|v| v.to_str().ok().map(str::to_owned)).collect()
    };
    let (name, uid, groups) = (text("impersonate-user"), text("impersonate-uid"), all("impersonate-group"));
    if name.is_empty() {
        if !uid.is_empty() || !groups.is_empty() {
            return Err(StatusError::internal("requested impersonation without impersonating a user"));
        }
        return Ok(caller);
    }
    let may = |group: &str, plural: &str, namespace: &str, name: &str| {
        let asked = Attributes { verb: "impersonate", group, plural, namespace, name, ..Attributes::default() };
        refuse_unless(door, &caller, &asked)
    };
    let sent = name.clone();
    let account = sent.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'));
    match account {
        Some((namespace, account)) => may("", "serviceaccounts", namespace, account)?,
        None => may("", "users", "", &name)?,
    }
    for group in &groups {
        may("", "groups", "", group)?;
    }
    if !uid.is_empty() {
        may("authentication.k8s.io", "uids", "", &uid)?;
    }
    let mut user = User { name, uid, groups, extra: Vec::new() };
    if let (Some((namespace, _)), true) = (account, user.groups.is_empty()) {
        user.groups = vec!["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")];
    }
    if user.name == "system:anonymous" {
        user.groups.push("system:unauthenticated".to_owned());
        return Ok(Caller::new(user));
    }
    Ok(Caller::authenticated(user))
}
