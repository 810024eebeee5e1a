//! Names of images (the distribution project's reference grammar, with Docker's defaults).

use std::fmt;

/// `REGISTRY/REPOSITORY:TAG` or `…@sha256:…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Host, with a port if one was given.
    pub registry: String,
    /// Path within the registry.
    pub repository: String,
    /// Tag or digest.
    pub version: Version,
}

/// Which of a repository's images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Version {
    /// By a name that may move.
    Tag(String),
    /// By content: `sha256:` and 64 hexadecimal digits.
    Digest(String),
}

impl Reference {
    /// Reads a name as a pod has it; the registry defaults to `docker.io`, the tag to `latest`.
    ///
    /// # Errors
    /// `InvalidImageName`'s text, as the kubelet says it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bad = || format!("couldn't parse image name {text:?}: invalid reference format");
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (text, None),
        };
        let (name, tag) = match name.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (name, None),
        };
        let (registry, repository) = match name.split_once('/') {
            Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => (host, rest.to_owned()),
            Some(_) => ("docker.io", name.to_owned()),
            None => ("docker.io", format!("library/{name}")),
        };
        let part = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
                && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c))
        };
        let host =
            |host: &str| !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-:".contains(c));
        if !host(registry) || !repository.split('/').all(part) || repository.len() > 255 {
            return Err(bad());
        }
        let version = match (digest, tag) {
            (Some(digest), _) if is_digest(digest) => Version::Digest(digest.to_owned()),
            (Some(_), _) => return Err(bad()),
            (None, Some(tag)) if is_tag(tag) => Version::Tag(tag.to_owned()),
            (None, Some(_)) => return Err(bad()),
            (None, None) => Version::Tag("latest".to_owned()),
        };
        Ok(Self { registry: registry.to_owned(), repository, version })
    }

    /// The tag or digest as a registry's path has it.
    #[must_use]
    pub fn selector(&self) -> &str {
        match &self.version {
            Version::Tag(text) | Version::Digest(text) => text,
        }
    }
}

/// Whether `text` is `sha256:` and 64 lower-case hexadecimal digits.
#[must_use]
pub fn is_digest(text: &str) -> bool {
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    text.strip_prefix("sha256:").is_some_and(|digits| digits.len() == 64 && digits.chars().all(hex))
}

fn is_tag(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.len() <= 128 && text.starts_with(word) && text.chars().all(|c| word(c) || c == '.' || c == '-')
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Version::Tag(tag) => write!(f, "{}/{}:{tag}", self.registry, self.repository),
            Version::Digest(digest) => write!(f, "{}/{}@{digest}", self.registry, self.repository),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_get_their_defaults() {
        let full = |text| Reference::parse(text).map(|reference| reference.to_string());
        assert_eq!(full("busybox").unwrap(), "docker.io/library/busybox:latest");
        assert_eq!(full("a/b:1").unwrap(), "docker.io/a/b:1");
        assert_eq!(full("localhost:5000/b").unwrap(), "localhost:5000/b:latest");
        let ecr = "111122223333.dkr.ecr.us-west-2.amazonaws.com/app/web:v1.2";
        assert_eq!(full(ecr).unwrap(), ecr);
        let digest = format!("x.io/a@sha256:{}", "0".repeat(64));
        assert_eq!(full(&digest).unwrap(), digest);
        for bad in ["", "A", "a b", "x/../y", "a:", "a@sha256:1", "x.io/", "a:b c", "http://x/y"] {
            assert!(full(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_reads_back(text in "[ -~]{0,80}") {
            if let Ok(reference) = Reference::parse(&text) {
                prop_assert_eq!(Reference::parse(&reference.to_string()), Ok(reference));
            }
        }
    }
}
