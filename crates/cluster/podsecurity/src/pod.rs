//! The parts of a pod that checks look at. The schema has seen to their types; what has another is an error, never absent.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

/// A pod, or the template of one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Pod {
    pub(crate) metadata: Metadata,
    pub(crate) spec: Spec,
}

/// A pod whose fields are not what they should be.
#[derive(Debug)]
pub struct Undecodable(serde_json::Error);

impl std::fmt::Display for Undecodable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Undecodable {}

impl Pod {
    /// Reads a pod.
    ///
    /// # Errors
    /// When a field that checks look at has another type than it should.
    pub fn read(value: &Value) -> Result<Self, Undecodable> {
        Self::deserialize(value).map_err(Undecodable)
    }

    /// Reads a stored pod.
    ///
    /// # Errors
    /// As [`Pod::read`], and when it is no JSON.
    pub fn read_stored(bytes: &[u8]) -> Result<Self, Undecodable> {
        serde_json::from_slice(bytes).map_err(Undecodable)
    }

    pub(crate) fn annotations(&self) -> impl Iterator<Item = (&String, &String)> {
        self.metadata.annotations.iter().flatten()
    }

    /// All containers, in upstream's order (`policy/visitor.go`).
    pub(crate) fn containers(&self) -> impl Iterator<Item = &Container> {
        let spec = &self.spec;
        [&spec.init_containers, &spec.containers, &spec.ephemeral_containers].into_iter().flatten().flatten()
    }

    pub(crate) fn security(&self) -> Option<&PodSecurityContext> {
        self.spec.security_context.as_ref()
    }

    /// Whether it says that it is for Windows.
    pub(crate) fn windows(&self) -> bool {
        self.spec.os.as_ref().is_some_and(|os| os.name.as_deref() == Some("windows"))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) name: Option<String>,
    pub(crate) annotations: Option<BTreeMap<String, String>>,
    pub(crate) owner_references: Option<Vec<Owner>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Owner {
    pub(crate) uid: Option<String>,
    pub(crate) controller: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Spec {
    pub(crate) containers: Option<Vec<Container>>,
    pub(crate) init_containers: Option<Vec<Container>>,
    pub(crate) ephemeral_containers: Option<Vec<Container>>,
    pub(crate) host_network: Option<bool>,
    #[serde(rename = "hostPID")]
    pub(crate) host_pid: Option<bool>,
    #[serde(rename = "hostIPC")]
    pub(crate) host_ipc: Option<bool>,
    pub(crate) security_context: Option<PodSecurityContext>,
    pub(crate) volumes: Option<Vec<Volume>>,
    pub(crate) os: Option<Named>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Container {
    pub(crate) name: String,
    pub(crate) image: Option<String>,
    pub(crate) ports: Option<Vec<Port>>,
    pub(crate) security_context: Option<SecurityContext>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Port {
    pub(crate) host_port: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct PodSecurityContext {
    pub(crate) sysctls: Option<Vec<Named>>,
    #[serde(flatten)]
    pub(crate) shared: Shared,
}

/// What a pod and a container can both say.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Shared {
    pub(crate) app_armor_profile: Option<Profile>,
    pub(crate) seccomp_profile: Option<Profile>,
    pub(crate) run_as_non_root: Option<bool>,
    pub(crate) run_as_user: Option<i64>,
    #[serde(rename = "seLinuxOptions")]
    pub(crate) selinux_options: Option<SeLinux>,
    pub(crate) windows_options: Option<Windows>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct SecurityContext {
    pub(crate) privileged: Option<bool>,
    pub(crate) allow_privilege_escalation: Option<bool>,
    pub(crate) capabilities: Option<Capabilities>,
    pub(crate) proc_mount: Option<String>,
    #[serde(flatten)]
    pub(crate) shared: Shared,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Capabilities {
    pub(crate) add: Option<Vec<String>>,
    pub(crate) drop: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Profile {
    #[serde(rename = "type")]
    pub(crate) type_: Option<String>,
}

impl Profile {
    pub(crate) fn kind(&self) -> &str {
        self.type_.as_deref().unwrap_or_default()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SeLinux {
    #[serde(rename = "type")]
    pub(crate) type_: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) role: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Windows {
    pub(crate) host_process: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Named {
    pub(crate) name: Option<String>,
}

/// A volume: its name and, under their names, its sources.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Volume {
    pub(crate) name: String,
    #[serde(flatten)]
    sources: BTreeMap<String, Option<IgnoredAny>>,
}

impl Volume {
    /// Whether this source is given.
    pub(crate) fn has(&self, source: &str) -> bool {
        self.sources.get(source).is_some_and(Option::is_some)
    }
}
