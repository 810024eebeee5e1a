//! What pods ask of a node is done, or refused by name.

use std::path::Path;
use std::time::Duration;

use eksile_tests::certificate::with;
use eksile_tests::installation::{Installation, kill, until};
use eksile_tests::pods::Pods;

const SOON: Duration = Duration::from_secs(30);

/// `admin`: a client certificate, since making an IAM token for each of so many questions takes long.
pub(crate) fn wishes(at: &Installation, admin: &Path) {
    let pods = Pods::beside_hello(at, admin);
    the_node_is_as_large_as_its_type(&pods);
    pods.event(&pods.node, "NodeReady");
    refused_by_name(&pods);
    ended_at_the_deadline(&pods);
    addresses_come_back(&pods);
    told_what_is_wrong(&pods);
    hooks_have_their_turn(&pods);
    confined(&pods);
    changed_while_it_runs(&pods, &pods.field("hello", "status.containerStatuses[0].imageID"));
}

fn the_node_is_as_large_as_its_type(pods: &Pods<'_>) {
    let kind = pods.ask("get nodes -o jsonpath={.items[0].metadata.labels.node\\.kubernetes\\.io/instance-type}");
    let wanted = pods.at.aws(&format!("ec2 describe-instance-types --instance-types {kind}")).json();
    let capacity = with(pods.at, pods.admin, "get nodes -o jsonpath={.items[0].status.capacity}").json();
    let cpus = wanted["InstanceTypes"][0]["VCpuInfo"]["DefaultVCpus"].as_u64().unwrap();
    let mib = wanted["InstanceTypes"][0]["MemoryInfo"]["SizeInMiB"].as_u64().unwrap();
    assert_eq!(capacity["cpu"], cpus.to_string());
    // The API writes quantities with the largest unit that fits.
    let memory = if mib.is_multiple_of(1024) { format!("{}Gi", mib / 1024) } else { format!("{mib}Mi") };
    assert_eq!(capacity["memory"], memory);
}

fn refused_by_name(pods: &Pods<'_>) {
    for (name, spec, container, reason, text) in [
        ("shares", "shareProcessNamespace: true,", "", "UnexpectedAdmissionError", "spec.shareProcessNamespace"),
        ("reads", "", "stdin: true,", "UnexpectedAdmissionError", "spec.containers[0].stdin"),
        ("large", "", "resources: {requests: {cpu: \"999\"}},", "OutOfcpu", "requested: 999000"),
        ("elsewhere", "nodeSelector: {no: such},", "", "NodeAffinity", "node affinity/selector"),
    ] {
        pods.make(name, "sleep 600", spec, container);
        pods.phase(name, "Failed");
        assert_eq!(pods.field(name, "status.reason"), reason);
        let message = pods.field(name, "status.message");
        assert!(message.starts_with("Pod was rejected: ") && message.contains(text), "{message}");
        pods.event(name, reason);
    }
    pods.delete("shares reads large elsewhere");
}

/// Also over the end of the kubelet that began to count.
fn ended_at_the_deadline(pods: &Pods<'_>) {
    pods.make("late", "sleep 600", "activeDeadlineSeconds: 5, terminationGracePeriodSeconds: 1,", "");
    pods.phase("late", "Running");
    let kubelet = *pods.at.pids(&["eksile node"]).first().unwrap();
    kill(kubelet, "-KILL");
    pods.phase("late", "Failed");
    assert_eq!(pods.field("late", "status.reason"), "DeadlineExceeded");
    let message = "Pod was active on the node longer than the specified deadline";
    assert_eq!(pods.field("late", "status.message"), message);
    assert_eq!(pods.field("late", "status.containerStatuses[0].restartCount"), "0");
    pods.event("late", "DeadlineExceeded");
    pods.delete("late");
}

/// A pod that has ended needs no address: the next one gets it.
fn addresses_come_back(pods: &Pods<'_>) {
    pods.make("brief", "exit 0", "restartPolicy: Never,", "");
    pods.phase("brief", "Succeeded");
    pods.make("heir", "exit 0", "restartPolicy: Never,", "");
    pods.phase("heir", "Succeeded");
    assert_eq!(pods.field("heir", "status.podIP"), pods.field("brief", "status.podIP"));
    pods.delete("brief heir");
}

