//! Tags, and their rules.

use std::collections::BTreeMap;

use crate::contract::Fault;

/// A tag of EC2, IAM and most services that are not EKS (whose tags are maps).
#[derive(Debug, Clone, PartialEq, Eq, eksile_shape::Shape)]
pub struct Tag {
    /// 1 to 128 characters.
    pub key: String,
    /// Up to 256 characters.
    #[shape(default)]
    pub value: String,
}

/// Tags for what a create call makes. In ec2 inputs:
/// `#[shape(input = "TagSpecification")] tag_specifications: Vec<TagSpecification>`.
#[derive(Debug, Clone, PartialEq, Eq, eksile_shape::Shape)]
pub struct TagSpecification {
    /// Such as `vpc`.
    pub resource_type: Option<String>,
    /// The tags.
    #[shape(input = "Tag", output = "tagSet")]
    pub tags: Vec<Tag>,
}

/// Codes with which a service refuses tags.
#[derive(Debug, Clone, Copy)]
pub struct TagRules {
    /// For keys and values that are no tags.
    pub invalid: &'static str,
    /// For more than 50.
    pub too_many: &'static str,
    /// How many at most.
    pub limit: usize,
    /// Whether keys that differ in case alone are the same key.
    pub folds: bool,
}

impl TagRules {
    /// EC2's.
    pub const EC2: Self =
        Self { invalid: "InvalidParameterValue", too_many: "TagLimitExceeded", limit: 50, folds: false };
    /// EKS's.
    pub const EKS: Self =
        Self { invalid: "InvalidParameterException", too_many: "InvalidParameterException", limit: 50, folds: false };
    /// Those of IAM's policies and instance profiles.
    pub const IAM_OTHERS: Self = Self { folds: false, ..Self::IAM };
    /// Those of IAM's users and roles, and of sessions.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html>
    pub const IAM: Self = Self { invalid: "InvalidInput", too_many: "LimitExceeded", limit: 50, folds: true };
}

impl TagRules {
    /// Whether two keys are the same.
    #[must_use]
    pub fn same(&self, one: &str, other: &str) -> bool {
        if self.folds { one.to_lowercase() == other.to_lowercase() } else { one == other }
    }

    /// Takes the tags of these keys away.
    pub fn remove(&self, tags: &mut BTreeMap<String, String>, keys: &[String]) {
        tags.retain(|key, _| !keys.iter().any(|unwanted| self.same(unwanted, key)));
    }

    fn twice(&self, key: &str) -> String {
        if self.folds {
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.".to_owned()
        } else {
            format!("Duplicate tag key '{key}' specified.")
        }
    }
}

impl From<(String, String)> for Tag {
    fn from((key, value): (String, String)) -> Self {
        Self { key, value }
    }
}

/// The tags that the specifications ask for the only type of resource that a call makes.
///
/// # Errors
/// A type that this call does not make, or tags against the rules.
pub fn specified_tags(specifications: &[TagSpecification], resource: &str) -> Result<BTreeMap<String, String>, Fault> {
    specified_tags_among(specifications, resource, &[resource])
}

/// The tags that the specifications ask for one of the types of resources that a call makes.
///
/// # Errors
/// A type that is not among `made`, or tags against the rules.
pub fn specified_tags_among(
    specifications: &[TagSpecification],
    resource: &str,
    made: &[&str],
) -> Result<BTreeMap<String, String>, Fault> {
    let mut tags = BTreeMap::new();
    for specification in specifications {
        match specification.resource_type.as_deref() {
            Some(named) if named == resource => merge_tags(&mut tags, specification.tags.clone(), TagRules::EC2)?,
            Some(named) if made.contains(&named) => {}
            Some(other) => {
                let message = format!("'{other}' is not a valid taggable resource type for this operation.");
                return Err(Fault::client("InvalidParameterValue", 400, message));
            }
            None => {
                let message = "Tag specification resource type must have a value";
                return Err(Fault::client("InvalidParameterValue", 400, message));
            }
        }
    }
    Ok(tags)
}

/// Adds tags to those there, later ones over earlier ones. Where keys do not depend on case, a key in other capitals takes
/// the place of the one that is there.
/// <https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html>
///
/// # Errors
/// Too long, reserved (`aws:`), empty, twice in one call, or more than the limit.
pub fn merge_tags(
    tags: &mut BTreeMap<String, String>,
    added: impl IntoIterator<Item = impl Into<Tag>>,
    rules: TagRules,
) -> Result<(), Fault> {
    let mut seen: Vec<String> = Vec::new();
    for tag in added {
        let Tag { key, value } = tag.into();
        let refuse = |message: String| Err(Fault::client(rules.invalid, 400, message));
        if key.is_empty() || key.chars().count() > 128 {
            return refuse("Tag keys must be between 1 and 128 characters long".into());
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return refuse("Tag keys starting with 'aws:' are reserved for internal use".into());
        }
        if value.chars().count() > 256 {
            return refuse("Tag values must be at most 256 characters long".into());
        }
        if seen.iter().any(|other| rules.same(other, &key)) {
            return refuse(rules.twice(&key));
        }
        seen.push(key.clone());
        if rules.folds {
            rules.remove(tags, std::slice::from_ref(&key));
        }
        tags.insert(key, value);
    }
    if tags.len() > rules.limit {
        return Err(Fault::client(rules.too_many, 400, format!("The limit is {} tags", rules.limit)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merge(added: &[(&str, &str)]) -> Result<BTreeMap<String, String>, Fault> {
        let mut tags = BTreeMap::new();
        let added = added.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        merge_tags(&mut tags, added, TagRules::EC2).map(|()| tags)
    }

    #[test]
    fn tags_are_for_what_a_call_makes() {
        let named = |kind: &str| TagSpecification {
            resource_type: Some(kind.to_owned()),
            tags: vec![Tag { key: "for".to_owned(), value: kind.to_owned() }],
        };
        let both = [named("instance"), named("network-interface")];
        let made = ["instance", "network-interface"];
        assert_eq!(specified_tags_among(&both, "instance", &made).unwrap()["for"], "instance");
        assert_eq!(specified_tags_among(&both, "network-interface", &made).unwrap()["for"], "network-interface");
        let refused = specified_tags(&both, "instance").unwrap_err();
        assert_eq!(refused.message, "'network-interface' is not a valid taggable resource type for this operation.");
    }

    #[test]
    fn rules_hold() {
        assert_eq!(merge(&[("a", "1"), ("b", "")]).unwrap().len(), 2);
        for bad in [vec![("", "x")], vec![("AWS:x", "x")], vec![("a", "1"), ("a", "2")]] {
            assert_eq!(merge(&bad).unwrap_err().code, "InvalidParameterValue", "{bad:?}");
        }
        let many: Vec<String> = (0..51).map(|n| n.to_string()).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|key| (key.as_str(), "")).collect();
        assert_eq!(merge(&many).unwrap_err().code, "TagLimitExceeded");
    }
}
