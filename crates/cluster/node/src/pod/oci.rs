//! The OCI runtime configuration of a container.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{Capabilities, Container, Pod, PodSecurityContext, SecurityContext};
use serde_json::{Value, json};

use super::environment::{ConfigError, expand};
use super::share::oom_score;
use crate::beneath;
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
/// Largest number of a user or group.
const ID_MAX: u32 = 0x7fff_ffff;
/// Most bytes read of an image's lists of users and groups.
const USERS_MAX: u64 = 1 << 20;
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
    pub(crate) hostname: String,
    pub(crate) cgroup: &'a Path,
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
    if !host(spec.and_then(|spec| spec.host_ipc)) {
        namespaces.push(json!({"type": "ipc"}));
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

fn user(plan: &Plan<'_>, security: &SecurityContext) -> Result<Value, ConfigError> {
    let of_pod: PodSecurityContext =
        plan.pod.spec.as_ref().and_then(|spec| spec.security_context.clone()).unwrap_or_default();
    let image = plan.image.user.as_deref().filter(|user| !user.is_empty());
    let found = image.map(|user| lookup(plan.rootfs, user)).transpose();
    let uid = match security.run_as_user.or(of_pod.run_as_user) {
        Some(uid) => u32::try_from(uid).map_err(|error| ConfigError(error.to_string()))?,
        None => found?.map_or(0, |(uid, _)| uid),
    };
    if uid == 0 && security.run_as_non_root.or(of_pod.run_as_non_root) == Some(true) {
        return Err(ConfigError("container has runAsNonRoot and image will run as root".to_owned()));
    }
    let gid = match security.run_as_group.or(of_pod.run_as_group) {
        Some(gid) => u32::try_from(gid).map_err(|error| ConfigError(error.to_string()))?,
        None => image.and_then(|user| lookup(plan.rootfs, user).ok()).map_or(0, |(_, gid)| gid),
    };
    let mut groups: Vec<i64> = of_pod.supplemental_groups.unwrap_or_default();
    groups.extend(of_pod.fs_group);
    groups.push(i64::from(gid));
    if of_pod.supplemental_groups_policy.as_deref() != Some("Strict") {
        groups.extend(groups_in(plan.rootfs, uid));
    }
    groups.sort_unstable();
    groups.dedup();
    Ok(json!({"uid": uid, "gid": gid, "additionalGids": groups}))
}

/// `USER[:GROUP]` of an image, names looked up in its own files.
fn lookup(rootfs: &Path, user: &str) -> Result<(u32, u32), ConfigError> {
    let (user, group) = user.split_once(':').map_or((user, None), |(user, group)| (user, Some(group)));
    let entry = |file: &str, name: &str, key: usize| {
        let text = read_in(rootfs, file);
        text.lines()
            .map(|line| line.split(':').collect::<Vec<_>>())
            .find(|fields| fields.get(key) == Some(&name))
            .map(|fields| fields.iter().map(|field| (*field).to_owned()).collect::<Vec<_>>())
    };
    let number = |fields: &[String], at: usize| fields.get(at).and_then(|text| identity(text));
    let bad = |what: &str| ConfigError(format!("uids and gids must be in range 0-{ID_MAX}: {what}"));
    let (uid, primary) = if is_number(user) {
        let uid = identity(user).ok_or_else(|| bad(user))?;
        // One that the image does not know has the first group.
        (uid, entry("etc/passwd", user, 2).map_or(Some(0), |fields| number(&fields, 3)).ok_or_else(|| bad(user))?)
    } else {
        let fields = entry("etc/passwd", user, 0);
        let fields = fields
            .ok_or_else(|| ConfigError(format!("unable to find user {user}: no matching entries in passwd file")))?;
        let both = number(&fields, 2).zip(number(&fields, 3));
        both.ok_or_else(|| bad(user))?
    };
    let gid = match group {
        None => primary,
        Some(group) if is_number(group) => identity(group).ok_or_else(|| bad(group))?,
        Some(group) => entry("etc/group", group, 0)
            .and_then(|fields| number(&fields, 2))
            .ok_or_else(|| ConfigError(format!("unable to find group {group}: no matching entries in group file")))?,
    };
    Ok((uid, gid))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A user's or group's number. What lies beyond the range has a meaning of its own to the kernel: 4294967295 is "as
/// before", which is root.
fn identity(text: &str) -> Option<u32> {
    text.parse().ok().filter(|id| *id <= ID_MAX)
}

/// The groups that an image's own files put a user into (Kubernetes documentation, "Configure a Security Context",
/// `supplementalGroupsPolicy`).
fn groups_in(rootfs: &Path, uid: u32) -> Vec<i64> {
    let users = read_in(rootfs, "etc/passwd");
    let mut users = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let user = users.find(|fields| fields.get(2).is_some_and(|text| text.parse() == Ok(uid)));
    let Some(name) = user.and_then(|fields| fields.first().copied()) else { return Vec::new() };
    let groups = read_in(rootfs, "etc/group");
    let member = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        fields.get(3)?.split(',').any(|one| one == name).then(|| identity(fields[2]).map(i64::from))?
    };
    groups.lines().filter_map(member).collect()
}

/// A small file of the image; its links are followed inside of it only. One that cannot be read has no users.
fn read_in(rootfs: &Path, file: &str) -> String {
    let bytes = beneath::read_in(rootfs, file, USERS_MAX).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
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

fn mounts(plan: &Plan<'_>, privileged: bool) -> Value {
    let one = |destination: &str, kind: &str, options: &[&str]| json!({"destination": destination, "type": kind, "source": kind, "options": options});
    let write = if privileged { "rw" } else { "ro" };
    let mut all = vec![
        one("/proc", "proc", &["nosuid", "noexec", "nodev"]),
        one("/dev", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        one("/dev/pts", "devpts", &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
        one("/dev/mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
        one("/dev/shm", "tmpfs", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
    ];
    let sys = if plan.netns.is_some() {
        one("/sys", "sysfs", &["nosuid", "noexec", "nodev", write])
    } else {
        // A new sysfs belongs to a network namespace of one's own; on the node's network the node's is bound.
        json!({"destination": "/sys", "type": "bind", "source": "/sys", "options": ["rbind", "nosuid", "noexec", "nodev", write]})
    };
    all.push(sys);
    for (source, destination, read_only) in &plan.binds {
        let write = if *read_only { "ro" } else { "rw" };
        all.push(json!({"destination": destination, "type": "bind", "source": source, "options": ["rbind", "rprivate", write]}));
    }
    all.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_puts_its_users_into_groups() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        fs::write(root.path().join("etc/passwd"), "root:x:0:0::/:/bin/sh\nalice:x:1000:1000::/:/bin/sh\n").unwrap();
        fs::write(root.path().join("etc/group"), "broken\nstaff:x:50000:bob,alice\nother:x:7:bob\n").unwrap();
        assert_eq!(groups_in(root.path(), 1000), [50_000]);
        assert_eq!(groups_in(root.path(), 4), [0_i64; 0]);
        assert_eq!(lookup(root.path(), "alice:staff").unwrap(), (1000, 50_000));
    }

    #[test]
    fn a_user_is_never_root_by_an_odd_number() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        let users = "max:x:4294967295:0\nodd:x:many:0\nminus:x:-1:0\nshort:x\nfine:x:5:6\n";
        fs::write(root.path().join("etc/passwd"), users).unwrap();
        for bad in ["4294967295", "99999999999", "-1", "max", "odd", "minus", "short", "0x0", "1:4294967295", "", "1:"]
        {
            assert!(lookup(root.path(), bad).is_err(), "{bad:?}");
        }
        assert_eq!(lookup(root.path(), "fine").unwrap(), (5, 6));
        assert_eq!(lookup(root.path(), "77").unwrap(), (77, 0));
    }

    proptest::proptest! {
        #[test]
        fn odd_lists_of_users_are_survived(list in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400), user in "[ -~]{0,20}") {
            let root = tempfile::tempdir().unwrap();
            fs::create_dir(root.path().join("etc")).unwrap();
            fs::write(root.path().join("etc/passwd"), &list).unwrap();
            fs::write(root.path().join("etc/group"), &list).unwrap();
            let _ = lookup(root.path(), &user);
            groups_in(root.path(), 0);
        }
    }
}
