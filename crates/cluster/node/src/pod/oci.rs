//! The OCI runtime configuration of a container.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{Capabilities, Container, Pod, SecurityContext};
use serde_json::{Value, json};

use super::environment::{ConfigError, expand};
use super::ipc::Ipc;
use super::mounts::mounts;
use super::share::oom_score;
use super::users::user;
use crate::images::ImageConfig;
use crate::shim::seccomp::Profile;

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// What a container may without asking: containerd's default set.
const CAPABILITIES: [&str; 14] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "MKNOD",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "KILL",
    "AUDIT_WRITE",
];
/// All capabilities, in the order of their numbers (linux/capability.h).
const ALL: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// All that goes into one container's configuration.
pub(crate) struct Plan<'a> {
    pub(crate) pod: &'a Pod,
    pub(crate) container: &'a Container,
    pub(crate) image: &'a ImageConfig,
    pub(crate) variables: BTreeMap<String, String>,
    /// The mounted root file system.
    pub(crate) rootfs: &'a Path,
    /// The pod's network namespace; none on the node's network.
    pub(crate) netns: Option<PathBuf>,
    /// What the pod's containers share; none with `hostIPC`.
    pub(crate) ipc: Option<Ipc>,
    pub(crate) hostname: String,
    pub(crate) cgroup: &'a Path,
    /// An empty directory for each controller, upon which the container's own groups are mounted.
    pub(crate) cover: &'a Path,
    /// Source, destination, read-only.
    pub(crate) binds: Vec<(PathBuf, String, bool)>,
}

