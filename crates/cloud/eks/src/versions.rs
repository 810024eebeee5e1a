//! Kubernetes minors that clusters may have.

/// The minor of a cluster that asks for none.
pub const DEFAULT: &str = "1.33";

/// Every minor served, oldest first.
pub static ALL: &[&str] = &[
    "1.19", "1.20", "1.21", "1.22", "1.23", "1.24", "1.25", "1.26", "1.27", "1.28", "1.29", "1.30", "1.31", "1.32",
    "1.33", "1.34", "1.35",
];

/// Platform version of new local clusters (EKS user guide, "Local cluster platform versions": numbered per minor from 1).
pub const LOCAL_PLATFORM: &str = "eks-local-outposts.1";

/// Whether clusters may have this minor.
#[must_use]
pub fn served(version: &str) -> bool {
    ALL.contains(&version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_served_and_patches_are_not() {
        assert!(served(DEFAULT));
        assert!(!served("1.33.0") && !served("1.18") && !served("1.36") && !served(""));
    }
}
