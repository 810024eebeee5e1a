//! What a pod may ask of this node, field by field. Everything else is done, or is nothing a node does.

use k8s_openapi::api::core::v1::{Container, Pod, PodSpec, SeccompProfile, Volume};

use crate::pod::users::largest_id;
use crate::pod::verdict::Verdict;

/// Kernel settings that stay within a pod (Kubernetes documentation, "Using sysctls in a Kubernetes Cluster").
const SYSCTLS: [&str; 12] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
];

/// Turns a pod away that asks for what this node does not do.
pub(super) fn check(pod: &Pod) -> Result<(), Verdict> {
    let Some(spec) = &pod.spec else { return Ok(()) };
    if spec.os.as_ref().is_some_and(|os| os.name != "linux") {
        let text = "Failed to admit pod as the OS field doesn't match node OS";
        return Err(Verdict::rejected("PodOSNotSupported", text));
    }
    let sysctls = spec.security_context.iter().filter_map(|context| context.sysctls.as_ref()).flatten();
    if let Some(unsafe_one) = sysctls.into_iter().find(|sysctl| !allowed(spec, &sysctl.name)) {
        let text = format!("forbidden sysctl: \"{}\" not allowlisted", unsafe_one.name);
        return Err(Verdict::rejected("SysctlForbidden", text));
    }
    if confined(pod, spec) {
        let text = "Cannot enforce AppArmor: AppArmor is not enabled on the host";
        return Err(Verdict::rejected("AppArmor", text));
    }
    let most = largest_id();
    if let Some((field, id)) = ids(spec).into_iter().find(|(_, id)| *id > most) {
        let text = format!("not supported on this node: {field}: {id} (its users and groups go up to {most})");
        return Err(Verdict::rejected("UnexpectedAdmissionError", text));
    }
    let unsupported = unsupported(spec);
    if unsupported.is_empty() {
        return Ok(());
    }
    let text = format!("not supported on this node: {}", unsupported.join(", "));
    Err(Verdict::rejected("UnexpectedAdmissionError", text))
}

/// A pod on the node's own network or IPC does not change the node's settings.
fn allowed(spec: &PodSpec, name: &str) -> bool {
    let name = name.replace('/', ".");
    let shared = if name.starts_with("net.") { spec.host_network } else { spec.host_ipc };
    SYSCTLS.contains(&name.as_str()) && shared != Some(true)
}

fn confined(pod: &Pod, spec: &PodSpec) -> bool {
    let annotated = pod.metadata.annotations.iter().flatten().any(|(key, value)| {
        key.starts_with("container.apparmor.security.beta.kubernetes.io/") && value != "unconfined"
    });
    let of_pod = spec.security_context.as_ref().and_then(|context| context.app_armor_profile.as_ref());
    let of_containers = containers(spec).filter_map(|(_, container)| {
        container.security_context.as_ref().and_then(|context| context.app_armor_profile.as_ref())
    });
    annotated || of_pod.into_iter().chain(of_containers).any(|profile| profile.type_ != "Unconfined")
}

fn containers(spec: &PodSpec) -> impl Iterator<Item = (String, &Container)> {
    let init = spec.init_containers.iter().flatten().enumerate();
    let init = init.map(|(index, one)| (format!("spec.initContainers[{index}]"), one));
    let app = spec.containers.iter().enumerate().map(|(index, one)| (format!("spec.containers[{index}]"), one));
    init.chain(app)
}

/// The users and groups that a pod names, by path.
fn ids(spec: &PodSpec) -> Vec<(String, i64)> {
    let mut found = Vec::new();
    let mut add = |path: &str, field: &str, id: Option<i64>| found.extend(id.map(|id| (format!("{path}.{field}"), id)));
    if let Some(of_pod) = &spec.security_context {
        let path = "spec.securityContext";
        add(path, "runAsUser", of_pod.run_as_user);
        add(path, "runAsGroup", of_pod.run_as_group);
        add(path, "fsGroup", of_pod.fs_group);
        for (index, group) in of_pod.supplemental_groups.iter().flatten().enumerate() {
            add(path, &format!("supplementalGroups[{index}]"), Some(*group));
        }
    }
    for (path, container) in containers(spec) {
        let own = container.security_context.as_ref();
        let path = format!("{path}.securityContext");
        add(&path, "runAsUser", own.and_then(|own| own.run_as_user));
        add(&path, "runAsGroup", own.and_then(|own| own.run_as_group));
    }
    found
}