/// What cannot be done is told in the container's terms, also to a client that is still sending.
fn told_what_is_wrong(pods: &Pods<'_>) {
    let init = format!("initContainers: [{{name: first, image: '{}', command: [/bin/sh, -c, 'exit 0']}}],", pods.image);
    pods.make("helpful", "while true; do sleep 1; done", &init, "");
    pods.phase("helpful", "Running");
    for (words, expected) in [
        ("exec helpful -c first -- /bin/sh", "unable to upgrade connection: container not found (\"first\")"),
        ("attach helpful -c c", "unable to upgrade connection: attach is not built in this kubelet"),
        ("port-forward helpful 0:80", "unable to upgrade connection: port-forward is not built in this kubelet"),
    ] {
        let complaint = with(pods.at, pods.admin, words).bad();
        assert!(complaint.contains(expected), "{words}: {complaint}");
    }
    let admin = pods.admin.display();
    let sending = format!("head -c 20000000 /dev/zero | kubectl --kubeconfig {admin} exec -i helpful -c c -- /nope");
    let complaint = pods.at.client("sh", &["-c", &sending]).bad();
    assert!(complaint.contains("executable '/nope' not found"), "{complaint}");
    pods.delete("helpful");
}

fn hooks_have_their_turn(pods: &Pods<'_>) {
    let hook = |words: &str| format!("{{exec: {{command: [/bin/sh, -c, '{words}']}}}}");
    // The container waits for the hook's note, so it can only have come from the hook.
    let script = "trap \"echo term >> /notes/order; exit 0\" TERM; while :; do sleep 0.05; done";
    let hooks = format!(
        "lifecycle: {{postStart: {}, preStop: {}}},",
        hook("echo begun >> /notes/order"),
        hook("echo farewell >> /notes/order")
    );
    pods.make("witness", "sleep 600", "", "");
    pods.make("polite", script, "", &hooks);
    pods.phase("polite", "Running");
    assert_eq!(pods.shell("polite", "cat /notes/order"), "begun");
    pods.ask("delete pod polite --grace-period=20");
    pods.phase("witness", "Running");
    assert_eq!(pods.shell("witness", "cat /notes/order"), "begun\nfarewell\nterm");
    let failing = format!("lifecycle: {{postStart: {}}},", hook("exit 3"));
    pods.make("unlucky", "sleep 600", "restartPolicy: Never, terminationGracePeriodSeconds: 1,", &failing);
    pods.phase("unlucky", "Failed");
    pods.event("unlucky", "FailedPostStartHook");
    let failing = format!("lifecycle: {{preStop: {}}},", hook("exit 3"));
    pods.make("rude", "sleep 600", "", &failing);
    pods.phase("rude", "Running");
    pods.delete("rude unlucky witness");
    pods.event("rude", "FailedPreStopHook");
}

/// The default profile: the kernel asks the filter first, and refuses what the pod could do without it.
fn confined(pods: &Pods<'_>) {
    let security = |kind: &str| format!("securityContext: {{seccompProfile: {{type: {kind}}}}},");
    pods.make("confined", "sleep 600", &security("RuntimeDefault"), "");
    pods.make("free", "sleep 600", &security("Unconfined"), "");
    let try_it = "unshare -U true 2>/dev/null && echo made || echo refused; grep Seccomp: /proc/1/status";
    for (name, wanted) in [("free", "made\nSeccomp:\t0"), ("confined", "refused\nSeccomp:\t2")] {
        pods.phase(name, "Running");
        assert_eq!(pods.shell(name, try_it), wanted);
    }
    pods.delete("confined free");
}

/// Another image is another container, whatever the restart policy; a kernel setting is set.
fn changed_while_it_runs(pods: &Pods<'_>, digest: &str) {
    let sysctl = "securityContext: {sysctls: [{name: net.ipv4.ip_unprivileged_port_start, value: \"7\"}]},";
    let spec = format!("restartPolicy: Never, terminationGracePeriodSeconds: 1, {sysctl}");
    pods.make("changing", "sleep 600", &spec, "");
    pods.phase("changing", "Running");
    assert_eq!(pods.shell("changing", "cat /proc/sys/net/ipv4/ip_unprivileged_port_start"), "7");
    pods.kubectl(&["set", "image", "pod/changing", &format!("c={digest}")]).good();
    until("the container is another one", SOON, || {
        let count = pods.field("changing", "status.containerStatuses[0].restartCount");
        if count == "1" { Ok(()) } else { Err(count) }
    });
    pods.phase("changing", "Running");
    pods.delete("changing");
}
