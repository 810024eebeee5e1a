//! Which condition keys there are.
//!
//! A key that the door never sets would be absent from every request, and a `Deny` that hangs on it would never apply. So a
//! policy that names such a key is refused when it is saved, by the key's name.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::document::MalformedPolicy;
use super::template::Template;

static TEXT: &str = include_str!("../../model/keys.txt");

/// Keys as they are written in the list, in lower case; of families, with the stroke and without the star.
static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let mut keys = Keys::default();
    for line in TEXT.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let key = line.to_ascii_lowercase();
        if let Some((service, _)) = key.split_once(':').filter(|(service, _)| *service != "aws") {
            keys.services.insert(service.to_owned());
        }
        match key.strip_suffix('*') {
            Some(family) => keys.families.insert(family.to_owned()),
            None => keys.single.insert(key),
        };
    }
    // Services without keys of their own.
    keys.services.insert("outposts".to_owned());
    keys
});

#[derive(Default)]
struct Keys {
    single: BTreeSet<String>,
    families: BTreeSet<String>,
    services: BTreeSet<String>,
}

/// Whether the door can tell the key's value. Keys do not depend on case.
#[must_use]
pub fn is_built(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    KEYS.single.contains(&key)
        || KEYS.families.iter().any(|family| key.len() > family.len() && key.starts_with(&**family))
}

/// Whether the service of that prefix of actions is built, and so its keys are listed.
#[must_use]
pub fn is_built_service(prefix: &str) -> bool {
    KEYS.services.contains(prefix)
}

/// Whether an action (a pattern, in lower case) can be one of a service that is built.
pub(crate) fn reaches_built(action: &str) -> bool {
    let vendor = Template::plain(action.split(':').next().unwrap_or(action));
    KEYS.services
        .iter()
        .any(|service| vendor.matches(service, &super::Context::default(), super::context::Reading::Every))
}

/// Refuses a key that is not built. Keys of services that are not built are let through where the statement is about
/// nothing but such services (`matters` is false): their keys are in no request to another service, here as in AWS.
///
/// # Errors
/// The key, by its name.
pub(crate) fn check(key: &str, matters: bool) -> Result<(), MalformedPolicy> {
    let foreign = key.split_once(':').is_some_and(|(prefix, _)| !prefix.eq_ignore_ascii_case("aws"));
    if is_built(key) || (foreign && !matters) {
        return Ok(());
    }
    if !key.contains(':') {
        let message =
            format!("Invalid Condition key {key}: Conditions must be prefaced by a vendor, e.g., aws, iam, ec2.");
        return Err(MalformedPolicy(message));
    }
    Err(MalformedPolicy(format!("The condition key {key} is not built here: the policy could not be kept.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_not_built_is_refused_by_name() {
        for key in ["aws:PrincipalTag/team", "AWS:USERNAME", "ec2:vpc", "aws:RequestTag/kubernetes.io/cluster/a"] {
            assert!(is_built(key), "{key}");
            assert!(check(key, true).is_ok(), "{key}");
        }
        for key in ["aws:PrincipalTag/", "aws:PrincipalTag", "aws:Nothing", "ec2:Nothing", "s3:prefix", "username", ""]
        {
            assert!(!is_built(key), "{key}");
            assert!(check(key, true).unwrap_err().0.contains(key), "{key}");
        }
        assert!(check("s3:prefix", false).is_ok());
        assert!(check("aws:Nothing", false).is_err());
    }

    #[test]
    fn an_action_reaches_what_it_can_name() {
        for action in ["*", "ec2:describe*", "e*:list*", "sts:assumerole", "outposts:getoutpost", "?am:*"] {
            assert!(reaches_built(action), "{action}");
        }
        for action in ["s3:*", "elasticloadbalancing:addtags", "kms:*", "ec:x"] {
            assert!(!reaches_built(action), "{action}");
        }
    }
}