/// The fields that ask for what is not built, by path.
fn unsupported(spec: &PodSpec) -> Vec<String> {
    let mut found = Vec::new();
    let mut no = |asked: bool, field: String| {
        if asked {
            found.push(field);
        }
    };
    no(spec.share_process_namespace == Some(true), "spec.shareProcessNamespace".to_owned());
    no(spec.host_users == Some(false), "spec.hostUsers".to_owned());
    no(spec.runtime_class_name.as_ref().is_some_and(|name| !name.is_empty()), "spec.runtimeClassName".to_owned());
    no(spec.resource_claims.as_ref().is_some_and(|claims| !claims.is_empty()), "spec.resourceClaims".to_owned());
    no(spec.resources.is_some(), "spec.resources".to_owned());
    let profile = spec.security_context.as_ref().and_then(|context| context.seccomp_profile.as_ref());
    no(profile.is_some_and(filtered), "spec.securityContext.seccompProfile".to_owned());
    for (index, volume) in spec.volumes.iter().flatten().enumerate() {
        if let Some(kind) = strange_volume(volume) {
            no(true, format!("spec.volumes[{index}].{kind}"));
        }
    }
    for (path, container) in containers(spec) {
        for field in strange_container(container, spec.host_network == Some(true)) {
            no(true, format!("{path}.{field}"));
        }
    }
    found
}

/// A filter in a file of the node's.
fn filtered(profile: &SeccompProfile) -> bool {
    !matches!(profile.type_.as_str(), "Unconfined" | "RuntimeDefault")
}

/// The kind of a volume that is not built, as the field is called.
fn strange_volume(volume: &Volume) -> Option<String> {
    if let Some(projected) = &volume.projected {
        let mut sources = projected.sources.iter().flatten();
        return sources
            .any(|source| source.cluster_trust_bundle.is_some())
            .then(|| "projected.clusterTrustBundle".to_owned());
    }
    if let Some(empty) = &volume.empty_dir {
        return match empty.medium.as_deref() {
            None | Some("" | "Memory") => None,
            Some(_) => Some("emptyDir.medium".to_owned()),
        };
    }
    if let Some(host) = &volume.host_path {
        let known =
            ["", "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice"];
        let kind = host.type_.as_deref().unwrap_or_default();
        return (!known.contains(&kind)).then(|| "hostPath.type".to_owned());
    }
    if volume.config_map.is_some() || volume.secret.is_some() || volume.downward_api.is_some() {
        return None;
    }
    let fields = serde_json::to_value(volume).ok()?;
    fields.as_object()?.keys().find(|key| *key != "name").cloned()
}

