//! From a pod with every right that a pod can ask for towards the machine: it reaches its instance and no further.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::{Chapter, Target};

pub(crate) const CHAPTERS: &[Chapter] = &[
    ("a privileged pod gets at the machine", a_privileged_pod_gets_at_the_machine),
    ("an instance leads who reads its logs astray", an_instance_leads_who_reads_its_logs_astray),
];

/// Everything there is to ask for.
const ALL: &str = "hostPID: true, hostNetwork: true, hostIPC: true,";

fn make(target: &Target, name: &str) {
    let pods = target.pods();
    let (node, image) = (&pods.node, &pods.image);
    let text = format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}, spec: {{nodeName: {node}, {ALL} \
         volumes: [{{name: root, hostPath: {{path: /}}}}], containers: [{{name: c, image: '{image}', \
         command: [/bin/sh, -c, 'sleep 600'], securityContext: {{privileged: true}}, \
         volumeMounts: [{{name: root, mountPath: /host}}]}}]}}}}"
    );
    let file = target.at.scratch.path().join(format!("{name}.yaml"));
    std::fs::write(&file, text).unwrap();
    pods.kubectl(&["apply", "-f", file.to_str().unwrap()]).good();
    pods.phase(name, "Running");
}

/// What must fail: a name, and words for a shell in the instance's root.
fn attacks(data: &str) -> Vec<(&'static str, String)> {
    let text = |words: &str| words.to_owned();
    let device = std::fs::metadata("/usr").unwrap().dev();
    let (major, minor) = ((device >> 8) & 0xfff, (device & 0xff) | ((device >> 12) & 0xfff00));
    vec![
        ("writes its programs", text("mount -o remount,bind,rw /usr; touch /usr/attack")),
        ("uncovers its programs", text("umount /usr && ! test -e /usr/bin/env")),
        ("sets core_pattern", text("echo '|/attack' > /proc/sys/kernel/core_pattern")),
        ("reads the kernel's log", text("dmesg || head -c 1 /dev/kmsg")),
        ("reads memory", text("head -c 1 /proc/kcore || mknod /var/mem c 1 1")),
        (
            "mounts its disk",
            format!("mknod /var/disk b {major} {minor} && mount /var/disk /mnt || mount -t devtmpfs d /mnt"),
        ),
        ("loads modules, traces", text("modprobe dummy || mount -t debugfs d /mnt || mount -t tracefs t /mnt")),
        ("writes /sys", text("echo 1 > /sys/kernel/profiling || echo 0 > /sys/devices/system/cpu/cpu1/online")),
        ("has a release agent run", {
            text("mkdir -p /tmp/r; mount -t cgroup -o pids g /tmp/r; echo /attack > /tmp/r/release_agent")
        }),
        ("raises limits", {
            text(
                "for f in memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us memory.max; do \
                 test -e /sys/fs/cgroup/$f && echo -1 > /sys/fs/cgroup/$f && exit 0; done; false",
            )
        }),
        (
            "sees other processes",
            text(
                "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -e 'eksile[ ]world' -e '[ ]region' -e 'control[-]plane'",
            ),
        ),
        (
            "reads the installation",
            format!("ls {data} || ls -d /proc/[0-9]*/root{data} || ls -d /proc/[0-9]*/cwd{data}"),
        ),
        ("finds credentials", text("cat /proc/[0-9]*/environ | tr '\\0' '\\n' | grep AWS_SECRET")),
        ("follows a descriptor out", {
            text(
                "for f in /proc/[0-9]*/fd/*; do d=$(readlink $f); case $d in /*sites*|*/disk/*) echo $d; exit 0;; esac; done; false",
            )
        }),
        ("sees another instance's network", text("ls /run/eksile/netns/i-*")),
        ("makes a file that cannot be removed", text("touch /var/fixed; chattr +i /var/fixed")),
    ]
}

fn a_privileged_pod_gets_at_the_machine(target: &Target) {
    make(target, "sovereign");
    let pods = target.pods();
    let data = target.at.data.path().display().to_string();
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    let mut won = Vec::new();
    let inside =
        |words: &str| pods.kubectl(&["exec", "sovereign", "--", "busybox", "chroot", "/host", "/bin/sh", "-c", words]);
    // It is root, and sees the instance.
    assert!(inside("id -u; ls /etc/eks").good().contains("bootstrap.sh"));
    for (name, words) in attacks(&data) {
        let tried = inside(&words);
        if tried.ok {
            won.push(format!("{name}: {}", tried.out));
        }
    }
    assert!(won.is_empty(), "{won:#?}");
    assert!(!Path::new("/usr/attack").exists());
    assert_eq!(std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap(), pattern);
    pods.delete("sovereign");
}

fn an_instance_leads_who_reads_its_logs_astray(target: &Target) {
    make(target, "writer");
    let pods = target.pods();
    pods.shell("writer", "ln -s /etc/hostname /host/var/log/hostname.log; ln -s /etc /host/var/log/journal/etc.log");
    pods.shell("writer", "mkfifo /host/var/log/pipe.log");
    let names = target.at.eksile(&["logs"]).good();
    assert!(names.contains("/kubelet"), "{names}");
    for name in ["hostname", "etc", "pipe"] {
        assert!(!names.contains(&format!("/{name}")), "{names}");
    }
    pods.shell("writer", "rm /host/var/log/hostname.log /host/var/log/journal/etc.log /host/var/log/pipe.log");
    pods.delete("writer");
}
