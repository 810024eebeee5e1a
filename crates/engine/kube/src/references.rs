//! What a pod refers to by name (upstream's `pkg/api/pod/util.go`): all that its node may read for its sake, and all
//! that a pod made by a node must not name.

use serde_json::Value;

/// The annotation of a pod that shows a static pod of its node.
pub(crate) const MIRROR: &str = "kubernetes.io/config.mirror";

/// Lists of containers.
const CONTAINERS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// Where the sources of a volume name a Secret, beneath the volume.
const VOLUME_SECRETS: [&str; 10] = [
    "/azureFile/secretName",
    "/cephfs/secretRef/name",
    "/cinder/secretRef/name",
    "/flexVolume/secretRef/name",
    "/rbd/secretRef/name",
    "/secret/secretName",
    "/scaleIO/secretRef/name",
    "/iscsi/secretRef/name",
    "/storageos/secretRef/name",
    "/csi/nodePublishSecretRef/name",
];

/// The text at a pointer; empty when there is none.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The members of the list at a pointer.
pub(crate) fn items<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// Whether a pod is the shadow of a static one.
pub(crate) fn is_mirror(pod: &Value) -> bool {
    pod.pointer("/metadata/annotations").and_then(|all| all.get(MIRROR)).is_some()
}

/// All containers, of every list.
pub(crate) fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    CONTAINERS.iter().flat_map(move |list| items(pod, &format!("/spec/{list}")))
}

/// The sources of all projected volumes.
pub(crate) fn projections(pod: &Value) -> impl Iterator<Item = &Value> {
    items(pod, "/spec/volumes").flat_map(|volume| items(volume, "/projected/sources"))
}

/// The Secrets that a pod names, wherever it can.
pub(crate) fn secrets(pod: &Value) -> Vec<&str> {
    let mut found: Vec<&str> = items(pod, "/spec/imagePullSecrets").map(|one| text(one, "/name")).collect();
    found.extend(in_environment(pod, "/secretRef/name", "/valueFrom/secretKeyRef/name"));
    for volume in items(pod, "/spec/volumes") {
        found.extend(VOLUME_SECRETS.iter().map(|at| text(volume, at)));
    }
    found.extend(projections(pod).map(|source| text(source, "/secret/name")));
    found.retain(|name| !name.is_empty());
    found
}

/// The ConfigMaps that a pod names, wherever it can.
pub(crate) fn config_maps(pod: &Value) -> Vec<&str> {
    let mut found = in_environment(pod, "/configMapRef/name", "/valueFrom/configMapKeyRef/name");
    found.extend(items(pod, "/spec/volumes").map(|volume| text(volume, "/configMap/name")));
    found.extend(projections(pod).map(|source| text(source, "/configMap/name")));
    found.retain(|name| !name.is_empty());
    found
}

fn in_environment<'a>(pod: &'a Value, whole: &str, one: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    for container in containers(pod) {
        found.extend(items(container, "/envFrom").map(|from| text(from, whole)));
        found.extend(items(container, "/env").map(|variable| text(variable, one)));
    }
    found
}

/// The claims that a pod uses: those it names, and those made for its own volumes.
pub(crate) fn claims(pod: &Value) -> Vec<String> {
    let name = text(pod, "/metadata/name");
    let of = |volume: &Value| match text(volume, "/persistentVolumeClaim/claimName") {
        "" if volume.get("ephemeral").is_some_and(Value::is_object) => {
            Some(format!("{name}-{}", text(volume, "/name")))
        }
        "" => None,
        named => Some(named.to_owned()),
    };
    items(pod, "/spec/volumes").filter_map(of).collect()
}

/// The resource claims that a pod uses: named ones, and those that its status says were made for it.
pub(crate) fn resource_claims(pod: &Value) -> Vec<String> {
    let of = |claim: &Value| match text(claim, "/resourceClaimName") {
        "" => {
            let made = items(pod, "/status/resourceClaimStatuses").find(|s| text(s, "/name") == text(claim, "/name"));
            made.map(|made| text(made, "/resourceClaimName").to_owned())
        }
        named => Some(named.to_owned()),
    };
    items(pod, "/spec/resourceClaims").filter_map(of).filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_are_found_in_every_place() {
        let environment = |secret: &str, map: &str| {
            json!({
                "envFrom": [{"secretRef": {"name": format!("{secret}-from")}}, {"configMapRef": {"name": format!("{map}-from")}}],
                "env": [
                    {"name": "A", "valueFrom": {"secretKeyRef": {"name": format!("{secret}-key"), "key": "k"}}},
                    {"name": "B", "valueFrom": {"configMapKeyRef": {"name": format!("{map}-key"), "key": "k"}}},
                    {"name": "C", "value": "plain"}
                ]
            })
        };
        let pod = json!({"metadata": {"name": "p"}, "spec": {
            "imagePullSecrets": [{"name": "pull"}, {"name": ""}, {}],
            "initContainers": [environment("si", "ci")], "containers": [environment("sc", "cc")],
            "ephemeralContainers": [environment("se", "ce")],
            "volumes": [
                {"azureFile": {"secretName": "azure"}}, {"cephfs": {"secretRef": {"name": "ceph"}}},
                {"cinder": {"secretRef": {"name": "cinder"}}}, {"flexVolume": {"secretRef": {"name": "flex"}}},
                {"rbd": {"secretRef": {"name": "rbd"}}}, {"secret": {"secretName": "volume"}},
                {"scaleIO": {"secretRef": {"name": "scale"}}}, {"iscsi": {"secretRef": {"name": "iscsi"}}},
                {"storageos": {"secretRef": {"name": "storage"}}}, {"csi": {"nodePublishSecretRef": {"name": "csi"}}},
                {"projected": {"sources": [{"secret": {"name": "projected"}}, {"configMap": {"name": "mapped"}}]}},
                {"configMap": {"name": "map"}}, {"persistentVolumeClaim": {"claimName": "claim"}},
                {"name": "own", "ephemeral": {"volumeClaimTemplate": {}}}
            ],
            "resourceClaims": [{"name": "a", "resourceClaimName": "named"}, {"name": "b", "resourceClaimTemplateName": "t"}, {"name": "c"}]
        }, "status": {"resourceClaimStatuses": [{"name": "b", "resourceClaimName": "made"}]}});
        let mut found = secrets(&pod);
        found.sort_unstable();
        assert_eq!(
            found,
            [
                "azure",
                "ceph",
                "cinder",
                "csi",
                "flex",
                "iscsi",
                "projected",
                "pull",
                "rbd",
                "sc-from",
                "sc-key",
                "scale",
                "se-from",
                "se-key",
                "si-from",
                "si-key",
                "storage",
                "volume"
            ]
        );
        let mut found = config_maps(&pod);
        found.sort_unstable();
        assert_eq!(found, ["cc-from", "cc-key", "ce-from", "ce-key", "ci-from", "ci-key", "map", "mapped"]);
        assert_eq!(claims(&pod), ["claim", "p-own"]);
        assert_eq!(resource_claims(&pod), ["named", "made"]);
    }
}