/// Builds the configuration.
pub(crate) fn build(plan: &Plan<'_>) -> Result<Value, ConfigError> {
    let security = plan.container.security_context.clone().unwrap_or_default();
    let privileged = security.privileged == Some(true);
    let spec = plan.pod.spec.as_ref();
    let host = |flag: Option<bool>| flag == Some(true);
    let mut namespaces = vec![json!({"type": "mount"}), json!({"type": "uts"})];
    if !host(spec.and_then(|spec| spec.host_pid)) {
        namespaces.push(json!({"type": "pid"}));
    }
    if let Some(ipc) = &plan.ipc {
        namespaces.push(json!({"type": "ipc", "path": ipc.namespace()}));
    }
    if let Some(netns) = &plan.netns {
        namespaces.push(json!({"type": "network", "path": netns}));
    }
    let mut linux = json!({
        "cgroupsPath": plan.cgroup,
        "namespaces": namespaces,
    });
    let sysctls = spec.and_then(|spec| spec.security_context.as_ref()?.sysctls.as_ref()).into_iter().flatten();
    let sysctls: BTreeMap<String, &str> =
        sysctls.map(|sysctl| (sysctl.name.replace('/', "."), sysctl.value.as_str())).collect();
    if !sysctls.is_empty() {
        linux["sysctl"] = json!(sysctls);
    }
    if !privileged {
        // Upstream's lists (`pkg/securitycontext/util.go`).
        linux["maskedPaths"] = json!([
            "/proc/asound",
            "/proc/acpi",
            "/proc/kcore",
            "/proc/keys",
            "/proc/latency_stats",
            "/proc/timer_list",
            "/proc/timer_stats",
            "/proc/sched_debug",
            "/proc/scsi",
            "/sys/firmware",
            "/sys/devices/virtual/powercap",
        ]);
        linux["readonlyPaths"] = json!(["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]);
    }
    Ok(json!({
        "ociVersion": "1.0.2",
        "process": process(plan, &security)?,
        "root": {"path": plan.rootfs, "readonly": security.read_only_root_filesystem == Some(true)},
        "hostname": plan.hostname,
        "mounts": mounts(plan, privileged),
        "linux": linux,
    }))
}

/// The filter of system calls that a container asks for, for itself or with its pod; a privileged one has none.
pub(crate) fn seccomp(pod: &Pod, container: &Container) -> Option<Profile> {
    let security = container.security_context.clone().unwrap_or_default();
    let of_pod = pod.spec.as_ref().and_then(|spec| spec.security_context.as_ref()?.seccomp_profile.clone());
    let asked = security.seccomp_profile.clone().or(of_pod)?;
    let confined = asked.type_ == "RuntimeDefault" && security.privileged != Some(true);
    confined.then(|| Profile::new(capabilities(&security), security.allow_privilege_escalation == Some(false)))
}

/// The process object, which is also the pattern for an exec.
fn process(plan: &Plan<'_>, security: &SecurityContext) -> Result<Value, ConfigError> {
    let (mut environment, order) = (plan.variables.clone(), plan.image.env.clone().unwrap_or_default());
    for entry in order {
        let (name, value) = entry.split_once('=').unwrap_or((&entry, ""));
        environment.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    }
    environment.entry("PATH".to_owned()).or_insert_with(|| PATH.to_owned());
    environment.entry("HOSTNAME".to_owned()).or_insert_with(|| plan.hostname.clone());
    let env: Vec<String> = environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let cwd = plan.container.working_dir.clone().or_else(|| plan.image.working_dir.clone());
    let cwd = cwd.filter(|cwd| !cwd.is_empty()).unwrap_or_else(|| "/".to_owned());
    let mut capabilities = capabilities(security);
    capabilities.extend(seccomp(plan.pod, plan.container).into_iter().flat_map(|profile| profile.lent));
    Ok(json!({
        "terminal": plan.container.tty == Some(true),
        "user": user(plan, security)?,
        "args": arguments(plan)?,
        "env": env,
        "cwd": cwd,
        "capabilities": {"bounding": capabilities, "effective": capabilities, "permitted": capabilities},
        "noNewPrivileges": security.allow_privilege_escalation == Some(false),
        "oomScoreAdj": oom_score(plan.pod, plan.container),
    }))
}

/// The pod's command replaces the image's entry point and command; its arguments only the command.
fn arguments(plan: &Plan<'_>) -> Result<Vec<String>, ConfigError> {
    let own = |list: &Option<Vec<String>>| list.clone().filter(|list| !list.is_empty());
    let expanded =
        |list: Vec<String>| -> Vec<String> { list.iter().map(|text| expand(text, &plan.variables)).collect() };
    let command = own(&plan.container.command).map(expanded);
    let args = own(&plan.container.args).map(expanded);
    let all = match (command, args) {
        (Some(command), args) => [command, args.unwrap_or_default()].concat(),
        (None, Some(args)) => [plan.image.entrypoint.clone().unwrap_or_default(), args].concat(),
        (None, None) => {
            [plan.image.entrypoint.clone().unwrap_or_default(), plan.image.cmd.clone().unwrap_or_default()].concat()
        }
    };
    if all.is_empty() { Err(ConfigError("no command specified".to_owned())) } else { Ok(all) }
}

fn capabilities(security: &SecurityContext) -> Vec<String> {
    let held = held();
    let full = |name: &str| format!("CAP_{}", name.trim_start_matches("CAP_").to_ascii_uppercase());
    let Capabilities { add, drop } = security.capabilities.clone().unwrap_or_default();
    let (add, drop) = (add.unwrap_or_default(), drop.unwrap_or_default());
    let all = security.privileged == Some(true) || add.iter().any(|name| name == "ALL");
    let mut set: Vec<String> = if all { ALL.map(full).to_vec() } else { CAPABILITIES.map(full).to_vec() };
    if drop.iter().any(|name| name == "ALL") {
        set.clear();
    }
    set.retain(|name| !drop.iter().any(|drop| full(drop) == *name));
    set.extend(add.iter().filter(|name| *name != "ALL").map(|name| full(name)));
    set.sort_unstable();
    set.dedup();
    // What the node itself may not, it cannot give.
    set.retain(|name| ALL.iter().position(|one| full(one) == *name).is_some_and(|bit| held >> bit & 1 == 1));
    set
}

/// The capabilities this process may pass on; none where that cannot be read.
fn held() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("CapBnd:"));
    line.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0)
}