/// Fields of a container that ask for what is not built.
fn strange_container(container: &Container, on_node: bool) -> Vec<String> {
    let mut found = Vec::new();
    let mut no = |asked: bool, field: &str| {
        if asked {
            found.push(field.to_owned());
        }
    };
    no(container.restart_policy.is_some(), "restartPolicy");
    no(container.stdin == Some(true), "stdin");
    no(container.volume_devices.as_ref().is_some_and(|devices| !devices.is_empty()), "volumeDevices");
    let security = container.security_context.as_ref();
    let profile = security.and_then(|context| context.seccomp_profile.as_ref());
    no(profile.is_some_and(filtered), "securityContext.seccompProfile");
    let proc_mount = security.and_then(|context| context.proc_mount.as_deref());
    no(proc_mount.is_some_and(|kind| kind != "Default"), "securityContext.procMount");
    let claims = container.resources.as_ref().and_then(|resources| resources.claims.as_ref());
    no(claims.is_some_and(|claims| !claims.is_empty()), "resources.claims");
    let limits = container.resources.as_ref().and_then(|resources| resources.limits.as_ref());
    for name in limits.into_iter().flat_map(|limits| limits.keys()).filter(|name| name.starts_with("hugepages-")) {
        no(true, &format!("resources.limits[{name}]"));
    }
    let signal = container.lifecycle.as_ref().and_then(|lifecycle| lifecycle.stop_signal.as_ref());
    no(signal.is_some(), "lifecycle.stopSignal");
    for (index, port) in container.ports.iter().flatten().enumerate() {
        // On the node's network a port of the container is one of the node already.
        no(!on_node && port.host_port.is_some_and(|number| number > 0), &format!("ports[{index}].hostPort"));
    }
    for (index, mount) in container.volume_mounts.iter().flatten().enumerate() {
        let propagation = mount.mount_propagation.as_deref().unwrap_or("None");
        no(propagation != "None", &format!("volumeMounts[{index}].mountPropagation"));
        let deep = mount.recursive_read_only.as_deref() == Some("Enabled");
        no(deep, &format!("volumeMounts[{index}].recursiveReadOnly"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn every_user_and_group_that_a_pod_names_is_found() {
        let spec = json!({
            "securityContext": {"runAsUser": 1, "runAsGroup": 2, "fsGroup": 3, "supplementalGroups": [4, 5]},
            "initContainers": [{"name": "i", "securityContext": {"runAsUser": 6}}],
            "containers": [{"name": "c", "securityContext": {"runAsGroup": 7}}]
        });
        let found: Vec<i64> = ids(&serde_json::from_value(spec).unwrap()).into_iter().map(|(_, id)| id).collect();
        assert_eq!(found, [1, 2, 3, 4, 5, 6, 7]);
        let most = largest_id();
        let of = |id: i64| verdict(&json!({"containers": [{"name": "c", "securityContext": {"runAsUser": id}}]}));
        assert!(of(most).is_none());
        let refused = of(most + 1).unwrap();
        let named = format!("spec.containers[0].securityContext.runAsUser: {}", most + 1);
        assert!(refused.message.contains(&named), "{}", refused.message);
    }

    fn verdict(spec: &Value) -> Option<Verdict> {
        let pod: Pod = serde_json::from_value(json!({"metadata": {}, "spec": spec})).unwrap();
        check(&pod).err()
    }

    #[test]
    fn what_is_not_built_is_refused_by_name() {
        let container = |extra: Value| {
            let mut container = json!({"name": "c", "image": "i"});
            container.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            json!({"containers": [container]})
        };
        let pod = |extra: Value| {
            let mut spec = json!({"containers": [{"name": "c", "image": "i"}]});
            spec.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            spec
        };
        for (spec, field) in [
            (pod(json!({"shareProcessNamespace": true})), "spec.shareProcessNamespace"),
            (pod(json!({"hostUsers": false})), "spec.hostUsers"),
            (pod(json!({"runtimeClassName": "gvisor"})), "spec.runtimeClassName"),
            (pod(json!({"resourceClaims": [{"name": "gpu"}]})), "spec.resourceClaims"),
            (pod(json!({"volumes": [{"name": "v", "nfs": {"path": "/", "server": "s"}}]})), "spec.volumes[0].nfs"),
            (
                pod(json!({"volumes": [{"name": "v", "emptyDir": {"medium": "HugePages"}}]})),
                "spec.volumes[0].emptyDir.medium",
            ),
            (
                pod(json!({"initContainers": [{"name": "s", "restartPolicy": "Always"}]})),
                "spec.initContainers[0].restartPolicy",
            ),
            (container(json!({"stdin": true})), "spec.containers[0].stdin"),
            (
                container(json!({"ports": [{"containerPort": 1, "hostPort": 1}]})),
                "spec.containers[0].ports[0].hostPort",
            ),
            (
                container(
                    json!({"volumeMounts": [{"name": "v", "mountPath": "/v", "mountPropagation": "Bidirectional"}]}),
                ),
                "spec.containers[0].volumeMounts[0].mountPropagation",
            ),
            (
                container(json!({"securityContext": {"seccompProfile": {"type": "Localhost"}}})),
                "spec.containers[0].securityContext.seccompProfile",
            ),
            (
                container(json!({"securityContext": {"procMount": "Unmasked"}})),
                "spec.containers[0].securityContext.procMount",
            ),
            (
                container(json!({"resources": {"limits": {"hugepages-2Mi": "2Mi"}}})),
                "spec.containers[0].resources.limits[hugepages-2Mi]",
            ),
        ] {
            let refused = verdict(&spec).unwrap();
            assert_eq!(refused.reason, "UnexpectedAdmissionError");
            assert_eq!(refused.message, format!("not supported on this node: {field}"));
        }
    }

    #[test]
    fn what_upstream_refuses_has_its_words() {
        let sysctl = |name: &str, on_node: bool| {
            verdict(&json!({"containers": [], "hostNetwork": on_node,
                "securityContext": {"sysctls": [{"name": name, "value": "1"}]}}))
        };
        assert_eq!(sysctl("net.ipv4.tcp_syncookies", false), None);
        assert_eq!(sysctl("net.ipv4.tcp_syncookies", true).unwrap().reason, "SysctlForbidden");
        let text = "forbidden sysctl: \"kernel.msgmax\" not allowlisted";
        assert_eq!(sysctl("kernel.msgmax", false).unwrap().message, text);
        let profile =
            |kind: &str| verdict(&json!({"containers": [], "securityContext": {"appArmorProfile": {"type": kind}}}));
        assert_eq!(profile("Unconfined"), None);
        assert_eq!(profile("RuntimeDefault").unwrap().reason, "AppArmor");
        assert_eq!(verdict(&json!({"containers": [], "os": {"name": "windows"}})).unwrap().reason, "PodOSNotSupported");
        let ordinary = json!({"containers": [{"name": "c", "ports": [{"containerPort": 80}]}],
            "hostNetwork": true, "volumes": [{"name": "v", "emptyDir": {}}]});
        assert_eq!(verdict(&ordinary), None);
    }
}
