use eksile_store::Record;
use serde::{Deserialize, Serialize};

use super::{MetadataOptions, Tags};

/// An instance, as the Region wants it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// `i-` and 17 hexadecimal digits.
    pub instance_id: String,
    /// `r-…`, shared by the instances of one call.
    pub reservation_id: String,
    /// `ami-…`.
    pub image_id: String,
    /// Such as `m5.large`.
    pub instance_type: String,
    /// The site that hosts it: an Outpost's id, or the Region's name for its Zones.
    pub site: String,
    /// The subnet of its primary interface.
    pub subnet_id: String,
    /// That subnet's VPC.
    pub vpc_id: String,
    /// Primary private address.
    pub private_ip: String,
    /// `ip-10-0-1-5.us-west-2.compute.internal`; a node's name in Kubernetes.
    pub private_dns_name: String,
    /// Interfaces by device index; the first is `eth0`.
    pub network_interface_ids: Vec<String>,
    /// SSH key pair's name.
    pub key_name: Option<String>,
    /// The profile whose role the metadata service hands out.
    pub instance_profile: Option<InstanceProfileRef>,
    /// User data as the caller sent it, decoded from base64.
    pub user_data: Option<Vec<u8>>,
    /// What it is for.
    pub role: InstanceRole,
    /// What it should be doing.
    pub wanted: WantedInstanceState,
    /// Seconds since the epoch.
    pub launch_time: i64,
    /// Position in its reservation.
    pub ami_launch_index: u32,
    /// Idempotency token of the call.
    pub client_token: Option<String>,
    /// How its metadata service behaves.
    #[serde(default)]
    pub metadata_options: MetadataOptions,
    /// User tags.
    pub tags: Tags,
}

/// An instance profile named by ARN and id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceProfileRef {
    /// `arn:aws:iam::A:instance-profile/N`.
    pub arn: String,
    /// `AIPA…`.
    pub id: String,
}

/// What an instance is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum InstanceRole {
    /// A machine of the user's, which runs its user data.
    Worker,
    /// One of the three members of a local cluster's control plane.
    ControlPlane {
        /// The cluster's id.
        cluster_id: String,
    },
}

/// What the Region wants an instance to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WantedInstanceState {
    /// Running.
    Running,
    /// Stopped, its volumes kept.
    Stopped,
    /// Gone.
    Terminated,
}

impl Record for Instance {
    const SERVICE: &'static str = "ec2";
    const KIND: &'static str = "instance";

    fn id(&self) -> &str {
        &self.instance_id
    }
}

/// What the hosting site saw of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedInstance {
    /// The instance.
    pub instance_id: String,
    /// State as `DescribeInstances` shows it.
    pub state: InstanceState,
    /// Why, when it is not what was wanted.
    pub reason: Option<String>,
    /// Seconds since the epoch of the last change.
    pub since: i64,
}

/// EC2's instance states with their codes (EC2 API reference, `InstanceState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstanceState {
    /// 0
    Pending,
    /// 16
    Running,
    /// 32
    ShuttingDown,
    /// 48
    Terminated,
    /// 64
    Stopping,
    /// 80
    Stopped,
}

impl Record for ObservedInstance {
    const SERVICE: &'static str = "observed";
    const KIND: &'static str = "instance";

    fn id(&self) -> &str {
        &self.instance_id
    }
}
