//! Names and paths of IAM's entities, and their rules.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>

use eksile_aws::Fault;

/// A name of up to `longest` characters.
///
/// # Errors
/// `ValidationError`.
pub(crate) fn name(member: &str, given: &str, longest: usize) -> Result<(), Fault> {
    if given.is_empty() || given.len() > longest {
        let bound =
            if given.is_empty() { "greater than or equal to 1" } else { &*format!("less than or equal to {longest}") };
        return Err(unfit(member, given, &format!("Member must have length {bound}")));
    }
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    if !given.bytes().all(fits) {
        return Err(unfit(member, given, r"Member must satisfy regular expression pattern: [\w+=,.@-]+"));
    }
    Ok(())
}

/// A path; `/` when none was given.
///
/// # Errors
/// `ValidationError`.
pub(crate) fn path(given: Option<String>) -> Result<String, Fault> {
    let Some(path) = given else { return Ok("/".to_owned()) };
    let shaped = path.starts_with('/') && path.ends_with('/') && path.len() <= 512;
    if !shaped || !path.bytes().all(|byte| (0x21..=0x7e).contains(&byte)) {
        let message = "The specified value for path is invalid. It must begin and end with / and contain only \
                       alphanumeric characters and/or / characters.";
        return Err(Fault::client("ValidationError", 400, message));
    }
    Ok(path)
}

fn unfit(member: &str, given: &str, constraint: &str) -> Fault {
    let message = format!(
        "1 validation error detected: Value '{given}' at '{member}' failed to satisfy constraint: {constraint}"
    );
    Fault::client("ValidationError", 400, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules() {
        assert!(name("roleName", "eks-Cluster_Role+1@x", 64).is_ok());
        for bad in ["", "a b", "a/b", "é", &"x".repeat(65)] {
            assert_eq!(name("roleName", bad, 64).unwrap_err().code, "ValidationError", "{bad}");
        }
        assert_eq!(path(None).unwrap(), "/");
        assert!(path(Some("/a/b/".into())).is_ok());
        for bad in ["", "a", "/a", "a/", "/a b/"] {
            assert!(path(Some(bad.into())).is_err(), "{bad}");
        }
    }
}
