//! What is mounted into every container: its own limits, its pod's memory, and nothing of the neighbours.

use crate::{Chapter, Target};

pub(crate) const CHAPTERS: &[Chapter] = &[
    ("a container on the node's network writes limits", a_container_on_the_nodes_network_writes_limits),
    ("a container is told its limits, and shares memory with its pod alone", a_container_is_told_its_limits),
];

/// Prints the limit of memory, on either version of control groups.
const LIMIT: &str = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max";

fn a_container_on_the_nodes_network_writes_limits(target: &Target) {
    let pods = target.pods();
    pods.make("onnode", "sleep 600", "hostNetwork: true,", "resources: {limits: {memory: 64Mi}},");
    pods.phase("onnode", "Running");
    assert_eq!(pods.shell("onnode", LIMIT).trim(), (64 << 20).to_string());
    let seen = pods.shell("onnode", "find /sys/fs/cgroup -name 'kubepods*' -o -name 'pod*' -type d; true");
    assert_eq!(seen.trim(), "", "no other's groups");
    let words = "for f in $(find /sys/fs/cgroup -type f); do (echo 1 > $f) 2>/dev/null && echo $f; done; \
                 find /sys/fs/cgroup -maxdepth 2 -type d | while read d; do \
                 mkdir $d/made 2>/dev/null && echo $d; done; true";
    let written = pods.shell("onnode", words);
    assert_eq!(written.trim(), "", "root of a container writes its limits");
    pods.delete("onnode");
}

fn a_container_is_told_its_limits(target: &Target) {
    let pods = target.pods();
    let image = &pods.image;
    let second = format!(
        "resources: {{limits: {{memory: 64Mi}}}}}}, {{name: second, image: '{image}', command: [sleep, '600'],"
    );
    pods.make("told", "echo mine > /dev/shm/said; sleep 600", "", &second);
    pods.make("stranger", "sleep 600", "", "");
    pods.phase("told", "Running");
    pods.phase("stranger", "Running");
    assert_eq!(pods.shell("told", LIMIT).trim(), (64 << 20).to_string());
    let second = |words: &str| pods.kubectl(&["exec", "told", "-c", "second", "--", "/bin/sh", "-c", words]);
    assert_eq!(second("cat /dev/shm/said").good().trim(), "mine", "one memory in a pod");
    let ipc = "readlink /proc/self/ns/ipc";
    let own = pods.shell("told", ipc);
    assert_eq!(own, second(ipc).good(), "one IPC namespace in a pod");
    assert_ne!(own, pods.shell("stranger", ipc));
    assert_eq!(pods.shell("stranger", "ls /dev/shm").trim(), "");
    pods.delete("told stranger");
}
