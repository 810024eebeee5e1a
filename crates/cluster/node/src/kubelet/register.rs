//! The Node object: registration, status, and the lease that says the node lives.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::api::{ApiError, Patch};
use crate::context::Context;

/// How often the lease is renewed (a quarter of its duration, as upstream).
const RENEW: Duration = Duration::from_secs(10);
const LEASE_SECONDS: u32 = 40;
/// How often the status is reported when nothing changed (`nodeStatusReportFrequency`).
const REPORT: Duration = Duration::from_secs(300);
/// How often it is computed (`nodeStatusUpdateFrequency`).
const COMPUTE: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_millis(500);

/// Registers the node and keeps its lease and status fresh, for ever.
pub(crate) async fn run(context: Arc<Context>) {
    while let Err(error) = register(&context).await {
        tracing::warn!(%error, node = context.identity.name, "unable to register node with API server");
        tokio::time::sleep(RETRY).await;
    }
    tracing::info!(node = context.identity.name, "successfully registered node");
    announce(&context);
    tokio::join!(leases(&context), statuses(&context));
}

async fn register(context: &Context) -> Result<(), ApiError> {
    let node = node(context);
    match context.api.post::<Value>("/api/v1/nodes", &node).await {
        Ok(_) => {}
        Err(error) if error.code() == Some(http::StatusCode::CONFLICT) => {
            let labels = json!({"metadata": {"labels": node["metadata"]["labels"]}});
            context.api.patch(&path(context), Patch::Strategic, &labels).await?;
        }
        Err(error) => return Err(error),
    }
    report(context, &mut String::new()).await
}

/// What `kubectl describe node` shows of a node that has come up.
fn announce(context: &Context) {
    let name = &context.identity.name;
    context.events.of_node(name, "Starting", "Starting kubelet.".to_owned());
    for reason in ["NodeHasSufficientMemory", "NodeHasNoDiskPressure", "NodeHasSufficientPID", "NodeReady"] {
        context.events.of_node(name, reason, format!("Node {name} status is now: {reason}"));
    }
}

fn path(context: &Context) -> String {
    format!("/api/v1/nodes/{}", context.identity.name)
}

fn node(context: &Context) -> Value {
    let identity = &context.identity;
    let taints: Vec<Value> = (context.config.taints.iter())
        .map(|(key, value, effect)| json!({"key": key, "value": value, "effect": effect}))
        .collect();
    let mut spec = json!({"providerID": format!("aws:///{}/{}", identity.zone, identity.instance_id)});
    if !taints.is_empty() {
        spec["taints"] = taints.into();
    }
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": identity.name,
            "labels": labels(context),
            "annotations": {"volumes.kubernetes.io/controller-managed-attach-detach": "true"},
        },
        "spec": spec,
        "status": status(context),
    })
}

