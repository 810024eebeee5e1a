//! What an instance type offers (EC2 user guide, "Instance types" and "IP addresses per network interface").

/// One instance type. All are x86_64, current generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstanceType {
    /// Such as `m5.large`.
    pub name: &'static str,
    /// Virtual CPUs.
    pub vcpus: u32,
    /// Hyper-threads per core.
    pub threads_per_core: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// How many network interfaces it can hold.
    pub max_interfaces: u32,
    /// IPv4 addresses per interface, the primary included.
    pub ipv4_per_interface: u32,
    /// As AWS words it.
    pub network_performance: &'static str,
    /// Local NVMe storage in GB, for the `d` variants.
    pub local_storage_gb: Option<u64>,
    /// Whether its performance is bought with CPU credits.
    pub burstable: bool,
}

const UP_TO_10: &str = "Up to 10 Gigabit";
const GIB: u64 = 1024;

const fn plain(name: &'static str, vcpus: u32, gib: u64, eni: (u32, u32), network: &'static str) -> InstanceType {
    InstanceType {
        name,
        vcpus,
        threads_per_core: 2,
        memory_mib: gib * GIB,
        max_interfaces: eni.0,
        ipv4_per_interface: eni.1,
        network_performance: network,
        local_storage_gb: None,
        burstable: false,
    }
}

const fn with_disk(base: InstanceType, name: &'static str, gigabytes: u64) -> InstanceType {
    InstanceType { name, local_storage_gb: Some(gigabytes), ..base }
}

const fn burstable(name: &'static str, vcpus: u32, memory_mib: u64, eni: (u32, u32)) -> InstanceType {
    InstanceType { memory_mib, burstable: true, ..plain(name, vcpus, 0, eni, "Up to 5 Gigabit") }
}

const C5_L: InstanceType = plain("c5.large", 2, 4, (3, 10), UP_TO_10);
const C5_XL: InstanceType = plain("c5.xlarge", 4, 8, (4, 15), UP_TO_10);
const C5_2XL: InstanceType = plain("c5.2xlarge", 8, 16, (4, 15), UP_TO_10);
const C5_4XL: InstanceType = plain("c5.4xlarge", 16, 32, (8, 30), UP_TO_10);
const M5_L: InstanceType = plain("m5.large", 2, 8, (3, 10), UP_TO_10);
const M5_XL: InstanceType = plain("m5.xlarge", 4, 16, (4, 15), UP_TO_10);
const M5_2XL: InstanceType = plain("m5.2xlarge", 8, 32, (4, 15), UP_TO_10);
const M5_4XL: InstanceType = plain("m5.4xlarge", 16, 64, (8, 30), UP_TO_10);
const R5_L: InstanceType = plain("r5.large", 2, 16, (3, 10), UP_TO_10);
const R5_XL: InstanceType = plain("r5.xlarge", 4, 32, (4, 15), UP_TO_10);
const R5_2XL: InstanceType = plain("r5.2xlarge", 8, 64, (4, 15), UP_TO_10);
const R5_4XL: InstanceType = plain("r5.4xlarge", 16, 128, (8, 30), UP_TO_10);

static TYPES: &[InstanceType] = &[
    C5_2XL,
    C5_4XL,
    plain("c5.9xlarge", 36, 72, (8, 30), "12 Gigabit"),
    C5_L,
    C5_XL,
    with_disk(C5_2XL, "c5d.2xlarge", 200),
    with_disk(C5_4XL, "c5d.4xlarge", 400),
    with_disk(C5_L, "c5d.large", 50),
    with_disk(C5_XL, "c5d.xlarge", 100),
    plain("m5.12xlarge", 48, 192, (8, 30), "12 Gigabit"),
    plain("m5.16xlarge", 64, 256, (15, 50), "20 Gigabit"),
    plain("m5.24xlarge", 96, 384, (15, 50), "25 Gigabit"),
    M5_2XL,
    M5_4XL,
    plain("m5.8xlarge", 32, 128, (8, 30), "10 Gigabit"),
    M5_L,
    M5_XL,
    with_disk(M5_2XL, "m5d.2xlarge", 300),
    with_disk(M5_4XL, "m5d.4xlarge", 600),
    with_disk(M5_L, "m5d.large", 75),
    with_disk(M5_XL, "m5d.xlarge", 150),
    R5_2XL,
    R5_4XL,
    R5_L,
    R5_XL,
    with_disk(R5_2XL, "r5d.2xlarge", 300),
    with_disk(R5_4XL, "r5d.4xlarge", 600),
    with_disk(R5_L, "r5d.large", 75),
    with_disk(R5_XL, "r5d.xlarge", 150),
    burstable("t3.2xlarge", 8, 32 * GIB, (4, 15)),
    burstable("t3.large", 2, 8 * GIB, (3, 12)),
    burstable("t3.medium", 2, 4 * GIB, (3, 6)),
    burstable("t3.micro", 2, GIB, (2, 2)),
    burstable("t3.nano", 2, GIB / 2, (2, 2)),
    burstable("t3.small", 2, 2 * GIB, (3, 4)),
    burstable("t3.xlarge", 4, 16 * GIB, (4, 15)),
];

/// Every type, by name.
#[must_use]
pub fn all() -> &'static [InstanceType] {
    TYPES
}

/// The type of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static InstanceType> {
    TYPES.iter().find(|candidate| candidate.name == name)
}

impl InstanceType {
    /// Pods the kubelet admits with the VPC CNI's secondary addresses: interfaces × (addresses − 1) + 2.
    #[must_use]
    pub fn max_pods(&self) -> u32 {
        self.max_interfaces * (self.ipv4_per_interface - 1) + 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorted_by_name() {
        assert!(TYPES.windows(2).all(|pair| pair[0].name < pair[1].name));
    }

    /// The VPC CNI's published `eni-max-pods` figures.
    #[test]
    fn max_pods_as_published() {
        let published = [
            ("t3.micro", 4),
            ("t3.small", 11),
            ("t3.medium", 17),
            ("t3.large", 35),
            ("m5.large", 29),
            ("m5.xlarge", 58),
            ("m5.2xlarge", 58),
            ("m5.4xlarge", 234),
            ("m5.24xlarge", 737),
        ];
        for (name, pods) in published {
            assert_eq!(find(name).map(InstanceType::max_pods), Some(pods), "{name}");
        }
    }

    #[test]
    fn local_disks_only_in_d_variants() {
        for kind in all() {
            let family = kind.name.split('.').next().unwrap();
            assert_eq!(family.ends_with('d'), kind.local_storage_gb.is_some(), "{}", kind.name);
        }
        assert!(find("m5.huge").is_none());
    }
}
