//! The catalogue of machine images: EKS-optimised Amazon Linux, made for this product.
//!
//! An image's id is derived from its name and Region, so that it is the same at every start.

/// A machine image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// `ami-` and 17 hexadecimal digits.
    pub image_id: String,
    /// As AWS names its EKS-optimised images.
    pub name: String,
    /// Free text.
    pub description: String,
    /// How user data is read.
    pub family: Family,
    /// Kubernetes minor the node programs are for.
    pub kubernetes_version: &'static str,
}

/// What boots the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Amazon Linux 2: a shell script that calls `/etc/eks/bootstrap.sh`.
    AmazonLinux2,
    /// Amazon Linux 2023: a `NodeConfig` document for `nodeadm`.
    AmazonLinux2023,
}

/// Account that AWS publishes its EKS images from.
pub const OWNER_ID: &str = "602401143452";

/// Date of every image, as EC2 writes it.
pub const CREATION_DATE: &str = "2025-06-10T00:00:00.000Z";

/// Minors with an Amazon Linux 2 image (AWS published none after 1.32).
static AL2_VERSIONS: &[&str] =
    &["1.19", "1.20", "1.21", "1.22", "1.23", "1.24", "1.25", "1.26", "1.27", "1.28", "1.29", "1.30", "1.31", "1.32"];

/// Minors with an Amazon Linux 2023 image.
static AL2023_VERSIONS: &[&str] =
    &["1.23", "1.24", "1.25", "1.26", "1.27", "1.28", "1.29", "1.30", "1.31", "1.32", "1.33", "1.34", "1.35"];

/// All images of a Region, in the order of their names.
#[must_use]
pub fn images(region: &str) -> Vec<Image> {
    let old = AL2_VERSIONS.iter().map(|version| Image {
        image_id: image_id(region, "al2", version),
        name: format!("amazon-eks-node-{version}-v20250610"),
        description: format!("EKS Kubernetes Worker AMI with AmazonLinux2 image, (k8s: {version})"),
        family: Family::AmazonLinux2,
        kubernetes_version: version,
    });
    let new = AL2023_VERSIONS.iter().map(|version| Image {
        image_id: image_id(region, "al2023", version),
        name: format!("amazon-eks-node-al2023-x86_64-standard-{version}-v20250610"),
        description: format!("EKS-optimized Kubernetes node based on Amazon Linux 2023, (k8s: {version})"),
        family: Family::AmazonLinux2023,
        kubernetes_version: version,
    });
    let mut all: Vec<_> = old.chain(new).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// The image of that id in a Region.
#[must_use]
pub fn find(region: &str, image_id: &str) -> Option<Image> {
    images(region).into_iter().find(|image| image.image_id == image_id)
}

/// The image for nodes (and control-plane members) of a Kubernetes minor: Amazon Linux 2023 where there is one.
#[must_use]
pub fn recommended(region: &str, version: &str) -> Option<Image> {
    let fits = |image: &Image| image.kubernetes_version == version;
    let mut fitting: Vec<_> = images(region).into_iter().filter(fits).collect();
    fitting.sort_by_key(|image| image.family == Family::AmazonLinux2);
    fitting.into_iter().next()
}

/// The image of a local cluster's control-plane members: EKS's own, which nobody else may launch.
#[must_use]
pub fn control_plane(region: &str, version: &str) -> String {
    image_id(region, "control-plane", version)
}

/// FNV-1a over the parts: stable over releases of compiler and library, which `std`'s hasher is not.
fn image_id(region: &str, family: &str, version: &str) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in [region, family, version].join("/").bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("ami-0{hash:016x}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_unique_over_regions_and_stable() {
        let all: Vec<_> = ["us-west-2", "us-east-1"].iter().flat_map(|region| images(region)).collect();
        assert_eq!(all.iter().map(|image| &image.image_id).collect::<BTreeSet<_>>().len(), all.len());
        let ours = recommended("us-west-2", "1.33").unwrap();
        assert_eq!(find("us-west-2", &ours.image_id), Some(ours.clone()));
        assert_eq!(find("us-east-1", &ours.image_id), None);
        assert_eq!(ours.image_id, "ami-0e9b07739d212834b");
    }

    #[test]
    fn every_version_has_an_image() {
        for minor in 19..=35 {
            let version = format!("1.{minor}");
            assert!(recommended("us-west-2", &version).is_some(), "{version}");
        }
        assert_eq!(recommended("us-west-2", "1.22").map(|image| image.family), Some(Family::AmazonLinux2));
        assert_eq!(recommended("us-west-2", "1.30").map(|image| image.family), Some(Family::AmazonLinux2023));
    }
}
