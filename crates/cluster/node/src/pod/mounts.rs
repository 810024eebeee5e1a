//! What is mounted into every container: containerd's default list, and the pod's volumes.

use std::path::Path;

use serde_json::{Value, json};

use super::oci::Plan;
use crate::cgroup;

const CONTROL_GROUPS: &str = "/sys/fs/cgroup";
/// Of version 1, those in which a program reads its limits and use.
pub(super) const CONTROLLERS: [&str; 6] = ["blkio", "cpu", "cpuacct", "cpuset", "memory", "pids"];

/// The list, in the order of mounting.
pub(super) fn mounts(plan: &Plan<'_>, privileged: bool) -> Value {
    let one = |destination: &str, kind: &str, options: &[&str]| json!({"destination": destination, "type": kind, "source": kind, "options": options});
    let write = if privileged { "rw" } else { "ro" };
    let mut all = vec![
        one("/proc", "proc", &["nosuid", "noexec", "nodev"]),
        one("/dev", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        one("/dev/pts", "devpts", &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
        one("/dev/mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
    ];
    let shm = plan.ipc.as_ref().map_or(Path::new("/dev/shm"), |ipc| ipc.shm());
    all.push(json!({"destination": "/dev/shm", "type": "bind", "source": shm, "options": ["rbind", "rprivate", "nosuid", "noexec", "nodev", "rw"]}));
    let sys = if plan.netns.is_some() {
        one("/sys", "sysfs", &["nosuid", "noexec", "nodev", write])
    } else {
        // A new sysfs belongs to a network namespace of one's own; on the node's network the node's is bound.
        json!({"destination": "/sys", "type": "bind", "source": "/sys", "options": ["rbind", "nosuid", "noexec", "nodev", write]})
    };
    all.push(sys);
    all.extend(control_groups(plan.cgroup, plan.cover, write));
    for (source, destination, read_only) in &plan.binds {
        let write = if *read_only { "ro" } else { "rw" };
        all.push(json!({"destination": destination, "type": "bind", "source": source, "options": ["rbind", "rprivate", write]}));
    }
    all.into()
}

/// The container's own control groups, where programs look for their limits, and no other's: what lies below
/// `/sys/fs/cgroup` of the node is covered also where the node's `/sys` is bound. They exist when this is mounted: the
/// first process is in them by then.
fn control_groups(cgroup: &Path, cover: &Path, write: &str) -> Vec<Value> {
    let options = ["bind", "rprivate", "nosuid", "noexec", "nodev", write];
    let own = |destination: &str, controller: &str| json!({"destination": destination, "type": "bind", "source": cgroup::directory(controller, cgroup), "options": options});
    if cgroup::unified() {
        return vec![own(CONTROL_GROUPS, "")];
    }
    let cover = json!({"destination": CONTROL_GROUPS, "type": "bind", "source": cover, "options": ["bind", "rprivate", "nosuid", "noexec", "nodev", "ro"]});
    let here = |controller: &&&str| cgroup::directory(controller, Path::new("/")).exists();
    let each = CONTROLLERS.iter().filter(here).map(|one| own(&format!("{CONTROL_GROUPS}/{one}"), one));
    std::iter::once(cover).chain(each).collect()
}