fn labels(context: &Context) -> BTreeMap<String, String> {
    let identity = &context.identity;
    let arch = architecture();
    let mut labels: BTreeMap<String, String> = [
        ("beta.kubernetes.io/arch", arch),
        ("beta.kubernetes.io/instance-type", &identity.instance_type),
        ("beta.kubernetes.io/os", "linux"),
        ("failure-domain.beta.kubernetes.io/region", &identity.region),
        ("failure-domain.beta.kubernetes.io/zone", &identity.zone),
        ("kubernetes.io/arch", arch),
        ("kubernetes.io/hostname", &identity.name),
        ("kubernetes.io/os", "linux"),
        ("node.kubernetes.io/instance-type", &identity.instance_type),
        ("topology.kubernetes.io/region", &identity.region),
        ("topology.kubernetes.io/zone", &identity.zone),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .collect();
    labels.extend(context.config.labels.clone());
    labels
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn status(context: &Context) -> Value {
    let identity = &context.identity;
    let (capacity, allocatable) = resources(context);
    json!({
        "capacity": capacity,
        "allocatable": allocatable,
        "addresses": [
            {"type": "InternalIP", "address": identity.address},
            {"type": "Hostname", "address": identity.name},
            {"type": "InternalDNS", "address": identity.name},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": context.config.port}},
        "nodeInfo": info(),
        "conditions": conditions(context),
        "images": images(context),
    })
}

fn resources(context: &Context) -> (Value, Value) {
    let room = context.room();
    let table = |cpu: String, memory: i64, storage: String| {
        json!({
            "cpu": cpu, "memory": format!("{}Ki", memory / 1024), "ephemeral-storage": storage,
            "hugepages-1Gi": "0", "hugepages-2Mi": "0", "pods": room.pods.to_string(),
        })
    };
    let disk = format!("{}Ki", context.disk() / 1024);
    (
        table(context.machine.vcpus.to_string(), context.memory(), disk),
        table(format!("{}m", room.cpu), room.memory, room.storage.to_string()),
    )
}

fn info() -> Value {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let release = read("/etc/os-release");
    let pretty = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or("Linux");
    let machine_id = read("/etc/machine-id");
    json!({
        "architecture": architecture(), "operatingSystem": "linux",
        "bootID": read("/proc/sys/kernel/random/boot_id"),
        "machineID": machine_id, "systemUUID": machine_id,
        "kernelVersion": read("/proc/sys/kernel/osrelease"),
        "osImage": pretty.trim_matches('"'),
        "containerRuntimeVersion": concat!("eksile://", env!("CARGO_PKG_VERSION")),
        "kubeletVersion": super::VERSION, "kubeProxyVersion": super::VERSION,
    })
}

fn conditions(context: &Context) -> Value {
    let since = context.since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({
            "type": kind, "status": status, "reason": reason, "message": message,
            "lastHeartbeatTime": now, "lastTransitionTime": since,
        })
    };
    let enough = "KubeletHasSufficientMemory";
    json!([
        condition("MemoryPressure", "False", enough, "kubelet has sufficient memory available"),
        condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    ])
}

fn images(context: &Context) -> Value {
    let one = |(name, image): (String, crate::images::Image)| json!({"names": [name], "sizeBytes": image.size});
    context.images.list().into_iter().take(50).map(one).collect()
}

/// Reports the status when it differs from `last` in anything but its time.
async fn report(context: &Context, last: &mut String) -> Result<(), ApiError> {
    let status = status(context);
    let mut timeless = status.clone();
    for condition in timeless["conditions"].as_array_mut().into_iter().flatten() {
        condition["lastHeartbeatTime"] = Value::Null;
    }
    let timeless = timeless.to_string();
    if *last == timeless {
        return Ok(());
    }
    let body = json!({"status": status});
    context.api.patch(&format!("{}/status", path(context)), Patch::Strategic, &body).await?;
    *last = timeless;
    Ok(())
}

async fn statuses(context: &Context) {
    let mut last = String::new();
    let mut since = tokio::time::Instant::now();
    loop {
        tokio::time::sleep(COMPUTE).await;
        if since.elapsed() >= REPORT {
            last.clear();
        }
        let before = last.clone();
        match report(context, &mut last).await {
            Ok(()) if before != last => since = tokio::time::Instant::now(),
            Ok(()) => {}
            // Deleted by somebody while the node lives: it registers again.
            Err(error) if error.is_not_found() => {
                if let Err(error) = register(context).await {
                    tracing::warn!(%error, "unable to register node with API server");
                }
            }
            Err(error) => tracing::warn!(%error, "error updating node status, will retry"),
        }
    }
}

async fn leases(context: &Context) {
    loop {
        match renew(context).await {
            Ok(()) => tokio::time::sleep(RENEW).await,
            Err(error) => {
                tracing::warn!(%error, "failed to renew lease");
                tokio::time::sleep(RENEW / 10).await;
            }
        }
    }
}

async fn renew(context: &Context) -> Result<(), ApiError> {
    let name = &context.identity.name;
    let base = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
    let spec = json!({
        "holderIdentity": name, "leaseDurationSeconds": LEASE_SECONDS,
        "renewTime": jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
    });
    match context.api.patch(&format!("{base}/{name}"), Patch::Merge, &json!({"spec": spec})).await {
        Err(error) if error.is_not_found() => {}
        other => return other.map(|_| ()),
    }
    let node: Value = context.api.get(&path(context)).await?;
    let owner = json!([{"apiVersion": "v1", "kind": "Node", "name": name, "uid": node["metadata"]["uid"]}]);
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": name, "namespace": "kube-node-lease", "ownerReferences": owner},
        "spec": spec,
    });
    context.api.post::<Value>(base, &lease).await.map(|_| ())
}
