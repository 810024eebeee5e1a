//! Names and ARNs of EKS.

/// Longest name of a cluster (EKS API reference, `CreateCluster`).
const LONGEST: usize = 100;

/// Whether a local cluster may bear this name: first a letter, then letters, digits and hyphens
/// (EKS user guide, "Creating a local cluster on an Outpost").
#[must_use]
pub fn is_local_cluster_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|first| first.is_ascii_alphabetic())
        && name.len() <= LONGEST
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// Whether the API takes this as any cluster's name: `^[0-9A-Za-z][A-Za-z0-9\-_]*`, at most 100 long.
#[must_use]
pub fn is_cluster_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|first| first.is_ascii_alphanumeric())
        && name.len() <= LONGEST
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

/// `arn:aws:eks:R:A:cluster/N`.
#[must_use]
pub fn cluster_arn(region: &str, account: &str, name: &str) -> String {
    format!("arn:aws:eks:{region}:{account}:cluster/{name}")
}

/// `arn:aws:eks:R:A:access-entry/CLUSTER/user/A/NAME/UUID`, the kind (user, role, root) as in the principal's ARN.
#[must_use]
pub fn access_entry_arn(cluster_arn: &str, principal: &Principal<'_>, uuid: &str) -> String {
    let stem = cluster_arn.replacen(":cluster/", ":access-entry/", 1);
    let Principal { kind, account, name, .. } = principal;
    format!("{stem}/{kind}/{account}/{name}/{uuid}")
}

/// An Outpost's ARN, `arn:aws:outposts:R:A:outpost/op-…`, in parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutpostArn<'a> {
    /// The Outpost's Region.
    pub region: &'a str,
    /// Its owner.
    pub account: &'a str,
    /// `op-` and hexadecimal digits.
    pub outpost_id: &'a str,
}

impl<'a> OutpostArn<'a> {
    /// Reads an ARN; `None` when it is no Outpost's.
    #[must_use]
    pub fn parse(arn: &'a str) -> Option<Self> {
        let mut parts = arn.splitn(6, ':');
        let aws = parts.next()? == "arn" && parts.next()?.starts_with("aws") && parts.next()? == "outposts";
        let (region, account) = (parts.next()?, parts.next()?);
        let outpost_id = parts.next()?.strip_prefix("outpost/")?;
        let digits = outpost_id.strip_prefix("op-")?;
        let right = aws && is_account(account) && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
        right.then_some(Self { region, account, outpost_id })
    }
}

/// An IAM user's or role's ARN, in parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Principal<'a> {
    /// Twelve digits.
    pub account: &'a str,
    /// `user`, `role` or `root`.
    pub kind: &'a str,
    /// With slashes around it; `/` when there is none.
    pub path: &'a str,
    /// Without the path.
    pub name: &'a str,
}

impl<'a> Principal<'a> {
    /// Reads an IAM ARN; `None` for anything else, STS ARNs included.
    #[must_use]
    pub fn parse(arn: &'a str) -> Option<Self> {
        let rest = arn.strip_prefix("arn:")?;
        let mut parts = rest.splitn(5, ':');
        let iam = parts.next()?.starts_with("aws") && parts.next()? == "iam" && parts.next()?.is_empty();
        let account = parts.next()?;
        let resource = parts.next()?;
        if !iam || !is_account(account) {
            return None;
        }
        if resource == "root" {
            return Some(Self { account, kind: "root", path: "/", name: "root" });
        }
        let (kind, _) = resource.split_once('/')?;
        let after = resource.get(kind.len()..)?;
        let (path, name) = after.split_at(after.rfind('/')? + 1);
        let known = matches!(kind, "user" | "role") && !name.is_empty();
        known.then_some(Self { account, kind, path, name })
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn local_names_begin_with_a_letter() {
        for good in ["a", "my-cluster", "A1", &"x".repeat(100)] {
            assert!(is_local_cluster_name(good), "{good}");
        }
        for bad in ["", "1a", "-a", "a_b", "a.b", "ä", &"x".repeat(101)] {
            assert!(!is_local_cluster_name(bad), "{bad}");
        }
        assert!(is_cluster_name("1_a") && !is_cluster_name("_a"));
    }

    #[test]
    fn outposts() {
        let arn = OutpostArn::parse("arn:aws:outposts:us-west-2:111122223333:outpost/op-0123456789abcdef0").unwrap();
        assert_eq!((arn.region, arn.account, arn.outpost_id), ("us-west-2", "111122223333", "op-0123456789abcdef0"));
        for bad in ["", "arn:aws:outposts:r:1:outpost/op-1", "arn:aws:outposts:r:111122223333:outpost/xy", "op-1"] {
            assert_eq!(OutpostArn::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn principals() {
        let role = Principal::parse("arn:aws:iam::111122223333:role/a/b/node").unwrap();
        assert_eq!((role.kind, role.path, role.name), ("role", "/a/b/", "node"));
        let user = Principal::parse("arn:aws:iam::111122223333:user/admin").unwrap();
        assert_eq!((user.kind, user.path, user.name), ("user", "/", "admin"));
        assert_eq!(
            access_entry_arn("arn:aws:eks:us-west-2:111122223333:cluster/c", &user, "u"),
            "arn:aws:eks:us-west-2:111122223333:access-entry/c/user/111122223333/admin/u"
        );
        for bad in ["arn:aws:sts::111122223333:assumed-role/r/s", "arn:aws:iam::111122223333:group/g", "x"] {
            assert_eq!(Principal::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text in "(arn:aws:(iam|outposts):)?.*") {
            let _ = (Principal::parse(&text), OutpostArn::parse(&text));
        }
    }
}
