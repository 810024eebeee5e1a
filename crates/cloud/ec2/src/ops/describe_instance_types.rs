use eksile_aws::inputs::{Filter, filtered};
use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape, filters};
use eksile_store::View;

use crate::instance_types::{self, InstanceType};

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceTypes.html>
#[derive(Shape)]
pub(super) struct DescribeInstanceTypes {
    #[shape(input = "InstanceType")]
    instance_types: Vec<String>,
    #[shape(input = "Filter")]
    filters: Vec<Filter>,
}

/// Types by name.
#[derive(Shape)]
pub(super) struct Output {
    instance_type_set: Vec<InstanceTypeInfo>,
}

/// `InstanceTypeInfo` of the EC2 API.
#[derive(Shape)]
pub(super) struct InstanceTypeInfo {
    instance_type: String,
    current_generation: bool,
    free_tier_eligible: bool,
    supported_usage_classes: Vec<String>,
    supported_root_device_types: Vec<String>,
    supported_virtualization_types: Vec<String>,
    bare_metal: bool,
    hypervisor: String,
    processor_info: ProcessorInfo,
    #[shape(output = "vCpuInfo")]
    vcpu_info: VCpuInfo,
    memory_info: MemoryInfo,
    instance_storage_supported: bool,
    instance_storage_info: Option<InstanceStorageInfo>,
    network_info: NetworkInfo,
    burstable_performance_supported: bool,
}

#[derive(Shape)]
struct ProcessorInfo {
    supported_architectures: Vec<String>,
    manufacturer: String,
}

#[derive(Shape)]
struct VCpuInfo {
    #[shape(output = "defaultVCpus")]
    default_vcpus: u32,
    default_cores: u32,
    default_threads_per_core: u32,
}

#[derive(Shape)]
struct MemoryInfo {
    #[shape(output = "sizeInMiB")]
    size_in_mib: i64,
}

#[derive(Shape)]
struct InstanceStorageInfo {
    #[shape(output = "totalSizeInGB")]
    total_size_in_gb: i64,
}

#[derive(Shape)]
struct NetworkInfo {
    network_performance: String,
    maximum_network_interfaces: u32,
    maximum_network_cards: u32,
    default_network_card_index: u32,
    network_cards: Vec<NetworkCardInfo>,
    ipv4_addresses_per_interface: u32,
    ipv6_addresses_per_interface: u32,
    ipv6_supported: bool,
    ena_support: String,
    efa_supported: bool,
}

#[derive(Shape)]
struct NetworkCardInfo {
    network_card_index: u32,
    network_performance: String,
    maximum_network_interfaces: u32,
}

impl From<&InstanceType> for InstanceTypeInfo {
    fn from(kind: &InstanceType) -> Self {
        let gigabytes = kind.local_storage_gb.map(i64::try_from).and_then(Result::ok);
        Self {
            instance_type: kind.name.to_owned(),
            current_generation: true,
            free_tier_eligible: kind.name == "t3.micro",
            supported_usage_classes: vec!["on-demand".to_owned()],
            supported_root_device_types: vec!["ebs".to_owned()],
            supported_virtualization_types: vec!["hvm".to_owned()],
            bare_metal: false,
            hypervisor: "nitro".to_owned(),
            processor_info: ProcessorInfo {
                supported_architectures: vec!["x86_64".to_owned()],
                manufacturer: "Intel".to_owned(),
            },
            vcpu_info: VCpuInfo {
                default_vcpus: kind.vcpus,
                default_cores: kind.vcpus / kind.threads_per_core,
                default_threads_per_core: kind.threads_per_core,
            },
            memory_info: MemoryInfo { size_in_mib: i64::try_from(kind.memory_mib).unwrap_or(i64::MAX) },
            instance_storage_supported: gigabytes.is_some(),
            instance_storage_info: gigabytes.map(|total_size_in_gb| InstanceStorageInfo { total_size_in_gb }),
            network_info: network_info(kind),
            burstable_performance_supported: kind.burstable,
        }
    }
}

fn network_info(kind: &InstanceType) -> NetworkInfo {
    let card = NetworkCardInfo {
        network_card_index: 0,
        network_performance: kind.network_performance.to_owned(),
        maximum_network_interfaces: kind.max_interfaces,
    };
    NetworkInfo {
        network_performance: kind.network_performance.to_owned(),
        maximum_network_interfaces: kind.max_interfaces,
        maximum_network_cards: 1,
        default_network_card_index: 0,
        network_cards: vec![card],
        ipv4_addresses_per_interface: kind.ipv4_per_interface,
        ipv6_addresses_per_interface: kind.ipv4_per_interface,
        ipv6_supported: true,
        ena_support: "required".to_owned(),
        efa_supported: false,
    }
}

filters! {
    const NAMES, fn values(info: &InstanceTypeInfo) {
        "instance-type" => info.instance_type.clone(),
        "current-generation" => info.current_generation.to_string(),
        "free-tier-eligible" => info.free_tier_eligible.to_string(),
        "bare-metal" => info.bare_metal.to_string(),
        "hypervisor" => info.hypervisor.clone(),
        "burstable-performance-supported" => info.burstable_performance_supported.to_string(),
        "instance-storage-supported" => info.instance_storage_supported.to_string(),
        "supported-usage-class" => info.supported_usage_classes.clone(),
        "supported-root-device-type" => info.supported_root_device_types.clone(),
        "supported-virtualization-type" => info.supported_virtualization_types.clone(),
        "processor-info.supported-architecture" => info.processor_info.supported_architectures.clone(),
        "vcpu-info.default-vcpus" => info.vcpu_info.default_vcpus.to_string(),
        "vcpu-info.default-cores" => info.vcpu_info.default_cores.to_string(),
        "memory-info.size-in-mib" => info.memory_info.size_in_mib.to_string(),
        "network-info.maximum-network-interfaces" => info.network_info.maximum_network_interfaces.to_string(),
        "network-info.ipv4-addresses-per-interface" => info.network_info.ipv4_addresses_per_interface.to_string(),
    }
}

impl Lookup for DescribeInstanceTypes {
    type Output = Output;

    fn asks(&self, _call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![Ask::any()])
    }

    fn run(self, _call: &Call<'_>, _view: &View) -> Result<Output, Fault> {
        let unknown: Vec<_> = self.instance_types.iter().filter(|name| instance_types::find(name).is_none()).collect();
        if !unknown.is_empty() {
            let names = unknown.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
            let message = format!("The following supplied instance types do not exist: [{names}]");
            return Err(Fault::client("InvalidInstanceType", 400, message));
        }
        let wanted = |kind: &&InstanceType| {
            self.instance_types.is_empty() || self.instance_types.iter().any(|name| name == kind.name)
        };
        let shown = instance_types::all().iter().filter(wanted).map(InstanceTypeInfo::from).collect();
        Ok(Output { instance_type_set: filtered(shown, &self.filters, |name| NAMES.contains(&name), values)? })
    }
}
