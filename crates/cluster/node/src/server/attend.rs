//! Finding a container by its names, and what it uses.

use std::fs;

use serde_json::{Value, json};

use crate::cgroup;
use crate::context::Context;
use crate::pod::{Run, View};

/// Namespace, pod, container.
pub(crate) type Names<'a> = (&'a str, &'a str, &'a str);

/// A pod of the node.
pub(crate) fn pod(context: &Context, namespace: &str, name: &str) -> Result<View, String> {
    let pods = context.pods.read();
    let mut found = pods.values().filter(|view| {
        let meta = &view.pod.metadata;
        meta.namespace.as_deref() == Some(namespace) && meta.name.as_deref() == Some(name)
    });
    found.next().cloned().ok_or_else(|| format!("pod \"{name}\" does not exist"))
}

/// The start of a container that runs or ran last, and the one before.
pub(crate) fn runs(context: &Context, names: Names<'_>) -> Result<(Option<Run>, Option<Run>), String> {
    let mut view = pod(context, names.0, names.1)?;
    view.containers.remove(names.2).ok_or_else(|| format!("container {} not found in pod {}", names.2, names.1))
}

/// Why there is no log of a container that has not run, in upstream's words.
pub(crate) fn without_log(context: &Context, (namespace, pod, container): Names<'_>) -> String {
    let whom = format!("container \"{container}\" in pod \"{pod}\"");
    let view = self::pod(context, namespace, pod).ok();
    match view.as_ref().and_then(|view| view.waiting.get(container)).map(String::as_str) {
        None => format!("{whom} is not available"),
        Some("ErrImagePull") => format!("{whom} is waiting to start: image can't be pulled"),
        Some("ImagePullBackOff") => format!("{whom} is waiting to start: trying and failing to pull image"),
        Some(reason) => format!("{whom} is waiting to start: {reason}"),
    }
}

/// A small `/stats/summary`: processor and memory of each container.
pub(crate) fn summary(context: &Context) -> Value {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let one = |name: &str, run: &Run| {
        json!({
            "name": name,
            "cpu": {"time": now, "usageCoreNanoSeconds": cpu(run)},
            "memory": {"time": now, "usageBytes": memory(run)},
        })
    };
    let pods: Vec<Value> = (context.pods.read().values())
        .map(|view| {
            let meta = &view.pod.metadata;
            let running = view.containers.iter().filter_map(|(name, (run, _))| Some((name, run.as_ref()?)));
            let containers: Vec<Value> =
                running.filter(|(_, run)| run.exit.is_none()).map(|(name, run)| one(name, run)).collect();
            json!({
                "podRef": {"name": meta.name, "namespace": meta.namespace, "uid": meta.uid},
                "containers": containers,
            })
        })
        .collect();
    json!({"node": {"nodeName": context.identity.name}, "pods": pods})
}

fn number(controller: &str, run: &Run, file: &str) -> Option<u64> {
    let path = cgroup::directory(controller, &run.record.cgroup).join(file);
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn cpu(run: &Run) -> Option<u64> {
    if !cgroup::unified() {
        return number("cpuacct", run, "cpuacct.usage");
    }
    let path = cgroup::directory("cpu", &run.record.cgroup).join("cpu.stat");
    let text = fs::read_to_string(path).ok()?;
    let micros: u64 = text.lines().find_map(|line| line.strip_prefix("usage_usec "))?.trim().parse().ok()?;
    Some(micros * 1000)
}

fn memory(run: &Run) -> Option<u64> {
    number("memory", run, if cgroup::unified() { "memory.current" } else { "memory.usage_in_bytes" })
}
